import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import fc from "fast-check";

import { Http2Connection } from "../../../../src/data/l7/http2/http2-connection.ts";
import { FrameType, PREFACE } from "../../../../src/data/l7/http2/http2-frame.ts";
import { type Connection, type ConnectionHandlers, noHandlers } from "../../../../src/data/transport/transport.ts";
import { HttpRig } from "../http-rig.ts";
import { FUZZ_RUNS } from "../http1-fuzz.ts";
import { rule } from "../requests.ts";
import {
  block,
  type Fields,
  type Frame,
  frame,
  framesOf,
  getFields,
  headers,
  number32,
  settings,
} from "./raw-http2.ts";

jest.setTimeout(60_000 + 20 * FUZZ_RUNS);

/** Resolves when what was put off to the end of the loop's turn is done. */
const turnEnd = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** A connection without a socket: keeps what is written. */
class KeptConnection implements Connection {
  handlers: ConnectionHandlers = noHandlers;
  readonly remoteAddress = "192.0.2.7";
  readonly remotePort = 1234;
  readonly localAddress = "192.0.2.80";
  readonly localPort = 80;
  readonly pendingBytes = 0;
  readonly tls = undefined;
  proxied = undefined;
  readonly written: Buffer[] = [];
  isEnded = false;

  write(bytes: Uint8Array): boolean {
    this.written.push(Buffer.from(bytes));
    return true;
  }
  pause(): void {}
  resume(): void {}
  shutdown(): void {
    this.isEnded = true;
  }
  close(): void {
    this.isEnded = true;
  }
  reset(): void {
    this.isEnded = true;
  }
  toDuplex(): never {
    throw new Error("not a socket");
  }
}

let rig: HttpRig;
beforeEach(() => {
  const action = { type: "FIXED_RESPONSE", code: 200, contentType: "text/plain", body: "fixed" } as const;
  const policy = { id: "p", name: "p", rules: [rule("PATH", "STARTS_WITH", "/")], action, setResponseHeaders: [] };
  rig = new HttpRig({ http: { policies: [policy], maxRequestHeaderBytes: 1000, maxUriBytes: 200 } });
});
afterEach(() => rig.close());

/** What is answered to the bytes, when they come in pieces that end at `cuts`. */
async function answers(bytes: Buffer, cuts: readonly number[]): Promise<{ frames: Frame[]; isEnded: boolean }> {
  const connection = new KeptConnection();
  new Http2Connection(connection, rig.proxy).start(new Uint8Array(0));
  const ends = [...new Set([...cuts.filter((cut) => cut < bytes.length), bytes.length])].toSorted((a, b) => a - b);
  let start = 0;
  for (const end of ends) {
    connection.handlers.onData(connection, Buffer.from(bytes.subarray(start, end)));
    start = end;
  }
  await turnEnd();
  await turnEnd();
  const written = Buffer.concat(connection.written);
  const frames = framesOf(written);
  // Nothing but whole frames.
  expect(frames.reduce((total, { payload }) => total + 9 + payload.length, 0)).toBe(written.length);
  const { isEnded } = connection;
  connection.handlers.onClose(connection, undefined);
  return { frames, isEnded };
}

const id = fc.constantFrom(0, 1, 1, 3, 3, 5, 7, 2);
const flags = fc.constantFrom(0, 1, 4, 5, 5, 8, 9, 0x20, 0x25);
const POST: Fields = getFields().map(([name, value]) => [name, name === ":method" ? "POST" : value]);
const ALLOWED = [
  block(getFields()),
  block(getFields(["x-large", "x".repeat(1500)])),
  block(POST),
  block([...POST, ["x-two", "y".repeat(80)]]),
];
const fields = fc.constantFrom(
  block(getFields()),
  block(getFields(["content-length", "5"])),
  block(POST),
  block(getFields(["x-large", "x".repeat(1500)])),
  block([["x-sum", "1"]]),
  Buffer.of(0x82, 0x86, 0x84, 0x41, 0x01, 0x61),
);
const anyFrame = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(id).map(([stream]) => headers(stream)) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(id, flags, fields)
      .map(([stream, flag, payload]) => frame(FrameType.HEADERS, { stream, flags: flag, payload })),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(id, flags, fc.uint8Array({ maxLength: 20 }))
      .map(([stream, flag, payload]) => frame(FrameType.DATA, { stream, flags: flag, payload: Buffer.from(payload) })),
  },
  fc.tuple(id).map(([stream]) => frame(FrameType.RST_STREAM, { stream, payload: number32(8) })),
  fc.tuple(id, fc.nat()).map(([stream, by]) => frame(FrameType.WINDOW_UPDATE, { stream, payload: number32(by) })),
  fc.nat(100_000).map((window) => settings([4, window])),
  fc
    .tuple(fc.nat(12), id, flags, fc.uint8Array({ maxLength: 12 }))
    .map(([type, stream, flag, payload]) => frame(type, { stream, flags: flag, payload: Buffer.from(payload) })),
);
const conversation = fc
  .tuple(fc.array(anyFrame, { maxLength: 12 }), fc.option(fc.tuple(fc.nat(400), fc.nat(255)), { freq: 2 }))
  .map(([frames, change]) => {
    const bytes = Buffer.concat([PREFACE, settings(), ...frames]);
    if (change !== null) bytes[change[0] % bytes.length] = change[1];
    return bytes;
  });

/** Requests that are fine, one after the other, and things that may stand between them. */
const requests = fc
  .array(
    fc.record({
      fields: fc.constantFrom(...ALLOWED),
      body: fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 3 }),
      between: fc.constantFrom(settings(), frame(FrameType.PING, { payload: Buffer.alloc(8) }), frame(0xfa)),
      cut: fc.nat(60),
    }),
    { maxLength: 6 },
  )
  .map((all) =>
    Buffer.concat([
      PREFACE,
      settings(),
      ...all.flatMap(({ fields: payload, body, between, cut }, i) => {
        const stream = 2 * i + 1;
        const isPost = payload.includes("POST");
        const first = frame(FrameType.HEADERS, { stream, flags: isPost ? 0 : 1, payload: payload.subarray(0, cut) });
        const rest = frame(FrameType.CONTINUATION, { stream, flags: 4, payload: payload.subarray(cut) });
        const data = body.map((bytes, at) =>
          frame(FrameType.DATA, { stream, flags: at === body.length - 1 ? 1 : 0, payload: Buffer.from(bytes) }),
        );
        return [first, rest, ...(isPost ? data : []), between];
      }),
    ]),
  );

describe("whatever comes", () => {
  test("is answered in whole frames, or ends the connection", async () => {
    const seen = { ended: 0, answered: 0 };
    const runs = Math.ceil(FUZZ_RUNS / 4);
    await fc.assert(
      fc.asyncProperty(conversation, fc.array(fc.nat(600), { maxLength: 20 }), async (bytes, cuts) => {
        const { frames, isEnded } = await answers(bytes, cuts);
        expect(frames.some(({ type }) => type === FrameType.GOAWAY) || !isEnded).toBe(true);
        if (isEnded) seen.ended++;
        if (frames.some(({ type }) => type === FrameType.HEADERS)) seen.answered++;
      }),
      { numRuns: runs },
    );
    // Else it would test nothing.
    expect(Math.min(seen.ended, seen.answered)).toBeGreaterThan(runs / 20);
  });

  test("requests are the same in one piece and in any", async () => {
    await fc.assert(
      fc.asyncProperty(requests, fc.array(fc.nat(2500), { maxLength: 30 }), async (bytes, cuts) => {
        const whole = await answers(bytes, []);
        const pieces = await answers(bytes, cuts);
        const heads = ({ frames }: { frames: Frame[] }): string[] =>
          frames
            .filter(({ type }) => type === FrameType.HEADERS)
            .map(({ stream, payload }) => `${stream} ${payload.subarray(payload[0] === 0x20 ? 1 : 0).toString("hex")}`)
            .toSorted();
        expect(heads(pieces)).toEqual(heads(whole));
        const asked = framesOf(bytes.subarray(PREFACE.length)).filter(({ type }) => type === FrameType.HEADERS);
        expect(heads(whole).length).toBe(asked.length);
        expect([whole.isEnded, pieces.isEnded]).toEqual([false, false]);
      }),
      { numRuns: Math.ceil(FUZZ_RUNS / 8) },
    );
  });
});
