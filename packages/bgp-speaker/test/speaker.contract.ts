import { writeFileSync } from "node:fs";

import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import { identifierOf } from "../src/gobgp/ownership.ts";
import { createSpeaker, type Peer, type Route, type Speaker, type SpeakerOptions } from "../src/index.ts";
import { freePort, Gobgpd, type GobgpRelease } from "./lab/gobgpd.ts";
import { OtherProgram } from "./lab/other-program.ts";
import { byPrefix, manyRoutes, route } from "./lab/routes.ts";
import { untilHeld, untilReady, untilStatus } from "./lab/status.ts";
import { TEST_CERTIFICATE, TEST_KEY } from "./lab/tls-fixture.ts";

const asn = 64_512;
const routerId = "10.99.0.1";
const full = {
  communities: ["65535:0", "64512:7"],
  largeCommunities: ["64512:1:2", "64512:4294967295:0"],
  localPreference: 200,
  med: 0,
};

/** What a speaker promises, with a real daemon. */
export function speakerContract(release: GobgpRelease): void {
  let daemon: Gobgpd;
  let speakers: Speaker[];
  let others: OtherProgram[];

  beforeEach(() => {
    daemon = new Gobgpd(release);
    speakers = [];
    others = [];
  });

  afterEach(async () => {
    await Promise.all(speakers.map((one) => one.close()));
    for (const one of others) one.close();
    await daemon.remove();
  });

  function speak(options: Partial<SpeakerOptions> = {}): Speaker {
    const manage = { asn, routerId, listenPort: -1, peers: [] };
    const speaker = createSpeaker({ gobgp: daemon.url, manage, ...options });
    speakers.push(speaker);
    return speaker;
  }

  /** Another program of this host that uses the daemon; by default it sees the paths of the default owner. */
  function other(identifier = identifierOf("fiberlb")): OtherProgram {
    const one = new OtherProgram(daemon.target, release.generation, identifier);
    others.push(one);
    return one;
  }

  async function started(options: Partial<SpeakerOptions> = {}): Promise<Speaker> {
    daemon.start();
    const speaker = speak(options);
    await untilReady(speaker);
    return speaker;
  }

  describe("announces", () => {
    test("and the daemon holds every attribute as given, IPv4 and IPv6", async () => {
      const speaker = await started();
      const routes = [
        route({ prefix: "203.0.113.10/32", ...full }),
        route({ prefix: "203.0.113.0/24", nextHop: "10.99.0.2" }),
        route({ prefix: "2001:db8::10/128", ...full }),
        route({ prefix: "2001:db8:1::/48" }),
      ];
      const { added, withdrawn, unchanged } = await speaker.announce(routes);
      expect({ added: byPrefix(added).map(sorted), withdrawn, unchanged }).toEqual({
        added: byPrefix(routes).map(sorted),
        withdrawn: [],
        unchanged: 0,
      });
      expect(byPrefix(await other().routes())).toEqual(byPrefix(routes).map(sorted));
      expect(speaker.status()).toMatchObject({
        daemon: { state: "ready", reason: "", generation: release.generation, asn, routerId },
        routes: { desired: 4, held: 4 },
      });
    });

    test("the whole set: what is new is added, what is missing withdrawn, what is the same left alone", async () => {
      const speaker = await started();
      const [a, b, c] = manyRoutes(3) as [Route, Route, Route];
      await speaker.announce([a, b]);
      const changed = { ...b, med: 5 };
      expect(await speaker.announce([changed, c])).toEqual({ added: [changed, c], withdrawn: [a], unchanged: 0 });
      expect(await speaker.announce([c, changed])).toEqual({ added: [], withdrawn: [], unchanged: 2 });
      expect(byPrefix(await other().routes())).toEqual([changed, c]);
    });

    test("the empty set, which withdraws all", async () => {
      const speaker = await started();
      await speaker.announce([...manyRoutes(3), route({ prefix: "2001:db8::1/128" })]);
      expect((await speaker.announce([])).withdrawn).toHaveLength(4);
      expect(await other().routes()).toEqual([]);
    });

    test("1,000 routes, of which only few change afterwards", async () => {
      const speaker = await started();
      const routes = manyRoutes(1000);
      const startedMs = performance.now();
      await speaker.announce(routes);
      const announcedMs = performance.now();
      const { withdrawn } = await speaker.announce(routes.slice(1));
      const withdrawnMs = performance.now();
      const [all, one] = [announcedMs - startedMs, withdrawnMs - announcedMs].map((ms) => ms.toFixed(0));
      console.log(`GoBGP ${release.version}: 1,000 routes announced in ${all} ms, one withdrawn in ${one} ms`);
      expect(withdrawn).toEqual([routes[0]]);
      expect(byPrefix(await other().routes())).toEqual(byPrefix(routes.slice(1)));
    });

    test("what was said last, when it is said while others are under way", async () => {
      const speaker = await started();
      const sets = [manyRoutes(600), manyRoutes(10), manyRoutes(300), manyRoutes(5)];
      const reports = await Promise.all(sets.map((routes) => speaker.announce(routes)));
      expect(reports.at(-1)?.withdrawn.length).toBeLessThan(600);
      expect(byPrefix(await other().routes())).toEqual(byPrefix(manyRoutes(5)));
    });
  });

  describe("leaves alone", () => {
    test("routes of other programs, of the same prefix too", async () => {
      daemon.start();
      const speaker = speak();
      await untilReady(speaker);
      const [mine, shared] = [route({ prefix: "203.0.113.1/32" }), route({ prefix: "203.0.113.2/32" })];
      const theirs = [{ ...shared, nextHop: "10.99.0.7" }, route({ prefix: "203.0.113.3/32" })];
      const program = other(0);
      await program.add(theirs);
      await speaker.announce([mine, shared]);
      await speaker.announce([]);
      expect(byPrefix(await program.routes())).toEqual(theirs);
    });

    test("routes of speakers with another owner name", async () => {
      const speaker = await started();
      const second = speak({ owner: "second" });
      await speaker.announce(manyRoutes(2));
      await second.announce([route({ prefix: "203.0.113.9/32" })]);
      await second.announce([]);
      expect(await other().routes()).toHaveLength(2);
    });

    test("what the same owner left behind, until its next speaker announces something", async () => {
      const first = await started();
      await first.announce(manyRoutes(5));
      await first.close();
      const next = speak();
      await untilHeld(next, 5);
      expect(await other().routes()).toHaveLength(5);
      const { added, withdrawn, unchanged } = await next.announce(manyRoutes(2));
      expect({ added, withdrawn: withdrawn.length, unchanged }).toEqual({ added: [], withdrawn: 3, unchanged: 2 });
      expect(byPrefix(await other().routes())).toEqual(manyRoutes(2));
    });
  });

  describe("repairs", () => {
    test("a route that somebody removed, without being told", async () => {
      const speaker = await started();
      const [gone, kept] = manyRoutes(2) as [Route, Route];
      await speaker.announce([gone, kept]);
      const program = other();
      const reported = untilHeld(speaker, 1);
      await program.remove([gone]);
      await reported;
      await untilHeld(speaker, 2);
      expect(byPrefix(await program.routes())).toEqual([gone, kept]);
    });

    test("a daemon that was killed and comes back empty", async () => {
      const speaker = await started();
      await speaker.announce(manyRoutes(20));
      const lost = untilStatus(speaker, ({ daemon: { state } }) => state === "connecting");
      const startedMs = performance.now();
      await daemon.kill();
      expect((await lost).routes).toEqual({ desired: 20, held: 0 });
      const stale = await untilStatus(speaker, ({ daemon: { reason } }) => reason.includes("left behind"));
      expect(stale.daemon.reason).toContain(`nobody listens on the socket ${daemon.socket}`);
      daemon.start();
      await untilHeld(speaker, 20);
      console.log(
        `GoBGP ${release.version}: killed, started, announced in ${(performance.now() - startedMs).toFixed(0)} ms`,
      );
      expect(await other().routes()).toHaveLength(20);
    });

    test("a daemon that was stopped properly and started again", async () => {
      const speaker = await started();
      await speaker.announce(manyRoutes(2));
      const lost = untilStatus(speaker, ({ daemon: { state } }) => state === "connecting");
      await daemon.kill("SIGTERM");
      await lost;
      daemon.start();
      await untilHeld(speaker, 2);
    });

    test("a daemon that hung: noticed within 2 s, and brought up to date when it goes on", async () => {
      const speaker = await started();
      await speaker.announce(manyRoutes(20));
      const lost = untilStatus(speaker, ({ daemon: { state } }) => state === "connecting");
      const frozenMs = performance.now();
      daemon.freeze();
      expect((await lost).daemon.reason).toBe("it does not answer");
      const noticedMs = performance.now() - frozenMs;
      console.log(`GoBGP ${release.version}: frozen, noticed in ${noticedMs.toFixed(0)} ms`);
      expect(noticedMs).toBeLessThan(2000);
      const refused = speaker.announce(manyRoutes(5));
      await expect(refused).rejects.toThrow("it does not answer");
      daemon.thaw();
      await untilHeld(speaker, 5);
      expect(await other().routes()).toHaveLength(5);
    });

    test("nothing while the daemon is not there: it waits, says why, and announces what was said last", async () => {
      const speaker = speak();
      const absent = await untilStatus(speaker, ({ daemon: { reason } }) => reason.startsWith("there is no socket"));
      expect(absent.daemon.state).toBe("connecting");
      await expect(speaker.announce(manyRoutes(9))).rejects.toThrow("is gobgpd running with --api-hosts=unix://");
      await expect(speaker.announce(manyRoutes(3))).rejects.toThrow("there is no socket");
      daemon.start();
      await untilHeld(speaker, 3);
      expect(byPrefix(await other().routes())).toEqual(manyRoutes(3));
    });
  });

  describe("peers", () => {
    const near: Peer = { address: "127.0.0.9", asn: 64_500, port: 1790, passive: false };
    const managed = (peers: Peer[]) => ({ manage: { asn, routerId, listenPort: -1, peers } });
    const settings = async () => (await other().api.listPeers({})).map((one) => one.settings);

    test("are added with all that is wanted of them", async () => {
      const speaker = await started(
        managed([
          {
            ...near,
            password: "s3cret",
            holdTimeS: 30,
            keepaliveS: 7,
            connectRetryS: 11,
            multihopTtl: 5,
            localAddress: "127.0.0.1",
            gracefulRestart: { restartTimeS: 20 },
          },
        ]),
      );
      await untilStatus(speaker, ({ peers }) => peers.length === 1);
      expect(await settings()).toEqual([
        {
          address: "127.0.0.9",
          asn: 64_500,
          port: 1790,
          password: "s3cret",
          holdTimeS: 30,
          keepaliveS: 7,
          connectRetryS: 11,
          multihopTtl: 5,
          localAddress: "127.0.0.1",
          passive: false,
          restartTimeS: 20,
        },
      ]);
      expect(JSON.stringify(speaker.status())).not.toContain("s3cret");
    });

    test("are changed, removed and left alone as a new speaker wants", async () => {
      const [other1, other2] = ["127.0.0.10", "127.0.0.11"].map((address) => ({
        ...near,
        address: address,
      }));
      const said: string[] = [];
      const logger = { info: (line: string) => said.push(line), warn: (line: string) => said.push(line) };
      const first = await started({ ...managed([near, other1 as Peer, other2 as Peer]), logger });
      await untilStatus(first, ({ peers }) => peers.length === 3);
      await first.close();
      said.length = 0;
      const changed = { ...near, holdTimeS: 30 };
      const second = speak({ ...managed([changed, other1 as Peer]), logger });
      await untilStatus(second, ({ peers }) => peers.length === 2);
      const holdTimes = (await settings()).map(({ address, holdTimeS }) => `${address} ${holdTimeS} s`);
      expect(new Set(holdTimes)).toEqual(new Set(["127.0.0.10 9 s", "127.0.0.9 30 s"]));
      expect(said.filter((line) => line.startsWith("BGP peer"))).toEqual([
        "BGP peer 127.0.0.11: removed",
        "BGP peer 127.0.0.9: removed",
        "BGP peer 127.0.0.9: added",
      ]);
    });

    test("of a daemon that is not managed are shown, not touched", async () => {
      await started(managed([near]));
      const guest = speak({ owner: "guest", manage: undefined as never });
      await untilStatus(guest, ({ peers }) => peers.length === 1);
      expect(guest.status().peers[0]).toMatchObject({ address: "127.0.0.9", asn: 64_500, advertised: 0 });
    });

    test("that want BFD have it, or say why not", async () => {
      const speaker = await started(managed([{ ...near, bfd: { intervalMs: 50, multiplier: 4 } }]));
      await untilStatus(speaker, ({ peers }) => peers.length === 1);
      const [peer] = speaker.status().peers;
      const [held] = await settings();
      if (release.hasBfd) {
        expect(held?.bfd).toEqual({ intervalUs: 50_000, multiplier: 4 });
        expect(peer?.problem).toBeUndefined();
      } else {
        expect(peer?.problem).toContain("no BFD: this GoBGP does not have it, 4.5 and newer do");
      }
    });

    test("whose password can't be read wait for it, with the reason", async () => {
      const file = `${daemon.socket}.password`;
      const speaker = await started(managed([{ ...near, passwordFile: file }]));
      const { peers } = await untilStatus(speaker, (status) => status.peers.length === 1);
      expect(peers[0]).toMatchObject({
        state: "IDLE",
        problem: expect.stringContaining(`cannot read passwordFile ${file}`),
      });
      writeFileSync(file, "s3cret\n");
      await untilStatus(speaker, (status) => status.peers[0]?.problem === undefined);
      expect((await settings())[0]?.password).toBe("s3cret");
    });
  });

  describe("over TLS", () => {
    const tls = { ca: TEST_CERTIFICATE, cert: TEST_CERTIFICATE, key: TEST_KEY };

    async function startWithTls(): Promise<number> {
      await daemon.remove();
      const tlsPort = await freePort();
      daemon = new Gobgpd(release, { tlsPort });
      daemon.start();
      return tlsPort;
    }

    test("announces, with a certificate of its own where the daemon wants one", async () => {
      const tlsPort = await startWithTls();
      const speaker = speak({ gobgp: `https://127.0.0.1:${tlsPort}`, tls });
      await untilReady(speaker);
      expect((await speaker.announce(manyRoutes(2))).added).toHaveLength(2);
    });

    test("trusts no daemon whose certificate it does not know", async () => {
      const tlsPort = await startWithTls();
      const speaker = speak({ gobgp: `https://127.0.0.1:${tlsPort}` });
      const { daemon: status } = await untilStatus(speaker, ({ daemon: { reason } }) => reason.includes("certificate"));
      expect(status.state).toBe("connecting");
      expect(status.reason).toContain("self-signed certificate");
    });
  });

  describe("with manage", () => {
    test("refuses a daemon that is another router, and says both", async () => {
      await started();
      const mistaken = speak({ owner: "mistaken", manage: { asn: 64_513, routerId, listenPort: -1, peers: [] } });
      const { daemon: status } = await untilStatus(mistaken, ({ daemon: { state } }) => state === "refused");
      expect(status.reason).toContain("it runs as AS 64512 with router id 10.99.0.1, not as AS 64513");
      await expect(mistaken.announce([])).rejects.toThrow("not as AS 64513");
    });

    test("absent, refuses a daemon that was not started, until somebody starts it", async () => {
      daemon.start();
      const guest = speak({ manage: undefined as never });
      const { daemon: status } = await untilStatus(guest, ({ daemon: { state } }) => state === "refused");
      expect(status.reason).toContain("BGP has not been started in it");
      speak({ owner: "host" });
      await untilReady(guest);
      await guest.announce(manyRoutes(1));
      expect(guest.status().daemon).toMatchObject({ state: "ready", asn });
    });
  });
}

/** With its communities in the order of listings. */
const sorted = (one: Route): Route => ({
  ...one,
  ...(one.communities && { communities: ["64512:7", "65535:0"] }),
  ...(one.largeCommunities && { largeCommunities: ["64512:1:2", "64512:4294967295:0"] }),
});
