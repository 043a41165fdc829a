import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { pattern } from "../peer.ts";
import { type CreateTransport, Rig, type Wire } from "./rig.ts";

/** FIN, close and reset, from either side. */
export function endingContract(create: CreateTransport, wire: Wire): void {
  let rig: Rig;
  beforeEach(() => void (rig = new Rig(create, { wire })));
  afterEach(() => rig.close());

  describe.each(["accepted", "outgoing"] as const)("%s connection", (kind) => {
    it("can still write after the peer has ended", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      peer.socket.end("question");
      await recorder.heard("end");
      connection.write(Buffer.from("answer"));
      await peer.receivedAtLeast(6);
      expect(recorder.closed).toBe(false);
      connection.shutdown();
      await Promise.all([peer.end(), recorder.heard("close")]);
      expect(recorder.error).toBeUndefined();
      expect(recorder.events.filter((event) => event !== "connect")).toEqual(["data", "end", "close"]);
      expect(peer.received.toString()).toBe("answer");
      expect(peer.errorCode).toBeUndefined();
    });

    it("can still read after it has ended", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      connection.shutdown();
      connection.shutdown();
      await peer.end();
      await peer.send("answer");
      await recorder.receivedAtLeast(6);
      expect(recorder.closed).toBe(false);
      peer.socket.end();
      await recorder.heard("close");
      expect(recorder.error).toBeUndefined();
      expect(recorder.events.filter((event) => event !== "connect")).toEqual(["data", "end", "close"]);
    });

    it("sends FIN only after everything written", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      const bytes = pattern(8 * 1024 * 1024);
      connection.write(bytes);
      connection.shutdown();
      connection.write(Buffer.from("too late"));
      await peer.end();
      expect(peer.received.equals(bytes)).toBe(true);
      peer.socket.end();
      await recorder.heard("close");
      expect(recorder.error).toBeUndefined();
    });

    it("ends in order when both sides end at once with bytes on the way", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      const bytes = pattern(4 * 1024 * 1024);
      connection.write(bytes);
      connection.shutdown();
      peer.socket.end(bytes);
      await Promise.all([peer.end(), recorder.heard("close")]);
      expect(recorder.error).toBeUndefined();
      expect(recorder.received.equals(bytes)).toBe(true);
      expect(peer.received.equals(bytes)).toBe(true);
    });

    it("close sends everything written first", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      const bytes = pattern(8 * 1024 * 1024);
      connection.write(bytes);
      connection.close();
      connection.close();
      await Promise.all([peer.end(), recorder.heard("close")]);
      expect(peer.received.equals(bytes)).toBe(true);
      expect(peer.errorCode).toBeUndefined();
      expect(recorder.error).toBeUndefined();
    });

    it.each(["close", "reset"] as const)("calls nothing but onClose after %s", async (how) => {
      const { connection, recorder, peer } = await rig[kind]();
      peer.socket.end("unheard");
      const before = [...recorder.events];
      connection[how]();
      expect(recorder.events).toEqual(before);
      await recorder.heard("close");
      await rig.roundTrip();
      expect(recorder.events).toEqual([...before, "close"]);
      expect(recorder.error).toBeUndefined();
    });

    it("reset drops what is unsent and resets the peer", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      connection.write(pattern(16 * 1024 * 1024));
      connection.reset();
      await recorder.heard("close");
      peer.read();
      await peer.closed;
      expect(peer.errorCode).toBe("ECONNRESET");
      expect(peer.ended).toBe(false);
      expect(recorder.error).toBeUndefined();
      expect(connection.pendingBytes).toBe(0);
    });

    it("can be reset right after it has ended", async () => {
      const { connection, recorder } = await rig[kind]();
      connection.shutdown();
      connection.reset();
      await recorder.heard("close");
      await rig.roundTrip();
      expect(recorder.events.filter((event) => event === "close")).toHaveLength(1);
    });

    it("tells a reset of the peer from an end", async () => {
      const { recorder, peer } = await rig[kind]();
      peer.reset();
      await recorder.heard("close");
      expect(recorder.events).not.toContain("end");
      expect(recorder.error).toMatchObject({ name: "TransportError", code: "ECONNRESET" });
    });

    it("finds out by writing that the peer is gone", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      connection.pause();
      peer.reset();
      await peer.closed;
      await rig.roundTrip();
      connection.write(Buffer.from("anybody there?"));
      connection.resume();
      await recorder.heard("close");
      expect(["ECONNRESET", "EPIPE"]).toContain(recorder.error?.code);
    });

    it("does nothing when used after onClose", async () => {
      const { connection, recorder, peer } = await rig[kind]();
      peer.reset();
      await recorder.heard("close");
      const events = [...recorder.events];
      expect(connection.write(Buffer.from("x"))).toBe(true);
      connection.pause();
      connection.resume();
      connection.shutdown();
      connection.close();
      connection.reset();
      expect(connection.pendingBytes).toBe(0);
      expect(connection.remoteAddress).not.toBe("");
      await rig.roundTrip();
      expect(recorder.events).toEqual(events);
    });
  });

  it("can reset a connection at once, in onConnection", async () => {
    const listening = await rig.listen((connection) => connection.reset());
    const outcomes = Array.from({ length: 20 }, async () => {
      try {
        const peer = await rig.peer(listening);
        await peer.read().closed;
        return peer.errorCode;
      } catch (error) {
        // The reset may be quicker than the peer's own connect.
        return (error as NodeJS.ErrnoException).code;
      }
    });
    expect(new Set(await Promise.all(outcomes))).toEqual(new Set(["ECONNRESET"]));
  });
}
