import { networkInterfaces } from "node:os";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import type { Connection } from "../../../../src/data/transport/transport.ts";
import { FakeClock } from "../../../fake-clock.ts";
import { closedPort } from "../peer.ts";
import { Recorder } from "../recorder.ts";
import { type CreateTransport, Rig } from "./rig.ts";

const hasIpv6Loopback = Object.values(networkInterfaces())
  .flat()
  .some((entry) => entry?.address === "::1");
const whereIpv6 = hasIpv6Loopback ? it : it.skip;

/** Listening, accepting and connecting. */
export function openingContract(create: CreateTransport): void {
  let rig: Rig;
  beforeEach(() => void (rig = new Rig(create)));
  afterEach(() => rig.close());

  describe("listen", () => {
    it("hands over accepted connections with the addresses of both ends", async () => {
      const { connection, peer } = await rig.accepted();
      expect(connection.remoteAddress).toBe("127.0.0.1");
      expect(connection.remotePort).toBe(peer.socket.localPort);
      expect(connection.localAddress).toBe("127.0.0.1");
      expect(connection.localPort).toBe(peer.socket.remotePort);
    });

    it("names the address, the reason and the way out when the port is taken", async () => {
      const { port } = await rig.server();
      await expect(rig.listen(() => undefined, { port })).rejects.toMatchObject({
        name: "TransportError",
        code: "EADDRINUSE",
        message: `Cannot listen on 127.0.0.1:${port}: another process listens there; stop it or choose another port (EADDRINUSE)`,
      });
    });

    it("names the address, the reason and the way out when the address is not here", async () => {
      await expect(rig.listen(() => undefined, { address: "192.0.2.1" })).rejects.toMatchObject({
        code: "EADDRNOTAVAIL",
        message:
          "Cannot listen on 192.0.2.1:0: the address is not on this host; add it to an interface (EADDRNOTAVAIL)",
      });
    });

    it("shares a port between sockets opened with reusePort", async () => {
      const accepted = { first: 0, second: 0 };
      const all = Promise.withResolvers<void>();
      const count = (by: keyof typeof accepted): void => {
        accepted[by] += 1;
        if (accepted.first + accepted.second === 64) all.resolve();
      };
      const { address, port } = await rig.listen(() => count("first"), { reusePort: true });
      await rig.listen(() => count("second"), { reusePort: true, port });
      await Promise.all(Array.from({ length: 64 }, () => rig.peer({ address, port })));
      await all.promise;
      expect(accepted.first).toBeGreaterThan(0);
      expect(accepted.second).toBeGreaterThan(0);
    });

    it("frees the port on close and leaves accepted connections alone", async () => {
      const recorder = new Recorder();
      const listening = await rig.listen((connection) => void (connection.handlers = recorder));
      const peer = await rig.peer(listening);
      await peer.send("before");
      await recorder.receivedAtLeast(6);
      await listening.close();
      await listening.close();
      const again = await rig.listen(() => undefined, { port: listening.port });
      expect(again.port).toBe(listening.port);
      await peer.send(" after");
      await recorder.receivedAtLeast(12);
      expect(recorder.received.toString()).toBe("before after");
    });

    whereIpv6("serves IPv6", async () => {
      const recorder = new Recorder();
      const listening = await rig.listen((connection) => void (connection.handlers = recorder), { address: "::1" });
      const { connection, recorder: client } = rig.connect({ address: "::1", port: listening.port });
      await client.heard("connect");
      connection.write(Buffer.from("six"));
      await recorder.receivedAtLeast(3);
      expect(connection.remoteAddress).toBe("::1");
      expect(connection.localAddress).toBe("::1");
    });

    whereIpv6("shows an IPv4 client of an IPv6 socket by its IPv4 address", async () => {
      const arrived = Promise.withResolvers<Connection>();
      const listening = await rig.listen(arrived.resolve, { address: "::" });
      await rig.peer({ address: "127.0.0.1", port: listening.port });
      expect((await arrived.promise).remoteAddress).toBe("127.0.0.1");
    });
  });

  describe("connect", () => {
    it("reports the connection once, after the call has returned", async () => {
      const server = await rig.server();
      const recorder = new Recorder();
      const connection = rig.transport.connect({ ...at(server), timeoutMs: 10_000 }, recorder);
      expect(recorder.events).toEqual([]);
      const peer = await server.next();
      await recorder.heard("connect");
      expect(recorder.events).toEqual(["connect"]);
      expect([connection.remoteAddress, connection.remotePort]).toEqual([server.address, server.port]);
      expect(connection.localPort).toBe(peer.socket.remotePort);
      connection.reset();
      await recorder.heard("close");
    });

    it("sends what was written before the connection stood, in order", async () => {
      const server = await rig.server();
      const { connection, recorder } = rig.connect(server);
      connection.write(Buffer.from("one "));
      connection.write(Buffer.from("two "));
      expect(connection.pendingBytes).toBe(8);
      recorder.react = (event) => event === "connect" && connection.write(Buffer.from("three"));
      const peer = await server.next();
      await peer.receivedAtLeast(13);
      expect(peer.received.toString()).toBe("one two three");
    });

    it("says who refused", async () => {
      const port = await closedPort();
      const { recorder } = rig.connect({ address: "127.0.0.1", port });
      await recorder.heard("close");
      expect(recorder.events).toEqual(["close"]);
      expect(recorder.error).toMatchObject({ name: "TransportError", code: "ECONNREFUSED" });
      expect(recorder.error?.message).toContain(`Cannot connect to 127.0.0.1:${port}: `);
    });

    it("reports an unreachable address later, although the system says so at once", async () => {
      // TCP to a multicast address has no route on any system.
      const { recorder } = rig.connect({ address: "224.0.0.1", port: 80 });
      expect(recorder.events).toEqual([]);
      await recorder.heard("close");
      expect(recorder.events).toEqual(["close"]);
      expect(["ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL"]).toContain(recorder.error?.code);
    });

    it("gives up after the timeout", async () => {
      const clock = new FakeClock();
      const timed = new Rig(create, { clock });
      const server = await timed.server();
      const slow = timed.connect(server, 5000);
      const quick = timed.connect(server, 1000);
      const stands = timed.connect(server, 1000);
      stands.recorder.react = () => undefined;
      // Nothing is heard of a connection until the event loop turns: all three are still on their way.
      clock.advance(999);
      clock.advance(1);
      slow.connection.close();
      await Promise.all([quick.recorder.heard("close"), stands.recorder.heard("close"), slow.recorder.heard("close")]);
      expect(quick.recorder.events).toEqual(["close"]);
      expect(quick.recorder.error).toMatchObject({
        code: "ETIMEDOUT",
        message: `Cannot connect to 127.0.0.1:${server.port}: no answer within 1000 ms (ETIMEDOUT)`,
      });
      expect(slow.recorder.error).toBeUndefined();
      await timed.close();
    });

    it("forgets the timeout of a connection that stands", async () => {
      const clock = new FakeClock();
      const timed = new Rig(create, { clock });
      const { connection, recorder, peer } = await timed.outgoing();
      clock.advance(3_600_000);
      connection.write(Buffer.from("still here"));
      await peer.receivedAtLeast(10);
      expect(recorder.events).toEqual(["connect"]);
      await timed.close();
    });

    it.each(["close", "reset"] as const)("%s before the connection stands ends it without an error", async (how) => {
      const { connection, recorder } = rig.connect(await rig.server());
      connection[how]();
      expect(recorder.events).toEqual([]);
      await recorder.heard("close");
      await rig.roundTrip();
      expect(recorder.events).toEqual(["close"]);
      expect(recorder.error).toBeUndefined();
    });
  });
}

function at({ address, port }: { readonly address: string; readonly port: number }): { address: string; port: number } {
  return { address, port };
}
