import { once } from "node:events";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { type Peer, pattern } from "../transport/peer.ts";
import { forget, get, receives } from "./http-rig.ts";
import type { Http2Backend } from "./http2-backend.ts";
import { ask, Http2UpstreamRig, response } from "./http2-upstream-rig.ts";

let rig: Http2UpstreamRig;
let server: Http2Backend;
let client: Peer;

beforeEach(async () => {
  rig = new Http2UpstreamRig();
  server = await rig.http2Backend();
  client = await rig.client();
});
afterEach(() => rig.close());

const LARGE = 16 * 1024 * 1024;
/** More than fits into all buffers and windows on the way. */
const HELD = 8 * 1024 * 1024;
const HEAD = /^[^]*?\r\n\r\n/;

/** What comes after the head of a response with a length. */
async function content(peer: Peer, bytes: number): Promise<Buffer> {
  const head = HEAD.exec(await receives(peer, HEAD))![0];
  await peer.receivedAtLeast(head.length + bytes);
  return peer.received.subarray(head.length);
}

describe("a large response", () => {
  it.each(["with a length", "in chunks"])("%s arrives whole, and is not read ahead of a slow client", async (how) => {
    client.socket.pause();
    const seen = await ask(client, server, get());
    const data = pattern(LARGE);
    seen.respond(how === "with a length" ? { "content-length": LARGE } : {});
    seen.stream.end(data);
    // The backend may send until the windows are full: what it still holds shows that they were respected.
    await rig.account.until(() => rig.account.bytesOut > 0);
    expect(seen.stream.writableLength).toBeGreaterThan(LARGE - HELD);
    if (how === "with a length") expect(Buffer.compare(await content(client, LARGE), data)).toBe(0);
    else expect(Buffer.compare(unchunked(await receivesBytes(client, "0\r\n\r\n")), data)).toBe(0);
  });

  it("to a slow client holds nobody else up on the same connection", async () => {
    client.socket.pause();
    const seen = await ask(client, server, get("/large"));
    seen.respond({ "content-length": LARGE });
    seen.stream.end(Buffer.alloc(LARGE));
    const other = await rig.client();
    for (let i = 0; i < 3; i++) {
      (await ask(other, server, get("/small"))).respond({ "content-length": 100_000 }, Buffer.alloc(100_000, "x"));
      await content(other, 100_000);
      forget(other);
    }
    expect(server.sessions).toHaveLength(1);
    expect(seen.stream.writableFinished).toBe(false);
  });
});

describe("a large request", () => {
  it.each(["with a length", "in chunks"])("%s arrives whole, and is not read ahead of a slow backend", async (how) => {
    const data = pattern(LARGE);
    const head = "POST / HTTP/1.1\r\nHost: a\r\n";
    const sent =
      how === "with a length"
        ? client.send(Buffer.concat([Buffer.from(`${head}Content-Length: ${LARGE}\r\n\r\n`), data]))
        : client.send(Buffer.concat([Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`), chunked(data)]));
    const seen = await server.next();
    expect(client.socket.writableLength).toBeGreaterThan(LARGE - HELD);
    expect(rig.account.bytesIn).toBeLessThan(HELD);
    expect(Buffer.compare(await seen.body(), data)).toBe(0);
    await sent;
    seen.respond({ "content-length": 2 }, "ok");
    await response(client, /ok$/);
  });
});

describe("both directions at once", () => {
  it("each frame goes on at once, there and back", async () => {
    await client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    const seen = await server.next();
    seen.respond();
    seen.stream.on("data", (bytes: Buffer) => seen.stream.write(`<${bytes.toString()}>`));
    await receives(client, HEAD);
    for (const word of ["one", "two", "three"]) {
      forget(client);
      await client.send(`${word.length.toString(16)}\r\n${word}\r\n`);
      expect(await receives(client, />\r\n$/)).toBe(`${(word.length + 2).toString(16)}\r\n<${word}>\r\n`);
    }
    forget(client);
    seen.stream.on("end", () => seen.stream.end());
    await client.send("0\r\n\r\n");
    expect(await receives(client, /\r\n\r\n$/)).toBe("0\r\n\r\n");
  });

  it("the backend may end first, and the client is told to close", async () => {
    await client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    const seen = await server.next();
    await seen.bodyAtLeast(5);
    seen.respond({ "content-length": 4 }, "done");
    expect(await receives(client, /done$/)).toContain("Connection: close\r\n");
    await seen.closed;
  });

  it("megabytes are echoed", async () => {
    const data = pattern(4 * 1024 * 1024);
    const head = `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${data.length}\r\n\r\n`;
    const sent = client.send(Buffer.concat([Buffer.from(head), data]));
    const seen = await server.next();
    seen.respond({ "content-length": data.length });
    seen.stream.pipe(seen.stream);
    expect(Buffer.compare(await content(client, data.length), data)).toBe(0);
    await sent;
  });
});

function chunked(data: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < data.length; at += 100_000) {
    const part = data.subarray(at, at + 100_000);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

/** The content of a whole chunked response. */
function unchunked(message: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = message.indexOf("\r\n\r\n") + 4;
  for (;;) {
    const end = message.indexOf("\r\n", at);
    const size = Number.parseInt(message.toString("latin1", at, end), 16);
    if (size === 0) return Buffer.concat(parts);
    parts.push(message.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}

/** Everything received, once it ends so. */
async function receivesBytes(peer: Peer, end: string): Promise<Buffer> {
  peer.read();
  for (;;) {
    const last = peer.chunks.at(-1);
    if (last?.subarray(-end.length).toString("latin1") === end) return peer.received;
    await once(peer.socket, "data");
  }
}
