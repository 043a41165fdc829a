import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { FrameFlag, FrameType, Http2ErrorCode, PREFACE, Setting } from "../../../../src/data/l7/http2/http2-frame.ts";
import type { PeerServer } from "../../transport/peer.ts";
import { HttpRig, OK, receives } from "../http-rig.ts";
import { block, type Fields, frame, getFields, headers, number32, RawHttp2, settings } from "./raw-http2.ts";

let rig: HttpRig;
let server: PeerServer;
let raw: RawHttp2;

beforeEach(async () => {
  rig = new HttpRig();
  server = await rig.backend();
  raw = await RawHttp2.connect(await rig.listen());
});
afterEach(async () => {
  raw.peer.socket.destroy();
  await rig.close();
});

const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, WINDOW_UPDATE, CONTINUATION } = FrameType;
const { END_STREAM, END_HEADERS, PADDED, ACK } = FrameFlag;
const EIGHT = Buffer.alloc(8);
const POST: Fields = getFields().map(([name, value]) => [name, name === ":method" ? "POST" : value]);

describe("a connection", () => {
  it("begins with our settings and the larger window", async () => {
    const { payload } = await raw.receiveType(SETTINGS);
    const pairs = Array.from({ length: payload.length / 6 }, (_, i) => [
      payload.readUInt16BE(i * 6),
      payload.readUInt32BE(i * 6 + 2),
    ]);
    expect(Object.fromEntries(pairs)).toEqual({
      [Setting.MAX_CONCURRENT_STREAMS]: 128,
      [Setting.INITIAL_WINDOW_SIZE]: 65_535,
      [Setting.MAX_HEADER_LIST_SIZE]: 65_536,
    });
    expect((await raw.receiveType(WINDOW_UPDATE)).payload.readUInt32BE(0)).toBe(1024 * 1024 - 65_535);
    await raw.receive(({ type, flags }) => type === SETTINGS && flags === ACK);
  });

  it("is the same when it comes in single bytes", async () => {
    const slow = await RawHttp2.connect(await rig.listen(), Buffer.alloc(0));
    const body = frame(DATA, { stream: 1, payload: Buffer.from("\x03hello..."), flags: PADDED | END_STREAM });
    for (const byte of Buffer.concat([PREFACE, settings(), headers(1, POST, 0), body]))
      await slow.send(Buffer.of(byte));
    const backend = await server.next();
    const text = await receives(backend, /0\r\n\r\n$/);
    expect(text.slice(text.indexOf("\r\n\r\n")).replaceAll(/[\da-f]\r\n|\r\n/g, "")).toBe("hello");
    slow.peer.socket.destroy();
  });

  it.each<[string, Buffer]>([
    ["a frame before SETTINGS", Buffer.concat([PREFACE.subarray(20), frame(PING, { payload: EIGHT })])],
    ["a broken preface", Buffer.from("oops, wrong")],
  ])("ends with %s", async (_, rest) => {
    const other = await RawHttp2.connect(await rig.listen(), PREFACE.subarray(0, 20));
    await other.receiveType(SETTINGS);
    await other.send(rest);
    expect(await other.goaway()).toBe(Http2ErrorCode.PROTOCOL_ERROR);
  });

  it("is counted once, the preface included", async () => {
    await raw.settled();
    expect(rig.account.bytesIn).toBe(PREFACE.length + settings().length + frame(PING, { payload: EIGHT }).length);
  });

  it("is HTTP/1's business where the preface does not match", async () => {
    const other = await RawHttp2.connect(await rig.listen(), Buffer.from("PRI * HTTP/1.1\r\n\r\n"));
    expect(await receives(other.peer, /\r\n\r\n/)).toMatch(/^HTTP\/1.1 400 /);
  });

  it("is not made of a later request of HTTP/1", async () => {
    rig.balancer.backends = [];
    const other = await RawHttp2.connect(await rig.listen(), Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    await receives(other.peer, /503/);
    await other.send(PREFACE, settings());
    expect(await receives(other.peer, /HTTP\/1.1 400/)).toContain("503");
  });
});

describe("what breaks the rules of frames ends the connection", () => {
  const { PROTOCOL_ERROR, FRAME_SIZE_ERROR, FLOW_CONTROL_ERROR, COMPRESSION_ERROR, STREAM_CLOSED } = Http2ErrorCode;
  it.each<[string, Buffer[], number]>([
    ["a frame that is too large", [frame(DATA, { stream: 1, length: 16_385 })], FRAME_SIZE_ERROR],
    ["PING of another size", [frame(PING, { payload: Buffer.alloc(7) })], FRAME_SIZE_ERROR],
    ["PING on a stream", [frame(PING, { payload: EIGHT, stream: 1 })], PROTOCOL_ERROR],
    ["SETTINGS of another size", [frame(SETTINGS, { payload: Buffer.alloc(5) })], FRAME_SIZE_ERROR],
    ["an acknowledgement with settings", [frame(SETTINGS, { payload: Buffer.alloc(6), flags: ACK })], FRAME_SIZE_ERROR],
    ["SETTINGS on a stream", [frame(SETTINGS, { stream: 1 })], PROTOCOL_ERROR],
    ["an initial window that is too large", [settings([4, 0x8000_0000])], FLOW_CONTROL_ERROR],
    ["a push that is neither on nor off", [settings([2, 2])], PROTOCOL_ERROR],
    ["a frame size that is too small", [settings([5, 100])], PROTOCOL_ERROR],
    ["PUSH_PROMISE", [frame(PUSH_PROMISE, { stream: 1, payload: Buffer.alloc(4) })], PROTOCOL_ERROR],
    ["HEADERS on an even stream", [headers(2)], PROTOCOL_ERROR],
    ["HEADERS on no stream", [headers(0)], PROTOCOL_ERROR],
    ["DATA on no stream", [frame(DATA, { payload: EIGHT })], PROTOCOL_ERROR],
    ["DATA on a stream to come", [frame(DATA, { stream: 5, payload: EIGHT })], PROTOCOL_ERROR],
    ["RST_STREAM on a stream to come", [frame(RST_STREAM, { stream: 5, payload: number32(8) })], PROTOCOL_ERROR],
    ["RST_STREAM of another size", [headers(1), frame(RST_STREAM, { stream: 1, payload: EIGHT })], FRAME_SIZE_ERROR],
    ["WINDOW_UPDATE by nothing", [frame(WINDOW_UPDATE, { payload: number32(0) })], PROTOCOL_ERROR],
    ["a window that grows too large", [frame(WINDOW_UPDATE, { payload: number32(0x7fff_ffff) })], FLOW_CONTROL_ERROR],
    ["CONTINUATION of nothing", [frame(CONTINUATION, { stream: 1, flags: END_HEADERS })], PROTOCOL_ERROR],
    [
      "another frame inside a header block",
      [frame(HEADERS, { stream: 1, payload: block(getFields()) }), frame(PING, { payload: EIGHT })],
      PROTOCOL_ERROR,
    ],
    [
      "DATA inside a header block",
      [headers(1, POST, 0), frame(HEADERS, { stream: 3 }), frame(DATA, { stream: 1, payload: EIGHT })],
      PROTOCOL_ERROR,
    ],
    [
      "CONTINUATION of another stream's block",
      [frame(HEADERS, { stream: 1 }), frame(CONTINUATION, { stream: 3, flags: END_HEADERS })],
      PROTOCOL_ERROR,
    ],
    [
      "padding longer than the frame",
      [headers(1, POST, 0), frame(DATA, { stream: 1, flags: PADDED, payload: Buffer.of(1) })],
      PROTOCOL_ERROR,
    ],
    [
      "padding longer than the block",
      [frame(HEADERS, { stream: 1, flags: PADDED | END_HEADERS, payload: Buffer.of(9, 0x82) })],
      PROTOCOL_ERROR,
    ],
    [
      "an index of no field",
      [frame(HEADERS, { stream: 1, flags: END_HEADERS, payload: Buffer.of(0xbe) })],
      COMPRESSION_ERROR,
    ],
    [
      "a block that is cut off",
      [frame(HEADERS, { stream: 1, flags: END_HEADERS, payload: Buffer.of(0x00, 0x05) })],
      COMPRESSION_ERROR,
    ],
    [
      "a table larger than allowed",
      [frame(HEADERS, { stream: 1, flags: END_HEADERS, payload: Buffer.of(0x3f, 0xe2, 0x1f) })],
      COMPRESSION_ERROR,
    ],
    ["DATA behind the end of the stream", [headers(1), frame(DATA, { stream: 1, payload: EIGHT })], STREAM_CLOSED],
    ["HEADERS behind the end of the stream", [headers(1), headers(1)], STREAM_CLOSED],
  ])("%s", async (_, frames, code) => {
    await raw.send(...frames);
    expect(await raw.goaway()).toBe(code);
    expect(rig.account.rejected).toContain("bad-request");
  });

  it("DATA beyond the stream's window, which does not grow while the backend does not read", async () => {
    await raw.send(headers(1, POST, 0));
    await server.next();
    const megabyte = Array.from({ length: 64 }, () => frame(DATA, { stream: 1, payload: Buffer.alloc(16_384) }));
    // More than the kernel's buffers take.
    const sent = raw.send(...Array.from({ length: 24 }, () => megabyte).flat());
    expect(await raw.goaway()).toBe(FLOW_CONTROL_ERROR);
    await sent;
  });
});

describe("requests that are malformed end with their stream, and no backend hears of them", () => {
  const without = (name: string): Fields => getFields().filter(([each]) => each !== name);
  const replaced = (name: string, value: string): Fields =>
    getFields().map(([each, old]) => [each, each === name ? value : old]);

  it.each<[string, Fields]>([
    ["no method", without(":method")],
    ["no scheme", without(":scheme")],
    ["no path", without(":path")],
    ["an empty path", replaced(":path", "")],
    ["a URL as the path", replaced(":path", "http://other.example/")],
    ["an asterisk with GET", replaced(":path", "*")],
    ["another scheme", replaced(":scheme", "ftp")],
    ["a repeated pseudo-header", getFields([":path", "/b"])],
    ["a pseudo-header behind fields", [...without(":path"), ["x-a", "1"], [":path", "/"]]],
    ["an unknown pseudo-header", [[":status", "200"], ...getFields()]],
    ["extended CONNECT", [...replaced(":method", "CONNECT"), [":protocol", "websocket"]]],
    ["CONNECT with a path", replaced(":method", "CONNECT")],
    ["a space in the method", replaced(":method", "GET /evil")],
    ["a space in the path", replaced(":path", "/ HTTP/1.1")],
    ["CR LF in the path", replaced(":path", "/\r\nx: y")],
    ["NUL in the path", replaced(":path", "/\0")],
    ["CR LF in the authority", replaced(":authority", "a\r\nx: y")],
    ["CR LF in a value", getFields(["x-a", "1\r\nx-b: 2"])],
    ["LF in a value", getFields(["x-a", "1\nx-b: 2"])],
    ["NUL in a value", getFields(["x-a", "1\0"])],
    ["white space before a value", getFields(["x-a", " 1"])],
    ["white space behind a value", getFields(["x-a", "1\t"])],
    ["an upper-case name", getFields(["X-A", "1"])],
    ["a colon in a name", getFields(["x-a:b", "1"])],
    ["a space in a name", getFields(["x-a ", "1"])],
    ["CR LF in a name", getFields(["x-a\r\nx-b", "1"])],
    ["an empty name", getFields(["", "1"])],
    ["connection", getFields(["connection", "close"])],
    ["keep-alive", getFields(["keep-alive", "5"])],
    ["proxy-connection", getFields(["proxy-connection", "close"])],
    ["transfer-encoding", getFields(["transfer-encoding", "chunked"])],
    ["upgrade", getFields(["upgrade", "websocket"])],
    ["te: gzip", getFields(["te", "gzip"])],
    ["te: trailers, gzip", getFields(["te", "trailers, gzip"])],
    ["another host", getFields(["host", "other.example"])],
    ["two lengths", getFields(["content-length", "0"], ["content-length", "0"])],
    ["a length that is none", getFields(["content-length", "+1"])],
    ["a length and no body", getFields(["content-length", "1"])],
  ])("%s", async (_, fields) => {
    await raw.send(headers(1, fields));
    expect(await raw.reset(1)).toBe(Http2ErrorCode.PROTOCOL_ERROR);
    expect(server.peers).toEqual([]);
    expect(rig.account.rejected).toEqual(["bad-request"]);
    // The connection goes on.
    await raw.send(headers(3));
    await receives(await server.next(), /\r\n\r\n$/);
  });

  it.each<[string, Buffer[]]>([
    ["less than its length", [frame(DATA, { stream: 1, payload: Buffer.from("abc"), flags: END_STREAM })]],
    ["more than its length", [frame(DATA, { stream: 1, payload: Buffer.from("abcdef") })]],
    ["nothing of its length", [frame(DATA, { stream: 1, flags: END_STREAM })]],
    ["less, and trailers", [headers(1, [["x-sum", "1"]])]],
  ])("a body that has %s, whose backend is cut off", async (_, frames) => {
    await raw.send(headers(1, [...POST, ["content-length", "5"]], 0));
    const backend = await server.next();
    await receives(backend, /\r\n\r\n$/);
    await raw.send(...frames);
    expect(await raw.reset(1)).toBe(Http2ErrorCode.PROTOCOL_ERROR);
    await backend.closed;
    expect(backend.received.toString()).not.toMatch(/abcdef/);
  });

  it.each<[string, Fields, number]>([
    ["pseudo-headers", [[":path", "/"]], END_STREAM],
    ["upper-case names", [["X-Sum", "1"]], END_STREAM],
    ["a body's framing", [["transfer-encoding", "chunked"]], END_STREAM],
    ["something behind them", [["x-sum", "1"]], 0],
  ])("trailers with %s", async (_, fields, flags) => {
    await raw.send(headers(1, POST, 0));
    const backend = await server.next();
    await receives(backend, /\r\n\r\n$/);
    await raw.send(headers(1, fields, flags));
    expect(await raw.reset(1)).toBe(Http2ErrorCode.PROTOCOL_ERROR);
    await backend.closed;
  });
});

describe("requests that are well-formed", () => {
  it("take Host where there is no :authority, and drop it where it says the same", async () => {
    await raw.send(headers(1, [...getFields().filter(([name]) => name !== ":authority"), ["host", "a.example"]]));
    const first = await receives(await server.next(), /\r\n\r\n$/);
    expect(first.match(/^host: .*$/gim)).toEqual(["host: a.example"]);
    await raw.send(headers(3, getFields(["host", "APP.example"])));
    const second = await receives(await server.next(), /\r\n\r\n$/);
    expect(second.match(/^host: .*$/gim)).toEqual(["host: app.example"]);
  });

  it("get 400 without any host", async () => {
    await raw.send(
      headers(
        1,
        getFields().filter(([name]) => name !== ":authority"),
      ),
    );
    const { payload } = await raw.receiveType(HEADERS, 1);
    // The table's size, then the index of `:status: 400`.
    expect([...payload.subarray(0, 2)]).toEqual([0x20, 0x8c]);
  });

  it("may be padded, have a priority, come in several frames, and have a table", async () => {
    const fields = block(getFields(["x-a", "1"]));
    const head = Buffer.concat([Buffer.of(4), number32(0), Buffer.of(16), fields.subarray(0, 10), Buffer.alloc(4)]);
    await raw.send(
      frame(PRIORITY, { stream: 9, payload: Buffer.alloc(5) }),
      frame(0xfa, { stream: 9, payload: EIGHT }),
      frame(HEADERS, { stream: 1, flags: PADDED | FrameFlag.PRIORITY | END_STREAM, payload: head }),
      frame(CONTINUATION, { stream: 1, payload: fields.subarray(10, 20) }),
      frame(CONTINUATION, { stream: 1, flags: END_HEADERS, payload: fields.subarray(20) }),
    );
    const backend = await server.next();
    expect(await receives(backend, /\r\n\r\n$/)).toMatch(/^GET \/ HTTP\/1.1\r\nhost: app.example\r\nx-a: 1\r\n/);
    await backend.send(OK);
    expect((await raw.receiveType(DATA, 1)).payload.toString()).toBe("ok");
  });

  it("end the response in the frame of its last byte", async () => {
    await raw.send(headers(1));
    const backend = await server.next();
    await receives(backend, /\r\n\r\n$/);
    await backend.send(OK);
    await raw.receiveType(DATA, 1);
    expect(raw.of(DATA).map(({ flags }) => flags)).toEqual([END_STREAM]);
  });
});
