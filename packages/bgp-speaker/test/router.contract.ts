import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { createSpeaker, type Peer, type Speaker } from "../src/index.ts";
import { Gobgpd, type GobgpRelease } from "./lab/gobgpd.ts";
import { NODE, NODE_ASN, ROUTER, ROUTER_ASN, RouterLab } from "./lab/router-lab.ts";
import { manyRoutes, route } from "./lab/routes.ts";
import { untilStatus } from "./lab/status.ts";

const peer: Peer = { address: ROUTER, asn: ROUTER_ASN, holdTimeS: 3, connectRetryS: 1 };

/** What a router sees of a speaker and its daemon, by real ones on a veth pair. `long` adds what takes GoBGP long. */
export function routerContract(release: GobgpRelease, { long = false } = {}): void {
  let lab: RouterLab;
  let daemon: Gobgpd;
  let speaker: Speaker;

  beforeEach(() => {
    lab = new RouterLab();
    daemon = new Gobgpd(release, { namespace: lab.node });
    daemon.start();
  });

  afterEach(async () => {
    await speaker.close();
    await daemon.remove();
    await lab.remove();
  });

  function speak(settings: Partial<Peer> = {}): void {
    const manage = { asn: NODE_ASN, routerId: NODE, peers: [{ ...peer, ...settings }] };
    speaker = createSpeaker({ gobgp: daemon.url, manage });
  }

  const established = () => untilStatus(speaker, ({ peers }) => peers[0]?.state === "ESTABLISHED");
  const routes = (count: number) => lab.untilRoutes((found) => found.length === count);

  test("routes are in the router's table with their attributes, and out of it in milliseconds", async () => {
    lab.start();
    speak();
    const { peers } = await established();
    expect(peers[0]?.establishedAt).toBeInstanceOf(Date);
    const communities = ["65535:0", "64512:7"];
    const v4 = route({ prefix: "203.0.113.10/32", communities, largeCommunities: ["64512:1:2"], med: 7 });
    const v6 = route({ prefix: "2001:db8::10/128", communities: ["64512:7"] });
    const self = route({ prefix: "203.0.113.11/32", nextHop: "0.0.0.0" });
    await speaker.announce([v4, v6, self]);
    expect(await routes(3)).toEqual(["2001:db8::10", "203.0.113.10", "203.0.113.11"]);
    expect(lab.show(v4.prefix)).toContain("BGP.community: (64512,7) (65535,0)");
    expect(lab.show(v4.prefix)).toContain("BGP.large_community: (64512, 1, 2)");
    expect(lab.show(v4.prefix)).toContain("BGP.med: 7");
    expect(lab.show(v4.prefix)).toContain(`BGP.next_hop: ${NODE}`);
    expect(lab.show(self.prefix)).toContain(`BGP.next_hop: ${NODE}`);
    expect(lab.show(v6.prefix)).toContain("BGP.next_hop: 2001:db8:99::1");
    await speaker.announce([v4, v6]);
    expect(await routes(2)).toEqual(["2001:db8::10", "203.0.113.10"]);
    const startedMs = performance.now();
    await speaker.announce([]);
    await routes(0);
    console.log(`GoBGP ${release.version}: out of the router in ${(performance.now() - startedMs).toFixed(0)} ms`);
  });

  test("1,000 VIPs; killed, the daemon takes them along, and brings them back", async () => {
    lab.start();
    speak();
    await established();
    const startedMs = performance.now();
    await speaker.announce(manyRoutes(1000));
    await routes(1000);
    const announcedMs = performance.now();
    await untilStatus(speaker, ({ peers }) => peers[0]?.advertised === 1000);
    const killedMs = performance.now();
    await daemon.kill();
    await routes(0);
    const goneMs = performance.now();
    daemon.start();
    await routes(1000);
    const backMs = performance.now();
    const [announced, gone, back] = [announcedMs - startedMs, goneMs - killedMs, backMs - goneMs];
    console.log(
      `GoBGP ${release.version}: 1,000 VIPs in the router in ${announced.toFixed(0)} ms; killed, gone in ` +
        `${gone.toFixed(0)} ms; started, back in ${back.toFixed(0)} ms`,
    );
  });

  test("a session with a password", async () => {
    lab.start({ password: "s3cret" });
    speak({ password: "s3cret" });
    await established();
  });

  if (release.hasBfd)
    test("with BFD a daemon that hangs loses its routes long before the hold time", async () => {
      lab.start({ bfd: "own" });
      speak({ holdTimeS: 9, bfd: { intervalMs: 100, multiplier: 3 } });
      await untilStatus(speaker, ({ peers }) => peers[0]?.bfd === "UP");
      await speaker.announce(manyRoutes(3));
      await routes(3);
      const frozenMs = performance.now();
      daemon.freeze();
      await routes(0);
      const goneMs = performance.now() - frozenMs;
      console.log(`GoBGP ${release.version}: frozen, out of the router in ${goneMs.toFixed(0)} ms`);
      expect(goneMs).toBeLessThan(3000);
      daemon.thaw();
      await routes(3);
    });

  if (!long) return;

  if (release.hasBfd)
    test("a peer that GoBGP resets again and again, because the router's BFD ends with BGP, is started anew", async () => {
      lab.start({ bfd: "with-bgp" });
      speak({ bfd: { intervalMs: 100, multiplier: 3 } });
      await untilStatus(speaker, ({ peers }) => peers[0]?.bfd === "UP");
      await speaker.announce(manyRoutes(3));
      await routes(3);
      daemon.freeze();
      await routes(0);
      daemon.thaw();
      const thawedMs = performance.now();
      await routes(3);
      await untilStatus(speaker, ({ peers }) => peers[0]?.bfd === "UP" && peers[0].state === "ESTABLISHED");
      console.log(`GoBGP ${release.version}: thawed, back in ${(performance.now() - thawedMs).toFixed(0)} ms`);
    });

  test("routes are back after the link was down", async () => {
    lab.start();
    speak();
    await established();
    await speaker.announce(manyRoutes(3));
    await routes(3);
    const lost = untilStatus(speaker, ({ peers }) => peers[0]?.state !== "ESTABLISHED");
    lab.setLink("down");
    await lost;
    lab.setLink("up");
    const mendedMs = performance.now();
    await routes(3);
    console.log(`GoBGP ${release.version}: link mended, back in ${(performance.now() - mendedMs).toFixed(0)} ms`);
  });

  test("with graceful restart a daemon that is killed and started again loses no route", async () => {
    lab.start({ gracefulRestart: true });
    speak({ gracefulRestart: { restartTimeS: 30 } });
    await speaker.announce(manyRoutes(3)).catch(() => undefined); // it may not be there yet
    await routes(3);
    let fewest = 3;
    const watching = lab.untilRoutes((found) => {
      fewest = Math.min(fewest, found.length);
      return found.length === 4;
    });
    await daemon.kill();
    daemon.start();
    await established();
    await speaker.announce(manyRoutes(4));
    await watching;
    expect(fewest).toBe(3);
  });
}
