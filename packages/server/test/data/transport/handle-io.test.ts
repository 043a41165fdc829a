import { describe, expect, it } from "@jest/globals";

import type { ConnectDeadlines } from "../../../src/data/transport/connect-deadlines.ts";
import { HandleIo } from "../../../src/data/transport/handle-io.ts";
import type { TcpBinding } from "../../../src/data/transport/tcp-binding.ts";

const createIo = (): HandleIo => new HandleIo({} as TcpBinding, {} as ConnectDeadlines);
const bytes = (length: number, fill: number): Uint8Array => new Uint8Array(length).fill(fill);

describe("staging", () => {
  it.each([1, 2048, 2049, 8192, 32_768, 65_536, 65_537])("keeps %i bytes that are being sent as they are", (length) => {
    const io = createIo();
    const sent = io.stage(bytes(length, 1));
    io.giveAwayStaged(sent);
    io.stage(bytes(length, 2));
    expect(sent.equals(bytes(length, 1))).toBe(true);
  });

  it("gives away little more than what is being sent", () => {
    const io = createIo();
    expect(io.stage(bytes(100, 1)).buffer.byteLength).toBe(2048);
    expect(io.stage(bytes(20_000, 1)).buffer.byteLength).toBe(32_768);
  });

  it("takes memory back for the next that is given away, once", () => {
    const io = createIo();
    const sent = io.stage(bytes(100, 1));
    io.giveAwayStaged(sent);
    io.takeBack(sent);
    const second = io.stage(bytes(100, 2));
    io.giveAwayStaged(second);
    const third = io.stage(bytes(100, 3));
    io.giveAwayStaged(third);
    const fourth = io.stage(bytes(100, 4));
    expect(third.buffer).toBe(sent.buffer);
    expect(new Set([second, third, fourth].map(({ buffer }) => buffer)).size).toBe(3);
  });

  it("keeps only so many that come back", () => {
    const io = createIo();
    const sent = Array.from({ length: 100 }, () => {
      const staged = io.stage(bytes(50_000, 1));
      io.giveAwayStaged(staged);
      return staged;
    });
    for (const staged of sent) io.takeBack(staged);
    const known = new Set(sent.map(({ buffer }) => buffer));
    const again = Array.from({ length: 100 }, () => {
      const staged = io.stage(bytes(50_000, 2));
      io.giveAwayStaged(staged);
      return staged;
    });
    expect(again.filter(({ buffer }) => known.has(buffer))).toHaveLength(16);
  });
});

describe("reading", () => {
  it("shows what came in either buffer, without a copy", () => {
    const io = createIo();
    io.acceptedBuffer.fill(7);
    expect(io.received(32_768).buffer).toBe(io.readBuffer.buffer);
    expect(io.received(3)).toEqual(Buffer.from([7, 7, 7]));
    expect(io.received(65_536)).toBe(io.readBuffer);
  });
});
