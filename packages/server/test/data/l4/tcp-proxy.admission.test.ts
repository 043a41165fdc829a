import { afterEach, describe, expect, it } from "@jest/globals";

import { closedPort, type Peer } from "../transport/peer.ts";
import { ProxyRig } from "./proxy-rig.ts";

let rig: ProxyRig;
afterEach(() => rig.close());

/** The client has been turned away with a reset. */
async function expectReset(client: Peer): Promise<void> {
  await client.read().closed;
  expect(client.errorCode).toBe("ECONNRESET");
}

/** A client of a listener that turns it away: connecting may fail already. */
async function turnedAway(): Promise<void> {
  const client = await rig.client().catch((error: NodeJS.ErrnoException) => error);
  if (client instanceof Error) expect(client.code).toBe("ECONNRESET");
  else await expectReset(client);
}

describe("allowed CIDRs", () => {
  it("turn others away before a backend is asked for, until the configuration changes", async () => {
    rig = new ProxyRig({ allowedCidrs: ["203.0.113.0/24", "2001:db8::/32"] });
    await turnedAway();
    expect(rig.account.rejected).toEqual(["acl"]);
    expect(rig.account.opened).toBe(0);
    expect(rig.balancer.flows).toEqual([]);
    rig.update({ allowedCidrs: ["203.0.113.0/24", "127.0.0.0/8"] });
    await rig.roundTrip(await rig.joined());
    expect(rig.account.rejected).toEqual(["acl"]);
  });

  it("leave connections alone that were there before", async () => {
    rig = new ProxyRig();
    const joined = await rig.joined();
    rig.update({ allowedCidrs: ["203.0.113.0/24"] });
    await turnedAway();
    await rig.roundTrip(joined);
  });
});

describe("the connection limit", () => {
  it("turns away what is over it and lets the next in when one has gone", async () => {
    rig = new ProxyRig({ connectionLimit: 1 });
    const first = await rig.joined();
    await turnedAway();
    expect(rig.account.rejected).toEqual(["connection-limit"]);
    await rig.roundTrip(first);
    first.client.socket.resetAndDestroy();
    await rig.ended();
    await rig.roundTrip(await rig.joined());
    expect(rig.account.opened).toBe(2);
  });

  it("follows the configuration at once", async () => {
    rig = new ProxyRig({ connectionLimit: 1 });
    const first = await rig.joined();
    rig.update({ connectionLimit: 2 });
    await rig.roundTrip(await rig.joined());
    await rig.roundTrip(first);
    expect(rig.account.rejected).toEqual([]);
  });
});

describe("without a backend", () => {
  it("a listener without a pool resets", async () => {
    rig = new ProxyRig();
    rig.pool = undefined;
    await turnedAway();
    expect(rig.account.rejected).toEqual(["no-pool"]);
    expect(rig.account.opened).toBe(0);
  });

  it.each([
    ["no-backend", "no-backend"],
    ["no-healthy-backend", "no-backend"],
    ["backend-limit", "backend-limit"],
  ] as const)("%s resets and is counted as %s", async (refusal, reason) => {
    rig = new ProxyRig();
    rig.balancer.refusal = refusal;
    await turnedAway();
    await rig.ended();
    expect(rig.account.rejected).toEqual([reason]);
    expect(rig.proxy.active).toBe(0);
  });
});

describe("connecting", () => {
  it("tells the balancer whose flow it is", async () => {
    rig = new ProxyRig();
    const { client } = await rig.joined();
    expect(rig.balancer.flows).toEqual([
      { clientAddress: "127.0.0.1", clientPort: client.socket.localPort, vip: "192.0.2.80", vipPort: 443 },
    ]);
  });

  it("goes on to the next backend when one refuses", async () => {
    rig = new ProxyRig();
    rig.balancer.add("dead", await closedPort());
    const server = await rig.backend("alive");
    const client = await rig.client();
    const backend = await server.next();
    await rig.roundTrip({ client, backend });
    expect(rig.balancer.log).toEqual(["dead failed", "dead released", "alive connected"]);
    expect(rig.account.rejected).toEqual([]);
  });

  it("goes on to the next backend when one does not answer in time", async () => {
    rig = new ProxyRig({ backendConnectTimeoutMs: 700 });
    await rig.backend("silent");
    const server = await rig.backend("alive");
    rig.onConnecting = (attempt) => attempt === 1 && rig.clock.advance(700);
    const client = await rig.client();
    await rig.roundTrip({ client, backend: await server.next() });
    expect(rig.balancer.log).toEqual(["silent failed", "silent released", "alive connected"]);
  });

  it("passes over a backend whose address is not known yet", async () => {
    rig = new ProxyRig();
    rig.balancer.add("unresolved", 80);
    const { address: _unknown, ...unresolved } = rig.balancer.backends[0]!;
    rig.balancer.backends[0] = unresolved;
    const server = await rig.backend("alive");
    const client = await rig.client();
    await rig.roundTrip({ client, backend: await server.next() });
    expect(rig.balancer.log).toEqual(["unresolved released", "alive connected"]);
  });

  it("gives up after three backends", async () => {
    rig = new ProxyRig();
    const port = await closedPort();
    for (const id of ["a", "b", "c", "d"]) rig.balancer.add(id, port);
    await turnedAway();
    await rig.ended();
    expect(rig.balancer.log).toEqual(["a", "b", "c"].flatMap((id) => [`${id} failed`, `${id} released`]));
    expect(rig.account.rejected).toEqual(["connect-failed"]);
    expect([rig.account.opened, rig.account.closed]).toEqual([1, 1]);
  });

  it("says that connecting failed when no other backend is left", async () => {
    rig = new ProxyRig();
    rig.balancer.add("dead", await closedPort());
    await turnedAway();
    await rig.ended();
    expect(rig.account.rejected).toEqual(["connect-failed"]);
    expect(rig.balancer.log).toEqual(["dead failed", "dead released"]);
  });
});
