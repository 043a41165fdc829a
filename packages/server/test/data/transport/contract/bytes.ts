import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { pattern } from "../peer.ts";
import { Recorder } from "../recorder.ts";
import { type CreateTransport, Rig, type Wire } from "./rig.ts";

/** More than the socket buffers of both ends together hold on loopback. */
const MORE_THAN_KERNEL_BYTES = 16 * 1024 * 1024;
/** What an engine may hold for one connection whose owner stops when told to. */
const BOUND_BYTES = 1024 * 1024;

/** Reading, writing and back-pressure. */
export function bytesContract(create: CreateTransport, wire: Wire): void {
  let rig: Rig;
  beforeEach(() => void (rig = new Rig(create, { wire })));
  afterEach(() => rig.close());

  describe.each(["accepted", "outgoing"] as const)("%s connection", (kind) => {
    it("carries bytes both ways", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      connection.write(Buffer.from("to the peer"));
      await peer.send("from the peer");
      await Promise.all([peer.receivedAtLeast(11), recorder.receivedAtLeast(13)]);
      expect(peer.received.toString()).toBe("to the peer");
      expect(recorder.received.toString()).toBe("from the peer");
      expect(connection.pendingBytes).toBe(0);
    });

    it("reads nothing while paused and everything after", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      const bytes = pattern(MORE_THAN_KERNEL_BYTES);
      connection.pause();
      const sent = peer.send(bytes);
      await rig.roundTrip();
      expect(recorder.receivedBytes).toBe(0);
      // What the engine does not read stays with the peer: it is TCP that holds it back.
      expect(peer.socket.writableLength).toBeGreaterThan(0);
      connection.resume();
      await Promise.all([sent, recorder.receivedAtLeast(bytes.length)]);
      expect(recorder.received.equals(bytes)).toBe(true);
    });

    it("stops in the middle of reading when paused in onData", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      const bytes = pattern(2 * 1024 * 1024);
      let paused = false;
      let readWhilePaused = false;
      recorder.react = (event) => {
        if (event !== "data") return;
        readWhilePaused ||= paused;
        paused = true;
        connection.pause();
        setImmediate(() => {
          paused = false;
          connection.resume();
        });
      };
      await peer.send(bytes);
      await recorder.receivedAtLeast(bytes.length);
      expect(readWhilePaused).toBe(false);
      expect(recorder.received.equals(bytes)).toBe(true);
    });

    it("holds back the end while paused and tells it after resume", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      connection.pause();
      await peer.send("last words");
      peer.socket.end();
      await rig.roundTrip();
      expect(recorder.events).not.toContain("end");
      connection.resume();
      await recorder.heard("end");
      expect(recorder.received.toString()).toBe("last words");
      expect(recorder.events.slice(-2)).toEqual(["data", "end"]);
    });

    it("holds back the end when paused on the last bytes", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      recorder.react = (event) => event === "data" && connection.pause();
      peer.socket.end("last words");
      await recorder.receivedAtLeast(10);
      await rig.roundTrip();
      expect(recorder.events).not.toContain("end");
      connection.resume();
      await recorder.heard("end");
      expect(recorder.received.toString()).toBe("last words");
    });

    it("tells the end once, however often it is paused and resumed around it", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      connection.pause();
      await peer.send("last words");
      peer.socket.end();
      await rig.roundTrip();
      // Now both are there, and are read at once.
      recorder.react = (event) => event === "data" && connection.pause();
      connection.resume();
      await recorder.receivedAtLeast(10);
      await rig.roundTrip();
      for (let i = 0; i < 3; i++) {
        connection.resume();
        connection.pause();
        connection.resume();
      }
      await recorder.heard("end");
      connection.pause();
      connection.resume();
      await rig.roundTrip();
      expect(recorder.events.filter((event) => event !== "connect")).toEqual(["data", "end"]);
    });

    it("says stop when the peer does not read, keeps little, and says when all has gone out", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      const bytes = pattern(65_536);
      let written = 0;
      let more = true;
      while (more) {
        more = connection.write(bytes);
        written += bytes.length;
        expect(written).toBeLessThan(MORE_THAN_KERNEL_BYTES);
      }
      expect(connection.pendingBytes).toBeGreaterThan(0);
      expect(connection.pendingBytes).toBeLessThanOrEqual(BOUND_BYTES);
      expect(recorder.events).not.toContain("drain");
      peer.read();
      await recorder.heard("drain");
      expect(connection.pendingBytes).toBe(0);
      await peer.receivedAtLeast(written);
      expect(peer.receivedBytes).toBe(written);
    });

    it("can write from onDrain until everything is through", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      const bytes = pattern(MORE_THAN_KERNEL_BYTES);
      let offset = 0;
      const writeOn = (): void => {
        let more = true;
        while (more && offset < bytes.length) {
          more = connection.write(bytes.subarray(offset, (offset += 50_000)));
        }
      };
      recorder.react = (event) => event === "drain" && writeOn();
      writeOn();
      expect(offset).toBeLessThan(bytes.length);
      await peer.receivedAtLeast(bytes.length);
      expect(peer.received.equals(bytes)).toBe(true);
    });
  });

  it("lets the caller reuse its memory as soon as write has returned", async () => {
    const chunkSizes = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 20, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(chunkSizes, fc.integer(), async (sizes, seed) => {
        const { connection, recorder, peer } = await rig.outgoing();
        const bytes = pattern(
          sizes.reduce((sum, size) => sum + size, 0),
          seed,
        );
        const reused = Buffer.alloc(200_000);
        let offset = 0;
        for (const size of sizes) {
          reused.set(bytes.subarray(offset, offset + size));
          connection.write(reused.subarray(0, size));
          reused.fill(0xee);
          offset += size;
        }
        connection.shutdown();
        await peer.end();
        expect(peer.received.equals(bytes)).toBe(true);
        connection.reset();
        await recorder.heard("close");
      }),
      { numRuns: 10 },
    );
  });

  it("forwards the view of onData unspoilt to a slow reader and to a fast one, with other connections reading", async () => {
    const [slow, fast, source] = [await rig.outgoing(), await rig.outgoing(), await rig.accepted()];
    const noise = await rig.accepted();
    const bytes = pattern(MORE_THAN_KERNEL_BYTES);
    let slowIsFull = false;
    const stalled = Promise.withResolvers<void>();
    source.recorder.react = (event, _connection, view) => {
      if (event !== "data") return;
      fast.connection.write(view!);
      slowIsFull = !slow.connection.write(view!);
      if (!slowIsFull) return;
      source.connection.pause();
      stalled.resolve();
    };
    slow.recorder.react = (event) => event === "drain" && source.connection.resume();
    fast.peer.read();
    void source.peer.send(bytes);
    await stalled.promise;
    await noise.peer.send(pattern(1_000_000, 99));
    await noise.recorder.receivedAtLeast(1_000_000);
    await Promise.all([slow.peer.receivedAtLeast(bytes.length), fast.peer.receivedAtLeast(bytes.length)]);
    expect(slow.peer.received.equals(bytes)).toBe(true);
    expect(fast.peer.received.equals(bytes)).toBe(true);
  });

  it("keeps many connections apart", async () => {
    const listening = await rig.listen(
      (connection) =>
        void (connection.handlers = {
          onData: (to, bytes) => void to.write(bytes),
          onEnd: (to) => to.shutdown(),
          onDrain: () => undefined,
          onClose: () => undefined,
        }),
    );
    const echoes = Array.from({ length: 200 }, async (_, index) => {
      const { connection, recorder } = rig.connect(listening);
      const bytes = pattern(10_000, index + 1);
      connection.write(bytes);
      connection.shutdown();
      await recorder.heard("close");
      expect(recorder.events).toEqual(["connect", "data", "end", "close"]);
      expect(recorder.received.equals(bytes)).toBe(true);
    });
    await Promise.all(echoes);
  });

  it("lets the owner change the handlers of a connection that stands", async () => {
    const { connection, recorder, peer } = await rig.accepted();
    await peer.send("first");
    await recorder.receivedAtLeast(5);
    const second = new Recorder();
    connection.handlers = second;
    await peer.send("second");
    await second.receivedAtLeast(6);
    expect(recorder.received.toString()).toBe("first");
    expect(second.received.toString()).toBe("second");
  });
}
