import { once } from "node:events";

import { afterEach, beforeEach, expect, it } from "@jest/globals";
import fc from "fast-check";

import type { Peer } from "../transport/peer.ts";
import type { Http2Backend, SeenStream } from "./http2-backend.ts";
import { Http2UpstreamRig } from "./http2-upstream-rig.ts";
import { type LlhttpMessage, readWithLlhttp } from "./llhttp.ts";

let rig: Http2UpstreamRig;
let server: Http2Backend;

beforeEach(async () => {
  rig = new Http2UpstreamRig();
  server = await rig.http2Backend();
});
afterEach(() => rig.close());

const TOKEN = "!#$%&'*+.^`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-";
const VALUE = Array.from({ length: 256 }, (_, byte) => byte)
  .filter((byte) => byte === 9 || (byte >= 0x20 && byte !== 0x7f))
  .map((byte) => String.fromCharCode(byte));
const PATH = Array.from({ length: 0x7f - 0x21 }, (_, i) => String.fromCharCode(0x21 + i)).filter(
  (char) => char !== "#",
);

type Field = readonly [name: string, value: string];

// Names of our own, so that none has a meaning.
const fieldName = fc.string({ unit: fc.constantFrom(...TOKEN.split("")), maxLength: 12 }).map((name) => `x-t${name}`);
const fieldValue = fc
  .string({ unit: fc.constantFrom(...VALUE), maxLength: 40 })
  .map((value) => value.replaceAll(/^[ \t]+|[ \t]+$/g, ""));
const fields = fc.array(fc.tuple(fieldName, fieldValue), { maxLength: 8 });
const bytes = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "\r", "\n", "0", "\u00ff"), maxLength: 60 }),
  fc.nat({ max: 200_000 }).map((length) => "b".repeat(length)),
);
const body = fc.oneof(
  fc.constant({ kind: "none" as const, parts: [] as string[] }),
  bytes.map((part) => ({ kind: "length" as const, parts: [part] })),
  fc
    .array(
      bytes.filter((part) => part !== ""),
      { maxLength: 4 },
    )
    .map((parts) => ({ kind: "chunked" as const, parts })),
);
const request = fc.record({
  method: fc.constantFrom("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "M-SEARCH"),
  path: fc.string({ unit: fc.constantFrom(...PATH), maxLength: 30 }).map((path) => `/${path}`),
  fields,
  body,
  cuts: fc.array(fc.nat(), { maxLength: 8 }),
});
const response = fc.record({
  interim: fc.array(fields, { maxLength: 2 }),
  // With 205 node:http2 sends no content, whatever it is given.
  status: fc.oneof(
    fc.integer({ min: 200, max: 599 }).filter((status) => status !== 205),
    fc.constantFrom(200, 204, 304),
  ),
  fields,
  hasLength: fc.boolean(),
  parts: fc.array(bytes, { maxLength: 4 }),
  trailers: fields,
});
type Request = typeof request extends fc.Arbitrary<infer T> ? T : never;
type Response = typeof response extends fc.Arbitrary<infer T> ? T : never;

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

function requestBytes({ method, path, fields: own, body: { kind, parts } }: Request): Buffer {
  const content = parts.join("");
  const framing = {
    none: "",
    length: `Content-Length: ${content.length}\r\n`,
    chunked: "Transfer-Encoding: chunked\r\n",
  };
  const head = `${method} ${path} HTTP/1.1\r\nHost: app.example:81\r\n${own.map(([name, value]) => `${name}: ${value}\r\n`).join("")}`;
  const chunks = parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("");
  return latin1(`${head}${framing[kind]}\r\n${kind === "chunked" ? `${chunks}0\r\n\r\n` : content}`);
}

function pieces(message: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...cuts.map((cut) => cut % message.length), message.length].toSorted((a, b) => a - b);
  return ends.map((end, i) => message.subarray(ends[i - 1] ?? 0, end)).filter((piece) => piece.length > 0);
}

/** As HTTP/2 has them: names in lower case. */
const lowered = (list: readonly Field[]): Field[] => list.map(([name, value]) => [name.toLowerCase(), value]);
const ours = (list: readonly Field[]): Field[] => lowered(list).filter(([name]) => name.startsWith("x-t"));

/** What node:http2 takes: one entry a name. */
function outgoing(list: readonly Field[]): Record<string, string[]> {
  const headers: Record<string, string[]> = {};
  for (const [name, value] of lowered(list)) (headers[name] ??= []).push(value);
  return headers;
}

/** Fields of one name stay in order; names may change places, since node:http2 takes them by name. */
const grouped = (list: readonly Field[]): Field[] =>
  Object.entries(outgoing(list)).flatMap(([name, values]) => values.map((value): Field => [name, value]));

const isBodiless = (method: string, status: number): boolean => method === "HEAD" || status === 204 || status === 304;

/** Answers like that. */
function answer(
  seen: SeenStream,
  method: string,
  { interim, status, fields: own, hasLength, parts, trailers }: Response,
): void {
  const { stream } = seen;
  for (const hints of interim) stream.additionalHeaders({ ":status": 103, ...outgoing(hints) });
  const content = latin1(parts.join(""));
  if (isBodiless(method, status)) {
    stream.respond({ ":status": status, ...outgoing(own) }, { endStream: true });
    return;
  }
  const length = hasLength ? { "content-length": content.length } : {};
  const waitForTrailers = !hasLength && trailers.length > 0;
  stream.respond({ ":status": status, ...length, ...outgoing(own) }, { waitForTrailers });
  stream.on("wantTrailers", () => stream.sendTrailers(outgoing(trailers)));
  for (const part of parts) stream.write(latin1(part));
  stream.end();
}

/** The final response, with the interim ones before it, as node's own parser reads them. */
async function received(client: Peer, method: string, { status, interim }: Response): Promise<LlhttpMessage[]> {
  for (;;) {
    const skipsBody = method === "HEAD";
    // A parser that skips the bodies of HEAD's responses does not mind those that have none.
    const { messages, error } = readWithLlhttp("response", client.received, { skipsBody });
    if (error !== undefined) throw new Error(`${error} in ${client.received.toString("latin1")}`);
    if (messages.length === interim.length + 1 && messages.at(-1)?.isComplete === true) return [...messages];
    if (client.ended || client.errorCode !== undefined) throw new Error(`ended before ${status}: ${client.errorCode}`);
    await Promise.race([once(client.socket, "data"), client.closed]);
  }
}

it("what a client sends is what an HTTP/2 backend gets, and what that answers is what the client gets", async () => {
  let client = await rig.client();
  await fc.assert(
    fc.asyncProperty(request, response, async (asked, given) => {
      if (client.ended || client.socket.destroyed) client = await rig.client();
      for (const piece of pieces(requestBytes(asked), asked.cuts)) await client.send(piece);
      const seen = await server.next();
      const { headers, rawHeaders } = seen;
      expect([headers[":method"], headers[":path"], headers[":authority"]]).toEqual([
        asked.method,
        asked.path,
        "app.example:81",
      ]);
      const raw = Array.from({ length: rawHeaders.length / 2 }, (_, i): Field => [
        rawHeaders[2 * i]!,
        rawHeaders[2 * i + 1]!,
      ]);
      expect(ours(raw)).toEqual(lowered(asked.fields));
      const content = asked.body.parts.join("");
      expect((await seen.body()).toString("latin1")).toBe(content);
      expect(headers["content-length"]).toBe(asked.body.kind === "length" ? `${content.length}` : undefined);

      answer(seen, asked.method, given);
      const messages = await received(client, asked.method, given);
      const last = messages.at(-1)!;
      expect(messages.slice(0, -1).map((message) => [message.status, ours(message.headers)])).toEqual(
        given.interim.map((hints) => [103, grouped(hints)]),
      );
      expect([last.status, ours(last.headers)]).toEqual([given.status, grouped(given.fields)]);
      const isEmpty = isBodiless(asked.method, given.status);
      expect(last.body).toBe(isEmpty ? "" : given.parts.join(""));
      expect(ours(last.trailers)).toEqual(isEmpty || given.hasLength ? [] : grouped(given.trailers));
      client.chunks.length = 0;
      client.receivedBytes = 0;
    }),
    { numRuns: 150, endOnFailure: true },
  );
  expect(server.sessions).toHaveLength(1);
}, 30_000);
