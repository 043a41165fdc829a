import { connect } from "node:net";

import { Code } from "@connectrpc/connect";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { Gobgpd, gobgpGenerations, whyNoGobgpd } from "../announce/bgp/gobgpd.ts";
import { TestRouter } from "../announce/bgp/test-router.ts";
import { type Declared, declare } from "./declare.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { until } from "./until.ts";
import { startWebServer, type WebServer } from "./web-server.ts";

jest.setTimeout(60_000);

/** Of the range for benchmarks (RFC 2544), which no network routes. */
const NETWORK = `198.18.${process.pid % 256}`;
const [VIP, VIP_V6] = [`${NETWORK}.10`, `2001:2::${(process.pid % 65_536).toString(16)}:10`];
const WITHDRAW_WAIT_MS = 300;

describe.each(gobgpGenerations)("GoBGP $version", ({ program, version }) => {
  const why = whyNoGobgpd(program);
  const suite = why === "" ? describe : describe.skip;

  suite(`announces VIPs${why && ` (skipped: ${why})`}`, () => {
    let router: TestRouter;
    let daemon: Gobgpd;
    let node: TestNode;
    let backend: WebServer;

    // One session for all tests: GoBGP takes seconds to establish it.
    beforeAll(async () => {
      router = await TestRouter.start(64500);
      daemon = new Gobgpd(program);
      daemon.start();
    });
    afterAll(async () => {
      await daemon.remove();
      await router.close();
    });
    beforeEach(async () => {
      backend = await startWebServer("a", { host: "127.0.0.77" });
    });
    afterEach(async () => {
      await node.stop();
      await backend.close();
    });

    const start = (bgp: object = {}): Promise<TestNode> =>
      startTestNode({
        "dataPlane.l4": "userspace",
        "dataPlane.bind": "assign",
        "shutdown.withdrawWaitMs": WITHDRAW_WAIT_MS,
        vipPools: [
          { name: "v4", cidrs: [`${NETWORK}.0/24`] },
          { name: "v6", cidrs: [`${VIP_V6}/128`], bgp: { communities: ["64512:6"] } },
        ],
        bgp: {
          gobgp: daemon.url,
          asn: 64512,
          routerId: "192.0.2.1",
          listenPort: -1,
          peers: [{ address: "127.0.0.1", asn: 64500, port: router.port, connectRetryS: 1, holdTimeS: 9 }],
          nextHop: "192.0.2.1",
          nextHopV6: "2001:2::1",
          ...bgp,
        },
      });

    const declareVip = (vipAddress = VIP): Promise<Declared> =>
      declare(node.client, { vipAddress, backends: [{ address: backend.host, port: backend.port }], monitored: true });

    test("while they can be served, and takes them back within a second", async () => {
      node = await start({ whenAllDown: "withdraw", communities: ["64512:100"] });
      await declareVip();
      await declareVip(VIP_V6);
      await router.until(({ prefixes }) => prefixes.length === 2);
      // The node tells of itself a moment later than its router does.
      const { sessions } = await until(
        "the session is established",
        () => node.client.bgp.listSessions({}),
        ({ sessions: [session] }) => session?.state === "ESTABLISHED",
      );
      expect(sessions).toMatchObject([{ peer: "127.0.0.1", localAsn: 64512, peerAsn: 64500, problem: "" }]);
      const { routes } = await until(
        "both VIPs are announced",
        () => node.client.bgp.listRoutes({ node: sessions[0]?.node ?? "" }),
        (answer) => answer.routes.every(({ announced }) => announced),
      );
      expect(routes).toMatchObject([
        { vip: VIP, prefix: `${VIP}/32`, nextHop: "192.0.2.1", announced: true, reason: "" },
        { vip: VIP_V6, announced: true, communities: ["64512:6"] },
      ]);
      await expect(node.client.bgp.listRoutes({ node: "nobody" })).rejects.toMatchObject({ code: Code.NotFound });
      const metrics = await (await fetch(`${node.server.adminUrl}/metrics`)).text();
      expect(metrics).toContain('fiberlb_bgp_session_up{peer="127.0.0.1"} 1');
      expect(metrics).toContain("fiberlb_bgp_routes_announced 2");
      expect(router.route(`${VIP}/32`)).toMatchObject({ nextHop: "192.0.2.1", communities: ["64512:100"] });
      expect(router.route(`${VIP_V6}/128`)).toMatchObject({ nextHop: "2001:2::1", communities: ["64512:6"] });

      const { port } = backend;
      await backend.close();
      await router.until(({ prefixes }) => prefixes.length === 0);
      const lost = node.log.find(({ event }) => event === "backend is OFFLINE");
      const inMs = Math.round(
        performance.timeOrigin + (router.events.at(-1)?.atMs ?? 0) - Date.parse(String(lost?.["time"])),
      );
      process.stdout.write(`GoBGP ${version}: verdict to the router's withdrawal of both families: ${inMs} ms\n`);
      expect(inMs).toBeLessThan(1000);

      backend = await startWebServer("a", { host: "127.0.0.77", port });
      await router.until(({ prefixes }) => prefixes.length === 2);
    });

    test("that no node can serve any more, so that clients get an answer", async () => {
      node = await start();
      await declareVip();
      await router.until(({ prefixes }) => prefixes.length === 1);
      await backend.close();
      const { routes } = await until(
        "the VIP is announced though it can't be served",
        () => node.client.bgp.listRoutes({}),
        ({ routes: [route] }) => route?.reason.includes("announced so that clients get an answer") === true,
      );
      expect(routes).toMatchObject([{ vip: VIP, announced: true }]);
      expect(router.events.at(-1)?.kind).toBe("announce");
    });

    test("leaves in order: 65535:0, withdrawal, still serving, closed", async () => {
      node = await start();
      const { port } = await declareVip();
      await router.until(({ prefixes }) => prefixes.length === 1);
      const stopped = node.stop().then(() => performance.now());
      await router.until(({ events }) => events.at(-1)?.communities.includes("65535:0") === true);
      expect(await connects(VIP, port)).toBe(true);
      await router.until(({ prefixes }) => prefixes.length === 0);
      expect(await connects(VIP, port)).toBe(true);
      const [shutdown, withdrawn] = router.events.slice(-2);
      const endedAtMs = await stopped;
      expect((withdrawn?.atMs ?? 0) - (shutdown?.atMs ?? 0)).toBeGreaterThan(WITHDRAW_WAIT_MS * 0.9);
      expect(endedAtMs - (withdrawn?.atMs ?? 0)).toBeGreaterThan(WITHDRAW_WAIT_MS * 0.9);
      expect(await connects(VIP, port)).toBe(false);
    });
  });
});

function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
