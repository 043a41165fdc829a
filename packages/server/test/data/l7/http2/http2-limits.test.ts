import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { FrameFlag, FrameType, Http2ErrorCode, PREFACE, Setting } from "../../../../src/data/l7/http2/http2-frame.ts";
import { type Peer, type PeerServer, pattern } from "../../transport/peer.ts";
import { HttpRig, OK, receives } from "../http-rig.ts";
import { rule } from "../requests.ts";
import { block, type Fields, frame, getFields, headers, number32, RawHttp2, settings } from "./raw-http2.ts";

let rig: HttpRig;
let server: PeerServer;
let raw: RawHttp2;

beforeEach(async () => {
  rig = new HttpRig({ clientIdleTimeoutMs: 60_000 });
  server = await rig.backend();
  raw = await RawHttp2.connect(await rig.listen());
});
afterEach(async () => {
  raw.peer.socket.destroy();
  await rig.close();
});

const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } = FrameType;
const { END_STREAM, END_HEADERS, ACK } = FrameFlag;
const { ENHANCE_YOUR_CALM, NO_ERROR, REFUSED_STREAM, INTERNAL_ERROR } = Http2ErrorCode;
const POST: Fields = getFields().map(([name, value]) => [name, name === ":method" ? "POST" : value]);
const ping = frame(PING, { payload: Buffer.alloc(8) });

/** So many frames, made from the number of each. */
const many = (count: number, make: (i: number) => Uint8Array): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));
const idOf = (i: number): number => 2 * i + 1;

/** Sends a request; answers the backend's side. */
async function ask(stream: number, fields = getFields(), flags: number = END_STREAM): Promise<Peer> {
  await raw.send(headers(stream, fields, flags));
  const backend = await server.next();
  await receives(backend, /\r\n\r\n/);
  return backend;
}

describe("a flood ends the connection, and no backend hears of it", () => {
  it("of requests that are taken back at once (rapid reset)", async () => {
    await raw.send(
      many(2000, (i) =>
        Buffer.concat([headers(idOf(i)), frame(RST_STREAM, { stream: idOf(i), payload: number32(8) })]),
      ),
    );
    expect(await raw.goaway()).toBe(ENHANCE_YOUR_CALM);
    // At most those whose frames came in two reads.
    expect(server.peers.length).toBeLessThan(20);
  });

  it("of requests that are taken back one by one", async () => {
    for (let i = 0; i < 501 && raw.of(GOAWAY).length === 0; i++) {
      await raw.send(headers(idOf(i)));
      await raw.settled();
      await raw.send(frame(RST_STREAM, { stream: idOf(i), payload: number32(8) }));
    }
    expect(await raw.goaway()).toBe(ENHANCE_YOUR_CALM);
    expect(server.peers.length).toBeLessThanOrEqual(501);
  });

  it("of more requests than are allowed at once: they are refused, then it ends", async () => {
    await raw.send(many(128, (i) => headers(idOf(i))));
    await raw.send(many(100, (i) => headers(idOf(128 + i))));
    await raw.reset(idOf(227));
    const refused = raw.of(RST_STREAM);
    expect(refused.map(({ payload }) => payload.readUInt32BE(0))).toEqual(
      Array.from({ length: 100 }, () => REFUSED_STREAM),
    );
    expect(refused[0]?.stream).toBe(idOf(128));
    await raw.send(many(500, (i) => headers(idOf(228 + i))));
    expect(await raw.goaway()).toBe(ENHANCE_YOUR_CALM);
    expect(rig.balancer.flows.length).toBe(128);
  });

  it.each<[string, (i: number) => Buffer]>([
    ["PING", () => ping],
    ["SETTINGS", () => settings([Setting.INITIAL_WINDOW_SIZE, 65_535])],
    ["acknowledgements", () => frame(SETTINGS, { flags: ACK })],
    ["PRIORITY", (i) => frame(PRIORITY, { stream: idOf(i), payload: Buffer.alloc(5) })],
    ["frames that nobody knows", () => frame(0xfa)],
  ])("of %s", async (_, make) => {
    await raw.send(many(2500, make));
    expect(await raw.goaway()).toBe(ENHANCE_YOUR_CALM);
    expect(server.peers).toEqual([]);
  });

  it("of settings in one frame", async () => {
    await raw.send(settings(...Array.from({ length: 33 }, () => [Setting.INITIAL_WINDOW_SIZE, 65_535] as const)));
    expect(await raw.goaway()).toBe(ENHANCE_YOUR_CALM);
  });

  it("of empty DATA, which the backend does not get", async () => {
    const backend = await ask(1, POST, 0);
    await raw.send(many(2500, () => frame(DATA, { stream: 1 })));
    expect(await raw.goaway()).toBe(ENHANCE_YOUR_CALM);
    await backend.closed;
    expect(backend.received.toString()).toMatch(/\r\n\r\n$/);
  });

  it("of frames on streams that are over", async () => {
    const backend = await ask(1);
    await backend.send(OK);
    await raw.receiveType(DATA, 1);
    await raw.send(many(2500, () => frame(RST_STREAM, { stream: 1, payload: number32(8) })));
    expect(await raw.goaway()).toBe(ENHANCE_YOUR_CALM);
  });

  it.each([
    ["many", Buffer.of(0x82), 64],
    ["large", block([["x-a", "y".repeat(16_000)]]), 6],
    ["empty", Buffer.alloc(0), 64],
  ])("of CONTINUATION, %s ones", async (_, payload, count) => {
    await raw.send(frame(HEADERS, { stream: 1, payload: block(getFields()) }));
    await raw.send(many(count, () => frame(CONTINUATION, { stream: 1, payload })));
    expect(await raw.goaway()).toBe(ENHANCE_YOUR_CALM);
    expect(server.peers).toEqual([]);
  });

  it("of requests whose answers are not read", async () => {
    // A head as large as a response may have, which no window holds back.
    const setResponseHeaders = [{ name: "X-Large", value: "x".repeat(60_000) }];
    const action = { type: "FIXED_RESPONSE", code: 200, contentType: "text/plain", body: "" } as const;
    rig.update({
      http: {
        policies: [{ id: "p", name: "p", rules: [rule("PATH", "STARTS_WITH", "/")], action, setResponseHeaders }],
      },
    });
    await raw.receiveType(SETTINGS);
    raw.peer.socket.pause();
    const next = (i: number): Promise<void> => raw.send(many(20, (j) => headers(idOf(20 * i + j))));
    for (let i = 0; !raw.peer.socket.destroyed; i++) await next(i);
    await rig.account.until(() => rig.account.closed === 1);
    expect(rig.account.bytesOut).toBeLessThan(32 * 1024 * 1024);
  });
});

describe("a header block that stands for far more than it is", () => {
  it("is answered with 431, in little memory, and the connection goes on", async () => {
    const bomb = Buffer.concat([
      Buffer.of(0x40, 3),
      Buffer.from("x-a"),
      Buffer.of(0x7f, 0xa1, 0x1e),
      Buffer.alloc(4000, 0x61),
      Buffer.alloc(12_000, 0xbe),
    ]);
    // The first four fields come without the table, so that the bomb is its newest.
    const payload = Buffer.concat([block(getFields()), bomb]);
    await raw.send(frame(HEADERS, { stream: 1, flags: END_HEADERS | END_STREAM, payload }));
    const { payload: head } = await raw.receiveType(HEADERS, 1);
    expect(head.subarray(1, 6).toString("latin1")).toBe("\x08\x03431");
    expect(server.peers).toEqual([]);
    // The table still holds what it held.
    const again = Buffer.concat([block(getFields()), Buffer.of(0xbe)]);
    await raw.send(frame(HEADERS, { stream: 3, flags: END_HEADERS | END_STREAM, payload: again }));
    expect(await receives(await server.next(), /\r\n\r\n$/)).toContain(`x-a: ${"a".repeat(4000)}\r\n`);
  });
});

describe("time", () => {
  it("closes a connection without requests, whatever else it sends", async () => {
    await raw.settled();
    rig.clock.advance(59_000);
    await raw.settled();
    expect(raw.of(GOAWAY)).toEqual([]);
    rig.clock.advance(2000);
    expect(await raw.goaway()).toBe(NO_ERROR);
    await rig.account.until(() => rig.account.closed === 1);
  });

  it("starts anew with the end of the last request", async () => {
    const backend = await ask(1);
    rig.clock.advance(50_000);
    await backend.send(OK);
    await raw.receiveType(DATA, 1);
    rig.clock.advance(50_000);
    await raw.settled();
    expect(raw.of(GOAWAY)).toEqual([]);
    rig.clock.advance(11_000);
    expect(await raw.goaway()).toBe(NO_ERROR);
  });

  it.each<[string, Uint8Array]>([
    ["a preface", PREFACE.subarray(0, 20)],
    ["SETTINGS", Buffer.concat([PREFACE, settings().subarray(0, 5)])],
    [
      "a header block",
      Buffer.concat([PREFACE, settings(), frame(HEADERS, { stream: 1, payload: block(getFields()) })]),
    ],
    ["a frame of one", Buffer.concat([PREFACE, settings(), headers(1).subarray(0, 20)])],
  ])("ends for %s that does not come whole", async (_, start) => {
    const slow = await RawHttp2.connect(await rig.listen(), start);
    await slow.receiveType(SETTINGS);
    rig.clock.advance(12_000);
    expect(await slow.goaway()).toBe(NO_ERROR);
    expect(rig.account.rejected).toEqual(["client-timeout"]);
    expect(server.peers).toEqual([]);
    // The other connection is only idle.
    await raw.settled();
    slow.peer.socket.destroy();
  });

  it("ends for a response that the client does not take", async () => {
    await raw.send(settings([Setting.INITIAL_WINDOW_SIZE, 0]));
    const backend = await ask(1);
    await backend.send(`HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n`);
    void backend.send(pattern(500_000)).catch(() => undefined);
    await raw.receiveType(HEADERS, 1);
    rig.clock.advance(1000);
    rig.clock.advance(62_000);
    expect(await raw.reset(1)).toBe(INTERNAL_ERROR);
    await backend.closed;
    expect(raw.of(DATA)).toEqual([]);
  });

  it("ends for a small response that the client does not take, although the backend is done", async () => {
    await raw.send(settings([Setting.INITIAL_WINDOW_SIZE, 1]));
    const backend = await ask(1);
    await backend.send(OK);
    expect((await raw.receiveType(DATA, 1)).payload.toString()).toBe("o");
    rig.clock.advance(1000);
    rig.clock.advance(62_000);
    expect(await raw.reset(1)).toBe(INTERNAL_ERROR);
  });

  it("ends for an upload that stops, with 408", async () => {
    const backend = await ask(1, POST, 0);
    rig.clock.advance(1000);
    rig.clock.advance(62_000);
    expect((await raw.receiveType(HEADERS, 1)).payload.subarray(1, 6).toString("latin1")).toBe("\x08\x03408");
    await backend.closed;
  });

  it("ends for a backend that says nothing, with 504", async () => {
    await ask(1);
    rig.clock.advance(1000);
    rig.clock.advance(62_000);
    expect((await raw.receiveType(HEADERS, 1)).payload.subarray(1, 6).toString("latin1")).toBe("\x08\x03504");
  });
});

describe("windows", () => {
  it("that open by single bytes carry the response byte by byte, in order", async () => {
    await raw.send(settings([Setting.INITIAL_WINDOW_SIZE, 0]));
    const backend = await ask(1);
    await backend.send(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 5\r\n\r\n",
    );
    await raw.receiveType(HEADERS, 1);
    await raw.send(many(5, () => frame(WINDOW_UPDATE, { stream: 1, payload: number32(1) })));
    await raw.receive(({ type, flags }) => type === HEADERS && (flags & END_STREAM) !== 0);
    expect(raw.of(DATA).map(({ payload }) => payload.toString())).toEqual(["a", "b", "c", "d", "e"]);
  });

  it("that shrink below nothing stop it until they have grown again", async () => {
    await raw.send(settings([Setting.INITIAL_WINDOW_SIZE, 3]));
    const backend = await ask(1);
    await backend.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabcdef");
    await raw.receiveType(DATA, 1);
    await raw.send(settings([Setting.INITIAL_WINDOW_SIZE, 1]));
    await raw.send(frame(WINDOW_UPDATE, { stream: 1, payload: number32(2) }));
    await raw.settled();
    expect(raw.of(DATA).length).toBe(1);
    await raw.send(frame(WINDOW_UPDATE, { stream: 1, payload: number32(3) }));
    await raw.receive(({ type, flags }) => type === DATA && flags === END_STREAM);
    expect(raw.of(DATA).map(({ payload }) => payload.toString())).toEqual(["abc", "def"]);
  });

  it("are shared: streams take turns when the connection's opens", async () => {
    await raw.send(settings([Setting.INITIAL_WINDOW_SIZE, 1_000_000]));
    const [first, second] = [await ask(1), await ask(3)];
    for (const backend of [first, second]) {
      await backend.send(`HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n`);
      void backend.send(pattern(200_000)).catch(() => undefined);
    }
    await raw.receiveType(HEADERS, 3);
    const sum = (id: number): number =>
      raw.of(DATA).reduce((total, { stream, payload }) => total + (stream === id ? payload.length : 0), 0);
    await raw.receive(() => sum(1) + sum(3) === 65_535);
    await raw.settled();
    const before = [sum(1), sum(3)] as const;
    await raw.send(frame(WINDOW_UPDATE, { payload: number32(65_536) }));
    await raw.receive(() => sum(1) + sum(3) === 65_535 + 65_536);
    expect(sum(1) - before[0]).toBeGreaterThan(0);
    expect(sum(3) - before[1]).toBeGreaterThan(0);
  });
});

describe("a listener that goes", () => {
  it("tells its clients, serves what is on its way, and then closes", async () => {
    const backend = await ask(1);
    rig.proxy.drain();
    const first = await raw.receiveType(GOAWAY);
    expect(first.payload.readUInt32BE(0)).toBe(0x7fff_ffff);
    const { payload } = await raw.receive(({ type, flags }) => type === PING && flags === 0);
    // This one was sent before the client had heard of it.
    const late = await ask(3);
    await raw.send(frame(PING, { payload, flags: ACK }));
    const last = await raw.receive((each) => each.type === GOAWAY && each.payload.readUInt32BE(0) === 3);
    expect(last.payload.readUInt32BE(4)).toBe(NO_ERROR);
    await raw.send(headers(5));
    expect(await raw.reset(5)).toBe(REFUSED_STREAM);
    for (const [i, each] of [backend, late].entries()) {
      await each.send(OK);
      expect((await raw.receiveType(DATA, idOf(i))).payload.toString()).toBe("ok");
    }
    await raw.peer.end();
    await rig.account.until(() => rig.account.closed === 1);
  });

  it("ends all of them with a reset when there is no more time", async () => {
    const backend = await ask(1);
    rig.proxy.closeAll("drain-timeout");
    await Promise.all([backend.closed, raw.peer.closed]);
    expect(raw.peer.errorCode).toBe("ECONNRESET");
    expect(rig.account.closed).toBe(1);
  });

  it("tells clients whose handshake was still under way", async () => {
    rig.proxy.drain();
    const late = await RawHttp2.connect(await rig.listen());
    expect((await late.receiveType(GOAWAY)).payload.readUInt32BE(0)).toBe(0x7fff_ffff);
    const { payload } = await late.receive(({ type, flags }) => type === PING && flags === 0);
    await late.send(frame(PING, { payload, flags: ACK }));
    await late.peer.end();
  });

  it("lets a client go that says it goes", async () => {
    const backend = await ask(1);
    await raw.send(frame(GOAWAY, { payload: Buffer.alloc(8) }));
    await raw.settled();
    await backend.send(OK);
    expect((await raw.receiveType(DATA, 1)).payload.toString()).toBe("ok");
    await raw.peer.end();
  });
});
