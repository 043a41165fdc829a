import { once } from "node:events";
import http2 from "node:http2";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { closedPort, type Peer } from "../transport/peer.ts";
import { get, receives } from "./http-rig.ts";
import type { Http2Backend } from "./http2-backend.ts";
import { ask, Http2UpstreamRig, response } from "./http2-upstream-rig.ts";

const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants;
const NGHTTP2_ENHANCE_YOUR_CALM = 11;

let rig: Http2UpstreamRig;
let server: Http2Backend;
let client: Peer;

beforeEach(async () => {
  rig = new Http2UpstreamRig({ http: { exposeReasonHeader: true } });
  server = await rig.http2Backend();
  client = await rig.client();
});
afterEach(() => rig.close());

const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
const ERROR = /\r\n\r\n\d{3} .*\n$/;
const OK = { "content-length": 2 };

/** The session stands and is idle. */
async function warm(): Promise<void> {
  (await ask(client, server, get("/warm"))).respond(OK, "ok");
  await response(client, /ok$/);
}

describe("a request that the backend resets", () => {
  it.each([NGHTTP2_INTERNAL_ERROR, NGHTTP2_CANCEL, NGHTTP2_NO_ERROR])(
    "with code %i before an answer: another backend gets it, and without one the client 503",
    async (code) => {
      const other = await rig.http2Backend("other");
      const seen = await ask(client, server, get());
      seen.stream.close(code);
      (await other.next()).respond(OK, "ok");
      expect(await response(client, /ok$/)).toMatch(/^HTTP\/1.1 200 /);
      expect(server.openSessions).toBe(1);
    },
  );

  it("is not repeated when it might do harm: 502", async () => {
    await rig.http2Backend("other");
    (await ask(client, server, POST)).stream.close(NGHTTP2_INTERNAL_ERROR);
    expect(await response(client, ERROR)).toMatch(/^HTTP\/1.1 502 [^]*bad-response/);
    expect(rig.account.rejected).toEqual(["bad-response"]);
  });

  it.each([
    ["INTERNAL_ERROR", new Error("broken")],
    ["NO_ERROR", undefined],
  ])("with %s in the middle of the answer: it is cut", async (_code, error) => {
    const seen = await ask(client, server, get());
    seen.respond();
    seen.stream.write("half");
    await receives(client, /half\r\n$/);
    seen.cut(error);
    await client.closed;
    expect(client.errorCode).toBe("ECONNRESET");
    expect(client.received.toString()).not.toMatch(/\r\n0\r\n/);
  });

  it("shorter than its length: it is cut", async () => {
    const seen = await ask(client, server, get());
    seen.respond({ "content-length": 100 });
    seen.stream.write("half");
    await receives(client, /half$/);
    seen.stream.end();
    await client.closed;
    expect(client.errorCode).toBe("ECONNRESET");
  });

  it("leaves the others of its connection alone", async () => {
    const other = await rig.client();
    const [first, second] = [await ask(client, server, get("/1")), await ask(other, server, get("/2"))];
    second.respond({ "content-length": 4 });
    second.stream.write("o");
    first.stream.close(NGHTTP2_CANCEL);
    await response(client, ERROR);
    second.stream.end("kay");
    expect(await receives(other, /okay$/)).toMatch(/^HTTP\/1.1 200 /);
    expect(server.sessions).toHaveLength(1);
  });
});

describe("a request that the backend has refused unseen", () => {
  it.each([get(), POST])("is sent again, whatever it is: %j", async (text) => {
    (await ask(client, server, text)).stream.close(NGHTTP2_REFUSED_STREAM);
    (await server.next()).respond(OK, "ok");
    expect(await response(client, /ok$/)).toMatch(/^HTTP\/1.1 200 /);
    expect(rig.balancer.log.filter((line) => line.endsWith("failed"))).toEqual([]);
  });

  it("twice goes to another backend", async () => {
    const other = await rig.http2Backend("other");
    (await ask(client, server, POST)).stream.close(NGHTTP2_REFUSED_STREAM);
    (await server.next()).stream.close(NGHTTP2_REFUSED_STREAM);
    (await other.next()).respond(OK, "ok");
    await response(client, /ok$/);
    expect(rig.balancer.log).toContain("backend failed");
  });

  it("and of which more was sent meanwhile can't be repeated: 502", async () => {
    const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
    const seen = await ask(client, server, `${head}first`);
    await client.send("second");
    await seen.bodyAtLeast(11);
    seen.stream.close(NGHTTP2_REFUSED_STREAM);
    expect(await receives(client, ERROR)).toMatch(/^HTTP\/1.1 502 /);
  });
});

describe("GOAWAY", () => {
  it("while idle: the next request opens a connection", async () => {
    await warm();
    const [session] = server.sessions;
    await new Promise<void>((resolve) => session!.close(resolve));
    (await ask(client, server, POST)).respond(OK, "ok");
    await response(client, /ok$/);
    expect(server.sessions).toHaveLength(2);
  });

  it("lets requests under way finish, while new ones go to another connection", async () => {
    const first = await ask(client, server, get("/1"));
    server.sessions[0]!.goaway(NGHTTP2_NO_ERROR, first.stream.id);
    first.stream.additionalHeaders({ ":status": 103 });
    await response(client, /103 [^]*\r\n\r\n$/);
    const other = await rig.client();
    const second = await ask(other, server, get("/2"));
    expect(second.stream.session).not.toBe(first.stream.session);
    first.respond(OK, "ok");
    second.respond(OK, "ok");
    await Promise.all([response(client, /ok$/), response(other, /ok$/)]);
    await first.closed;
  });

  it.each([NGHTTP2_NO_ERROR, NGHTTP2_ENHANCE_YOUR_CALM])(
    "of code %i with an earlier last stream: the request is sent again on another connection",
    async (code) => {
      await warm();
      const seen = await ask(client, server, POST);
      seen.stream.session!.goaway(code, 1);
      (await server.next()).respond(OK, "ok");
      expect(await response(client, /ok$/)).toMatch(/^HTTP\/1.1 200 /);
      expect(server.sessions).toHaveLength(2);
    },
  );
});

describe("a connection that is lost", () => {
  it("while a harmless request waits: the same backend gets it again", async () => {
    await warm();
    (await ask(client, server, get("/again"))).stream.session!.destroy();
    const seen = await server.next();
    expect(seen.headers[":path"]).toBe("/again");
    seen.respond(OK, "ok");
    await response(client, /ok$/);
  });

  it("while another request waits: 502", async () => {
    await warm();
    (await ask(client, server, POST)).stream.session!.destroy();
    expect(await response(client, ERROR)).toMatch(/^HTTP\/1.1 502 /);
  });

  it("in the middle of answers: all of them are cut", async () => {
    const other = await rig.client();
    const streams = [await ask(client, server, get("/1")), await ask(other, server, get("/2"))];
    for (const seen of streams) {
      seen.respond();
      seen.stream.write("half");
    }
    await Promise.all([receives(client, /half\r\n$/), receives(other, /half\r\n$/)]);
    server.sessions[0]!.destroy();
    await Promise.all([client.closed, other.closed]);
    expect([client.errorCode, other.errorCode]).toEqual(["ECONNRESET", "ECONNRESET"]);
    await rig.account.until(() => rig.account.closed === 2);
    expect(rig.balancer.log.filter((line) => line.endsWith("released"))).toHaveLength(2);
  });

  it("after the backend has sent everything: a slow client still gets all of it", async () => {
    const size = 200_000;
    client.socket.pause();
    const seen = await ask(client, server, get());
    seen.respond({ "content-length": size }, Buffer.alloc(size, "x"));
    await seen.closed;
    seen.stream.session?.destroy();
    server.sessions[0]!.destroy();
    await client.receivedAtLeast(size);
  });
});

describe("a backend that can't be reached", () => {
  it("because nobody listens: another one gets the request, and without one the client 503", async () => {
    await server.close();
    const other = await rig.http2Backend("other");
    await client.send(POST);
    (await other.next()).respond(OK, "ok");
    await response(client, /ok$/);
    expect(rig.connectErrors[0]).toContain("backend ECONNREFUSED");
    await other.close();
    rig.balancer.backends = rig.balancer.backends.slice(0, 1);
    await client.send(POST);
    expect(await response(client, ERROR)).toMatch(/^HTTP\/1.1 503 [^]*connect-failed/);
  });

  it("because it speaks HTTP/1.1: 503, and the reason is told", async () => {
    rig.balancer.backends = [];
    const http1 = await rig.backend("http1");
    await client.send(POST);
    const peer = await http1.next();
    peer.read();
    await peer.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    expect(await response(client, ERROR)).toMatch(/^HTTP\/1.1 503 [^]*connect-failed/);
    expect(rig.connectErrors[0]).toMatch(/http1 EPROTO Cannot speak HTTP\/2 with 127.0.0.1:\d+: /);
  });

  it("because it never says anything: 503 after the connect timeout", async () => {
    rig.balancer.backends = [];
    const silent = await rig.backend("silent");
    await client.send(POST);
    const peer = await silent.next();
    await peer.receivedAtLeast(1);
    rig.clock.advance(5000);
    expect(await response(client, ERROR)).toMatch(/^HTTP\/1.1 503 [^]*connect-failed/);
  });

  it("closed port, many requests: each is answered", async () => {
    rig.balancer.backends = [];
    rig.balancer.add("closed", await closedPort());
    const clients = await Promise.all(Array.from({ length: 5 }, () => rig.client()));
    for (const each of clients) await each.send(get());
    for (const each of clients) expect(await receives(each, ERROR)).toMatch(/^HTTP\/1.1 503 /);
  });
});

describe("a client that leaves", () => {
  it("before the answer: its request is cancelled, the connection stays", async () => {
    const seen = await ask(client, server, get());
    client.socket.resetAndDestroy();
    await seen.closed;
    expect(seen.stream.rstCode).toBe(NGHTTP2_CANCEL);
    client = await rig.client();
    await warm();
    expect(server.sessions).toHaveLength(1);
    expect(server.openSessions).toBe(1);
  });

  it.each(["Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"])(
    "in the middle of its request, %j: likewise",
    async (rest) => {
      const seen = await ask(client, server, `POST / HTTP/1.1\r\nHost: a\r\n${rest}`);
      await seen.bodyAtLeast(4);
      client.socket.resetAndDestroy();
      await seen.closed;
      expect(seen.stream.rstCode).toBe(NGHTTP2_CANCEL);
      // Not even in between did it look complete.
      expect(seen.stream.aborted).toBe(true);
      expect(server.openSessions).toBe(1);
    },
  );
});

const PREFACE_BYTES = 24;
const FRAME_HEAD_BYTES = 9;
const SETTINGS_ACK = "4:1";
/** An empty SETTINGS frame (RFC 9113 §6.5). */
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** Type and flags of the frames that a client has sent. */
function frames(bytes: Buffer): string[] {
  const seen: string[] = [];
  let at = PREFACE_BYTES;
  while (at + FRAME_HEAD_BYTES <= bytes.length) {
    seen.push(`${bytes[at + 3]}:${bytes[at + 4]}`);
    at += FRAME_HEAD_BYTES + bytes.readUIntBE(at, 3);
  }
  return seen;
}

describe("timeouts and revocation", () => {
  it("a backend that does not answer: 504, and its connection is not used until it has answered a PING", async () => {
    await rig.close();
    rig = new Http2UpstreamRig({ http: { requestTimeoutMs: 8000, exposeReasonHeader: true } });
    server = await rig.http2Backend();
    client = await rig.client();
    const seen = await ask(client, server, get());
    const pinged = new Promise((resolve) => void server.sessions[0]!.once("ping", resolve));
    rig.clock.advance(8000);
    expect(await response(client, ERROR)).toMatch(/^HTTP\/1.1 504 /);
    await pinged;
    await seen.closed;
    await warm();
  });

  it("a backend that is revoked: a harmless request goes to another one", async () => {
    const other = await rig.http2Backend("other");
    const seen = await ask(client, server, get());
    rig.balancer.revoke("backend-down");
    (await other.next()).respond(OK, "ok");
    await response(client, /ok$/);
    await seen.closed;
  });

  it("a backend that is down: idle connections end, the next request opens another", async () => {
    await warm();
    const closed = new Promise<void>((resolve) => void server.sessions[0]!.once("close", resolve));
    rig.upstreams.forget("backend");
    await closed;
    await warm();
    expect(server.sessions).toHaveLength(2);
  });

  it("a backend that is down: a request under way is finished", async () => {
    const seen = await ask(client, server, get());
    rig.upstreams.forget("backend");
    const closed = new Promise<void>((resolve) => void server.sessions[0]!.once("close", resolve));
    seen.respond(OK, "ok");
    await response(client, /ok$/);
    await closed;
  });

  it("a request given up while the connection is being made: the backend never hears of it", async () => {
    rig.balancer.backends = [];
    const raw = await rig.backend("raw");
    await client.send(get());
    const peer = await raw.next();
    rig.balancer.revoke("shutdown");
    expect(await response(client, ERROR)).toMatch(/^HTTP\/1.1 502 [^]*backend-lost/);
    await peer.send(SETTINGS);
    peer.read();
    while (!frames(peer.received).includes(SETTINGS_ACK)) await once(peer.socket, "data");
    rig.upstreams.close();
    await peer.end();
    // HEADERS would be of type 1.
    expect(frames(peer.received).filter((frame) => frame.startsWith("1:"))).toEqual([]);
  });

  it("all are closed while one waits for SETTINGS that nobody needs any more: it ends at once", async () => {
    rig.balancer.backends = [];
    const silent = await rig.backend("silent");
    await client.send(get());
    const peer = (await silent.next()).read();
    rig.balancer.revoke("shutdown");
    expect(await response(client, ERROR)).toMatch(/^HTTP\/1.1 502 [^]*backend-lost/);
    rig.upstreams.close();
    await peer.end();
  });
});
