import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";

import { pattern } from "../transport/peer.ts";
import { ProxyRig } from "./proxy-rig.ts";

/** More than all socket buffers on the way hold. */
const BULK_BYTES = 24 * 1024 * 1024;

// Megabytes move here, on machines that do other things besides.
jest.setTimeout(30_000);

let rig: ProxyRig;
beforeEach(() => void (rig = new ProxyRig()));
afterEach(() => rig.close());

describe("bytes", () => {
  it("go both ways and are counted for the listener and the backend", async () => {
    const { client, backend } = await rig.joined();
    await client.send("request");
    await backend.receivedAtLeast(7);
    await backend.send("the response");
    await client.receivedAtLeast(12);
    expect(backend.received.toString()).toBe("request");
    expect(client.received.toString()).toBe("the response");
    expect([rig.account.bytesIn, rig.account.bytesOut]).toEqual([7, 12]);
    expect(rig.balancer.bytes).toEqual({ in: 7, out: 12 });
  });

  it("may come from the backend first", async () => {
    const { client, backend } = await rig.joined();
    await backend.send("220 ready");
    await client.receivedAtLeast(9);
    expect(client.received.toString()).toBe("220 ready");
  });

  it("that a client sends before its backend is connected arrive", async () => {
    const server = await rig.backend();
    const client = await rig.client();
    await client.send("early");
    client.socket.end();
    const backend = await server.next();
    await backend.end();
    expect(backend.received.toString()).toBe("early");
  });

  it("are held back by TCP, not by memory, when the client is slow", async () => {
    const { client, backend } = await rig.joined();
    const bytes = pattern(BULK_BYTES);
    const sent = backend.send(bytes);
    await otherTraffic();
    expect(rig.account.bytesOut).toBeLessThan(BULK_BYTES);
    expect(backend.socket.writableLength).toBeGreaterThan(0);
    await Promise.all([sent, client.receivedAtLeast(BULK_BYTES)]);
    expect(client.received.equals(bytes)).toBe(true);
  });

  it("are held back by TCP, not by memory, when the backend is slow", async () => {
    const { client, backend } = await rig.joined();
    const bytes = pattern(BULK_BYTES);
    const sent = client.send(bytes);
    await otherTraffic();
    expect(rig.account.bytesIn).toBeLessThan(BULK_BYTES);
    expect(client.socket.writableLength).toBeGreaterThan(0);
    await Promise.all([sent, backend.receivedAtLeast(BULK_BYTES)]);
    expect(backend.received.equals(bytes)).toBe(true);
  });

  it("in bulk both ways at once with FIN behind them arrive whole", async () => {
    const { client, backend } = await rig.joined();
    const [up, down] = [pattern(BULK_BYTES, 7), pattern(BULK_BYTES, 8)];
    client.socket.end(up);
    backend.socket.end(down);
    await Promise.all([client.end(), backend.end(), rig.ended()]);
    expect(backend.received.equals(up)).toBe(true);
    expect(client.received.equals(down)).toBe(true);
    expect([client.errorCode, backend.errorCode]).toEqual([undefined, undefined]);
    expect([rig.account.bytesIn, rig.account.bytesOut]).toEqual([BULK_BYTES, BULK_BYTES]);
  });
});

describe("half-close", () => {
  it("of the client reaches the backend, which may go on answering", async () => {
    const { client, backend } = await rig.joined();
    client.socket.end("request");
    await backend.end();
    expect(backend.received.toString()).toBe("request");
    await backend.send("first");
    await client.receivedAtLeast(5);
    backend.socket.end("second");
    await Promise.all([client.end(), rig.ended()]);
    expect(client.received.toString()).toBe("firstsecond");
    expect(client.errorCode).toBeUndefined();
  });

  it("of the backend reaches the client, which may go on sending", async () => {
    const { client, backend } = await rig.joined();
    backend.socket.end("banner");
    await client.end();
    expect(client.received.toString()).toBe("banner");
    await client.send("first");
    await backend.receivedAtLeast(5);
    client.socket.end("second");
    await Promise.all([backend.end(), rig.ended()]);
    expect(backend.received.toString()).toBe("firstsecond");
    expect(backend.errorCode).toBeUndefined();
  });

  it("from both sides ends the connection once, with nothing left", async () => {
    const { client, backend } = await rig.joined();
    client.socket.end();
    backend.socket.end();
    await Promise.all([client.end(), backend.end(), rig.ended()]);
    expect(rig.proxy.active).toBe(0);
    expect(rig.balancer.log).toEqual(["backend connected", "backend released"]);
    expect([rig.account.opened, rig.account.closed]).toEqual([1, 1]);
    // With nobody to watch no timer is left either.
    expect(rig.clock.pending).toBeLessThanOrEqual(1);
  });
});

describe("a reset", () => {
  it("of the backend resets the client", async () => {
    const { client, backend } = await rig.joined();
    await rig.roundTrip({ client, backend });
    backend.socket.resetAndDestroy();
    await Promise.all([client.closed, rig.ended()]);
    expect(client.errorCode).toBe("ECONNRESET");
    expect(client.ended).toBe(false);
    expect(rig.balancer.log).toEqual(["backend connected", "backend released"]);
  });

  it("of the client resets the backend", async () => {
    const { client, backend } = await rig.joined();
    await rig.roundTrip({ client, backend });
    client.socket.resetAndDestroy();
    await Promise.all([backend.closed, rig.ended()]);
    expect(backend.errorCode).toBe("ECONNRESET");
    expect(backend.ended).toBe(false);
    expect(rig.balancer.log).toEqual(["backend connected", "backend released"]);
  });
});

/** Round trips of other connections through the same proxy, so that everything under way has had its turns. */
async function otherTraffic(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await rig.roundTrip(await rig.joined());
}
