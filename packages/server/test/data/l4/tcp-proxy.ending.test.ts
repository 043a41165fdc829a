import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";

import { pattern } from "../transport/peer.ts";
import { ProxyRig } from "./proxy-rig.ts";

// One of these moves megabytes, on machines that do other things besides.
jest.setTimeout(30_000);

let rig: ProxyRig;
beforeEach(() => void (rig = new ProxyRig({ clientIdleTimeoutMs: 1600 })));
afterEach(() => rig.close());

describe("the idle timeout", () => {
  it("ends a silent connection in order, on both sides", async () => {
    const { client, backend } = await rig.joined();
    await rig.roundTrip({ client, backend });
    rig.clock.advance(1600);
    await rig.roundTrip({ client, backend });
    rig.clock.advance(1800);
    await Promise.all([client.end(), backend.end(), rig.ended()]);
    expect([client.errorCode, backend.errorCode]).toEqual([undefined, undefined]);
    expect(rig.balancer.log).toEqual(["backend connected", "backend released"]);
  });

  it.each(["client", "backend"] as const)("counts bytes of the %s alone as life", async (side) => {
    const joined = await rig.joined();
    await rig.roundTrip(joined);
    const other = side === "client" ? joined.backend : joined.client;
    for (let i = 0; i < 5; i += 1) {
      const before = other.receivedBytes;
      await joined[side].send(".");
      await other.receivedAtLeast(before + 1);
      rig.clock.advance(1500);
    }
    await rig.roundTrip(joined);
    expect(rig.account.closed).toBe(0);
  });

  it("follows the configuration for connections that stand", async () => {
    const joined = await rig.joined();
    await rig.roundTrip(joined);
    rig.update({ clientIdleTimeoutMs: 0 });
    rig.clock.advance(1_000_000);
    await rig.roundTrip(joined);
    rig.update({ clientIdleTimeoutMs: 160 });
    rig.clock.advance(180);
    await Promise.all([joined.client.end(), rig.ended()]);
  });

  it("resets a connection whose peer does not take what it was sent", async () => {
    const { client, backend } = await rig.joined();
    await rig.roundTrip({ client, backend });
    client.socket.pause();
    backend.socket.write(pattern(24 * 1024 * 1024));
    const other = await rig.joined();
    for (let i = 0; i < 20; i += 1) await rig.roundTrip(other);
    rig.clock.advance(1800);
    rig.clock.advance(1800);
    await Promise.all([client.read().closed, rig.ended(2)]);
    expect(client.errorCode).toBe("ECONNRESET");
  });

  it("leaves no timer behind when the last connection has gone", async () => {
    const { client } = await rig.joined();
    client.socket.resetAndDestroy();
    await rig.ended();
    rig.clock.advance(10_000);
    expect(rig.clock.pending).toBe(0);
  });
});

describe("a revoked lease", () => {
  it.each(["drain-timeout", "backend-down", "shutdown"] as const)("(%s) resets both sides", async (reason) => {
    const { client, backend } = await rig.joined();
    await rig.roundTrip({ client, backend });
    rig.balancer.revoke(reason);
    await Promise.all([client.closed, backend.closed, rig.ended()]);
    expect([client.errorCode, backend.errorCode]).toEqual(["ECONNRESET", "ECONNRESET"]);
    expect([client.ended, backend.ended]).toEqual([false, false]);
    expect(rig.balancer.log).toEqual(["backend connected", "backend released"]);
  });

  it("gives a connection that still waits for the backend to another", async () => {
    await rig.backend("leaving");
    const server = await rig.backend("staying");
    rig.onConnecting = (attempt) => attempt === 1 && rig.balancer.revoke("backend-down");
    const client = await rig.client();
    await rig.roundTrip({ client, backend: await server.next() });
    expect(rig.balancer.log).toEqual(["leaving released", "staying connected"]);
    expect(rig.account.rejected).toEqual([]);
  });

  it("is not heard any more once the connection has ended", async () => {
    const { client } = await rig.joined();
    client.socket.resetAndDestroy();
    await rig.ended();
    rig.balancer.revoke("backend-down");
    await rig.roundTrip(await rig.joined());
    expect(rig.account.closed).toBe(1);
  });
});

describe("closeAll", () => {
  it("resets every connection and gives every place back", async () => {
    const pairs = [await rig.joined(), await rig.joined(), await rig.joined()];
    for (const pair of pairs) await rig.roundTrip(pair);
    expect(rig.proxy.active).toBe(3);
    rig.proxy.closeAll("shutdown");
    await Promise.all([rig.ended(3), ...pairs.flatMap(({ client, backend }) => [client.closed, backend.closed])]);
    expect(pairs.map(({ client }) => client.errorCode)).toEqual(["ECONNRESET", "ECONNRESET", "ECONNRESET"]);
    expect(rig.proxy.active).toBe(0);
    expect(rig.balancer.log.filter((line) => line.endsWith("released"))).toHaveLength(3);
  });

  it("ends a connection that still waits for its backend, without blaming the backend", async () => {
    await rig.backend("first");
    await rig.backend("second");
    rig.onConnecting = () => rig.proxy.closeAll("shutdown");
    // The reset may be quicker than the client's own connect.
    const client = await rig.client().catch(() => undefined);
    await Promise.all([client?.read().closed, rig.ended()]);
    expect(rig.balancer.log).toEqual(["first released"]);
    expect(rig.proxy.active).toBe(0);
  });
});
