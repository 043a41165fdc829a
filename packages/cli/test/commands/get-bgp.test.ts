import { create } from "@bufbuild/protobuf";
import { type BgpRoute, BgpRouteSchema, type BgpSession, BgpSessionSchema } from "@fiberlb/api";
import { beforeEach, describe, expect, it } from "@jest/globals";

import { FakeWorld } from "../fake-io.ts";

let world: FakeWorld;
let shown: string;
let sessions: BgpSession[];
let routes: BgpRoute[];

beforeEach(() => {
  shown = "";
  world = new FakeWorld({ stdout: { write: (text) => void (shown += text) } });
  ({ sessions, routes } = world.server.bgp);
});

function haveBgp(): void {
  const session = { node: "lb-1", peer: "10.0.0.254", localAsn: 64512, peerAsn: 64500 };
  sessions.push(
    create(BgpSessionSchema, { ...session, state: "ESTABLISHED", routesAdvertised: 2n }),
    create(BgpSessionSchema, { node: "lb-2", localAsn: 64512, problem: "Cannot reach GoBGP" }),
  );
  const route = { node: "lb-1", nextHop: "10.0.0.1", loadBalancerId: "lb" };
  routes.push(
    create(BgpRouteSchema, {
      ...route,
      vip: "203.0.113.10",
      prefix: "203.0.113.0/24",
      communities: ["64512:1"],
      announced: true,
    }),
    create(BgpRouteSchema, { ...route, vip: "203.0.113.11", prefix: "203.0.113.11/32", reason: "node draining" }),
  );
}

describe("get bgp", () => {
  it("shows sessions, then VIPs with why they are not announced", async () => {
    haveBgp();
    expect((await world.run("get", "bgp")).code).toBe(0);
    expect(shown.split("\n").map((line) => line.trimEnd())).toEqual([
      "NODE  PEER        LOCAL AS  PEER AS  STATE        SINCE  ROUTES  PROBLEM",
      "lb-1  10.0.0.254  64512     64500    ESTABLISHED  -      2",
      "lb-2  -           64512     -        -            -      0       Cannot reach GoBGP",
      "",
      "NODE  VIP           PREFIX           NEXT HOP  COMMUNITIES  ANNOUNCED  REASON",
      "lb-1  203.0.113.10  203.0.113.0/24   10.0.0.1  64512:1      yes",
      "lb-1  203.0.113.11  203.0.113.11/32  10.0.0.1  -            no         node draining",
      "",
    ]);
  });

  it("shows one node", async () => {
    haveBgp();
    await world.run("get", "bgp", "lb-2");
    expect(shown).toContain("lb-2");
    expect(shown).not.toContain("lb-1");
  });

  it("gives both lists as JSON", async () => {
    haveBgp();
    await world.run("get", "bgp", "-o", "json");
    const answer = JSON.parse(shown) as { sessions: object[]; routes: object[] };
    expect(answer.sessions[1]).toMatchObject({ node: "lb-2", peer: "", problem: "Cannot reach GoBGP" });
    expect(answer.routes[1]).toMatchObject({ vip: "203.0.113.11", announced: false, reason: "node draining" });
  });

  it("says so when nobody speaks BGP", async () => {
    await world.run("get", "bgp");
    expect(shown).toBe("no node speaks BGP: its configuration has no section bgp\n");
  });

  it("is all that can be done with it", async () => {
    const { code, stderr } = await world.run("describe", "bgp", "lb-1");
    expect(code).toBe(2);
    expect(stderr).toContain("`fiberlb get bgp` only");
  });
});
