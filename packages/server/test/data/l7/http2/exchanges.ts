import { once } from "node:events";
import net from "node:net";

import { latin1Text } from "../../../../src/data/l7/http1-bytes.ts";
import { HpackDecoder } from "../../../../src/data/l7/http2/hpack-decoder.ts";
import { FrameFlag, FrameType, PREFACE, Setting } from "../../../../src/data/l7/http2/http2-frame.ts";
import type { ListeningSocket } from "../../../../src/data/transport/transport.ts";
import { Peer } from "../../transport/peer.ts";
import { block, type Fields, frame, framesOf, number32, settings } from "./raw-http2.ts";

// One exchange, told in HTTP/1.1 and in HTTP/2, and what a client and a backend of plain sockets see of it.

/** A request, whatever it is sent in. */
export interface Asked {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly fields: Fields;
  /** Pieces of the body; undefined = none. */
  readonly body: readonly Buffer[] | undefined;
  /** The body's length is said before. */
  readonly hasLength: boolean;
  readonly trailers: Fields;
}

/** A message as it was seen: what is of one connection only is left out. */
export interface Seen {
  /** Request line, or the status codes of all heads. */
  readonly start: string;
  readonly fields: readonly string[];
  readonly body: Buffer;
  readonly trailers: readonly string[];
}

/** How fast a client takes what it is sent. */
export interface Pace {
  /** Bytes that an HTTP/2 client takes ahead on each stream. */
  readonly window: number;
}

const lines = (fields: Fields): string => fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
const CRLF = Buffer.from("\r\n");
const chunk = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, CRLF]);

/** Content in chunks, with trailers. */
export const chunked = (pieces: readonly Buffer[], trailers: Fields): Buffer =>
  Buffer.concat([...pieces.map(chunk), Buffer.from(`0\r\n${lines(trailers)}\r\n`, "latin1")]);

const lengthOf = (pieces: readonly Buffer[]): number => pieces.reduce((sum, { length }) => sum + length, 0);

/** A request in HTTP/1.1. */
export function http1Request({ method, host, path, fields, body, hasLength, trailers }: Asked): Buffer {
  const all = lines(fields.filter(([name]) => name !== "cookie" && name !== "te"));
  const cookies = fields.filter(([name]) => name === "cookie").map(([, value]) => value);
  const cookie = cookies.length === 0 ? "" : `cookie: ${cookies.join("; ")}\r\n`;
  const te = fields.some(([name]) => name === "te") ? "te: trailers\r\nconnection: te\r\n" : "";
  const start = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${all}`;
  const head = (length: string, coding: string): Buffer =>
    Buffer.from(`${start}${length}${te}${cookie}${coding}\r\n`, "latin1");
  if (body === undefined) return head("", "");
  if (!hasLength) return Buffer.concat([head("", "transfer-encoding: chunked\r\n"), chunked(body, trailers)]);
  return Buffer.concat([head(`content-length: ${lengthOf(body)}\r\n`, ""), ...body]);
}

/** The same in HTTP/2. */
export function http2Request(stream: number, asked: Asked): Buffer {
  const { method, host, path, body, hasLength, trailers } = asked;
  const fields: Fields = [
    [":method", method],
    [":scheme", "http"],
    [":authority", host],
    [":path", path],
    ...asked.fields,
    ...(body !== undefined && hasLength ? [["content-length", String(lengthOf(body))] as const] : []),
  ];
  const hasTrailers = body !== undefined && !hasLength && trailers.length > 0;
  const end = (isEnd: boolean): number => (isEnd ? FrameFlag.END_STREAM : 0);
  const header = (payload: Buffer, isEnd: boolean): Buffer =>
    frame(FrameType.HEADERS, { stream, flags: FrameFlag.END_HEADERS | end(isEnd), payload });
  const data = (body ?? []).map((payload, i) =>
    frame(FrameType.DATA, { stream, flags: end(!hasTrailers && i === (body ?? []).length - 1), payload }),
  );
  const rest = hasTrailers ? [header(block(trailers), true)] : [];
  if (body?.length === 0 && !hasTrailers) rest.push(frame(FrameType.DATA, { stream, flags: FrameFlag.END_STREAM }));
  return Buffer.concat([header(block(fields), body === undefined), ...data, ...rest]);
}

const PER_CONNECTION = /^(connection|transfer-encoding|te): /;
const shown = (text: string): string[] =>
  text
    .split("\r\n")
    .filter((line) => line !== "")
    .map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase()))
    .filter((line) => !PER_CONNECTION.test(line));

/** What came of one HTTP/1.1 message, and where it ends; undefined while it is incomplete. */
export function readHttp1(bytes: Buffer, hasNoBody: boolean): { seen: Seen; end: number } | undefined {
  const starts: string[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf("\r\n\r\n", at, "latin1");
    if (end < 0) return undefined;
    const [start = "", ...rest] = bytes.toString("latin1", at, end + 2).split("\r\n");
    const status = /^HTTP\/1\.1 (\d+)/.exec(start)?.[1];
    starts.push(status ?? start);
    at = end + 4;
    if (status?.startsWith("1") === true) continue;
    const head = rest.join("\r\n");
    const isEmpty = status === undefined ? false : hasNoBody || status === "204" || status === "304";
    const body = isEmpty ? { content: [], trailers: "", end: at } : readBody(bytes, at, head);
    if (body === undefined) return undefined;
    const { content, trailers, end: bodyEnd } = body;
    const seen = {
      start: starts.join(" "),
      fields: shown(head),
      body: Buffer.concat(content),
      trailers: shown(trailers),
    };
    return { seen, end: bodyEnd };
  }
}

interface Body {
  readonly content: readonly Buffer[];
  readonly trailers: string;
  readonly end: number;
}

function readBody(bytes: Buffer, start: number, head: string): Body | undefined {
  if (!/^transfer-encoding: chunked/im.test(head)) {
    const end = start + Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    return end > bytes.length ? undefined : { content: [bytes.subarray(start, end)], trailers: "", end };
  }
  const content: Buffer[] = [];
  for (let at = start; ;) {
    const line = bytes.indexOf("\r\n", at, "latin1");
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, line), 16);
    if (size === 0) {
      const end = bytes.indexOf("\r\n\r\n", line, "latin1");
      return end < 0 ? undefined : { content, trailers: bytes.toString("latin1", line + 2, end), end: end + 4 };
    }
    if (line + 4 + size > bytes.length) return undefined;
    content.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 4 + size;
  }
}

const EVENTS = ["data", "end", "close"] as const;

/** Waits for anything to come. */
function heard(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      for (const event of EVENTS) socket.off(event, done);
      resolve();
    };
    for (const event of EVENTS) socket.on(event, done);
  });
}

/** Asks one after the other on a connection of HTTP/1.1, or on several where it is closed. */
export async function askHttp1(target: ListeningSocket, all: readonly Asked[]): Promise<Seen[]> {
  const seen: Seen[] = [];
  let peer: Peer | undefined;
  for (const asked of all) {
    peer ??= (await Peer.connect(target)).read();
    await peer.send(http1Request(asked));
    const isHead = asked.method === "HEAD";
    let answer = readHttp1(peer.received, isHead);
    while (answer === undefined) {
      if (peer.ended || peer.errorCode !== undefined)
        throw new Error(`ended after ${peer.received.toString("latin1")}`);
      await heard(peer.socket);
      answer = readHttp1(peer.received, isHead);
    }
    seen.push(answer.seen);
    const isLast = /\r\nconnection: close\r\n/i.test(peer.received.toString("latin1"));
    peer.chunks.length = 0;
    if (!isLast) continue;
    peer.socket.destroy();
    peer = undefined;
  }
  peer?.socket.destroy();
  return seen;
}

interface Answer {
  readonly starts: string[];
  fields: string[];
  readonly content: Buffer[];
  trailers: string[];
  isEnded: boolean;
}

/** A client that gives back every byte of its windows as it comes. */
class Http2Asker {
  readonly #peer: Peer;
  readonly #decoder = new HpackDecoder();
  readonly #answers = new Map<number, Answer>();
  #bytes = Buffer.alloc(0);
  #block = Buffer.alloc(0);
  #flags = 0;
  failure: string | undefined;

  constructor(peer: Peer) {
    this.#peer = peer;
    peer.socket.on("data", (bytes: Buffer) => this.#read(bytes));
  }

  async answer(stream: number): Promise<Seen> {
    for (;;) {
      const answer = this.#answers.get(stream);
      if (answer?.isEnded === true) {
        const { starts, fields, content, trailers } = answer;
        return { start: starts.join(" "), fields, body: Buffer.concat(content), trailers };
      }
      if (this.failure !== undefined || this.#peer.ended) throw new Error(`stream ${stream}: ${this.failure ?? "end"}`);
      await heard(this.#peer.socket);
    }
  }

  #read(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    for (const { type, flags, stream, payload } of framesOf(this.#bytes)) {
      this.#bytes = this.#bytes.subarray(9 + payload.length);
      if (type === FrameType.HEADERS || type === FrameType.CONTINUATION) this.#readBlock(stream, type, flags, payload);
      else if (type === FrameType.DATA) this.#readData(stream, flags, payload);
      else if (type === FrameType.RST_STREAM && payload.readUInt32BE(0) !== 0)
        this.failure = `RST_STREAM ${payload.readUInt32BE(0)}`;
      else if (type === FrameType.GOAWAY && payload.readUInt32BE(4) !== 0) this.failure = "GOAWAY";
    }
  }

  #answer(stream: number): Answer {
    const known = this.#answers.get(stream);
    if (known !== undefined) return known;
    const made: Answer = { starts: [], fields: [], content: [], trailers: [], isEnded: false };
    this.#answers.set(stream, made);
    return made;
  }

  #readData(stream: number, flags: number, payload: Buffer): void {
    const answer = this.#answer(stream);
    answer.content.push(payload);
    if ((flags & FrameFlag.END_STREAM) !== 0) answer.isEnded = true;
    if (payload.length === 0) return;
    const updates = [0, stream].map((id) =>
      frame(FrameType.WINDOW_UPDATE, { stream: id, payload: number32(payload.length) }),
    );
    this.#peer.send(Buffer.concat(updates)).catch(() => undefined);
  }

  #readBlock(stream: number, type: number, flags: number, payload: Buffer): void {
    this.#flags |= type === FrameType.HEADERS ? flags & FrameFlag.END_STREAM : 0;
    this.#block = Buffer.concat([this.#block, payload]);
    if ((flags & FrameFlag.END_HEADERS) === 0) return;
    const fields: [string, string][] = [];
    const text = (slice: { bytes: Uint8Array; start: number; end: number }): string =>
      latin1Text(slice.bytes, slice.start, slice.end);
    const sink = { field: (...[name, value]: Parameters<typeof pair>) => void fields.push(pair(name, value)) };
    const pair = (name: Slice, value: Slice): [string, string] => [text(name), text(value)];
    if (!this.#decoder.decode(this.#block, 0, this.#block.length, sink)) this.failure = "HPACK";
    this.#block = Buffer.alloc(0);
    const answer = this.#answer(stream);
    const status = fields.find(([name]) => name === ":status")?.[1];
    const rest = shown(lines(fields.filter(([name]) => name !== ":status")));
    if (status === undefined) answer.trailers = rest;
    else {
      answer.starts.push(status);
      answer.fields = rest;
    }
    if (this.#flags !== 0) answer.isEnded = true;
    this.#flags = 0;
  }
}

type Slice = Parameters<Parameters<HpackDecoder["decode"]>[3]["field"]>[0];

/** Asks one after the other on one connection of HTTP/2. */
export async function askHttp2(target: ListeningSocket, all: readonly Asked[], { window }: Pace): Promise<Seen[]> {
  const peer = await Peer.connect(target);
  const asker = new Http2Asker(peer);
  peer.read();
  await peer.send(Buffer.concat([PREFACE, settings([Setting.INITIAL_WINDOW_SIZE, window])]));
  const seen: Seen[] = [];
  for (const [i, asked] of all.entries()) {
    await peer.send(http2Request(2 * i + 1, asked));
    seen.push(await asker.answer(2 * i + 1));
  }
  peer.socket.destroy();
  return seen;
}

/** The pieces leave in turns of the loop of their own. */
export interface ScriptedResponse {
  readonly pieces: readonly Buffer[];
  /** The connection ends with it. */
  readonly ends: boolean;
}

/** A backend on plain `net` that notes its requests and answers them by script. */
export class ScriptedBackend {
  readonly requests: Seen[] = [];
  /** What is answered to a request. */
  respond: (request: Seen) => ScriptedResponse = () => ({ pieces: [], ends: true });
  readonly #server = net.createServer({ noDelay: true }, (socket) => this.#serve(socket));
  readonly #sockets = new Set<net.Socket>();

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as net.AddressInfo).port;
  }

  #serve(socket: net.Socket): void {
    this.#sockets.add(socket);
    let bytes = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (more: Buffer) => {
      bytes = Buffer.concat([bytes, more]);
      const request = readHttp1(bytes, false);
      if (request === undefined) return;
      bytes = bytes.subarray(request.end);
      this.requests.push(request.seen);
      void this.#answer(socket, this.respond(request.seen));
    });
  }

  async #answer(socket: net.Socket, { pieces, ends }: ScriptedResponse): Promise<void> {
    for (const piece of pieces) {
      socket.write(piece);
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    if (ends) socket.end();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
