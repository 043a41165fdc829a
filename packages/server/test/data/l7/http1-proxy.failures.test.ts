import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { closedPort, type Peer, type PeerServer } from "../transport/peer.ts";
import { forget, get, HEAD_END, HttpRig, OK, receives, type RigListener } from "./http-rig.ts";

let rig: HttpRig;
let server: PeerServer;
let client: Peer;

beforeEach(async () => {
  rig = new HttpRig({ http: { exposeReasonHeader: true } });
  server = await rig.backend();
  client = await rig.client();
});
afterEach(() => rig.close());

const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";

async function ask(request: string): Promise<Peer> {
  await client.send(request);
  const backend = await server.next();
  await receives(backend, /\r\n\r\n/);
  return backend;
}

/** The answer of a request that no backend gets. */
async function answered(request: string, pattern = /\r\n\r\n[^]*\n$/): Promise<string> {
  await client.send(request);
  return receives(client, pattern);
}

describe("requests that can't be understood", () => {
  it.each([
    ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
    ["two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
    [
      "length and coding",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
    ["two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400],
    ["blank before the colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 3\r\n\r\nabc", 400],
    ["a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n", 400],
    ["a bare LF", "GET / HTTP/1.1\nHost: a\n\n", 400],
    [
      "a coding that is not chunked",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      501,
    ],
    ["a malformed chunk", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400],
    [
      "a host among the trailers",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\n\r\n",
      400,
    ],
    ["another version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505],
  ])("%s: refused, and no backend hears of them", async (_what, request, status) => {
    // A second request behind it must not be looked at.
    const answer = await answered(`${request}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain("\r\nConnection: close\r\n");
    expect(answer.match(/HTTP\/1.1 \d/g)).toHaveLength(1);
    await client.end();
    expect(rig.account.rejected).toEqual(["bad-request"]);
    expect(rig.balancer.leases).toEqual([]);
  });

  it("CONNECT gets 501, and the connection goes on", async () => {
    expect(await answered("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")).toMatch(/^HTTP\/1.1 501 /);
    await receives(await ask(get()), HEAD_END);
  });

  it("a body that breaks on its way ends both sides", async () => {
    const backend = await ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    await client.send("nonsense\r\n");
    expect(await receives(client, /400 Bad Request\n$/)).toMatch(/^HTTP\/1.1 400 /);
    await backend.closed;
    expect(backend.errorCode).toBe("ECONNRESET");
  });

  it("a body cut by the client is cut for the backend", async () => {
    const backend = await ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
    client.socket.end();
    await backend.closed;
    expect(backend.errorCode).toBe("ECONNRESET");
  });
});

describe("limits", () => {
  it.each<[string, NonNullable<RigListener["http"]>, string, number]>([
    ["a long target", { maxUriBytes: 20 }, get(`/${"a".repeat(30)}`), 414],
    ["a large head", { maxRequestHeaderBytes: 200 }, get("/", `X: ${"a".repeat(300)}\r\n`), 431],
    ["many headers", { maxHeaderCount: 3 }, get("/", "A: 1\r\nB: 2\r\nC: 3\r\n"), 431],
    ["a large body", { maxRequestBodyBytes: 10 }, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", 413],
  ])("%s", async (_what, http, request, status) => {
    rig.update({ http });
    expect(await answered(request)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    await client.end();
    expect(rig.balancer.leases).toEqual([]);
  });

  it("a chunked body that grows too large on its way", async () => {
    rig.update({ http: { maxRequestBodyBytes: 10 } });
    await ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n");
    expect(await answered("8\r\n12345678\r\n")).toMatch(/^HTTP\/1.1 413 /);
  });

  it("a client above the connection limit may send its request before it reads the 503, and holds no place", async () => {
    rig.update({ connectionLimit: 1 });
    const second = await rig.client();
    await second.send(get());
    expect(await receives(second, /\n$/)).toMatch(/^HTTP\/1.1 503 /);
    await second.send("more of no use");
    expect(second.errorCode).toBeUndefined();
    second.socket.end();
    await second.closed;
    expect(second.errorCode).toBeUndefined();
    expect(rig.account).toMatchObject({ opened: 1, closed: 0, rejected: ["connection-limit"] });
  });

  it("only so many clients above the connection limit are told; the others are reset", async () => {
    rig.update({ connectionLimit: 1 });
    const some = Array.from({ length: 80 }, async () => {
      const one = await rig.client().catch(() => undefined);
      await Promise.race([one?.end().catch(() => undefined), one?.closed]);
      return one?.received.toString("latin1") ?? "";
    });
    const answers = await Promise.all(some);
    expect(answers.filter((text) => text.startsWith("HTTP/1.1 503 ")).length).toBe(64);
    expect(answers.filter((text) => text === "").length).toBe(16);
    expect(rig.account).toMatchObject({ opened: 1, closed: 0 });
  });

  it("allowed CIDRs reset others", async () => {
    rig.update({ allowedCidrs: ["192.0.2.0/24"] });
    // It may hear of the reset before it hears that it is connected.
    const third = await rig.client().catch(() => undefined);
    await third?.closed;
    expect(third?.receivedBytes ?? 0).toBe(0);
    expect(rig.account.rejected).toEqual(["acl"]);
  });
});

describe("without a backend", () => {
  it("requests get 503 with the reason, and the client's connection goes on", async () => {
    rig.balancer.backends = [];
    expect(await answered(get())).toMatch(/^HTTP\/1.1 503 .*\r\nX-FiberLB-Reason: no-healthy-backend\r\n/s);
    rig.pools.delete("pool");
    expect(await answered(get(), /no-pool[^]*\n$/)).not.toContain("Connection: close");
    rig.update({});
    forget(client);
    expect(await answered(get())).not.toContain("Reason");
    expect(rig.account.rejected).toEqual(["no-backend", "no-pool", "no-pool"]);
  });

  it("one that refuses is passed over for the next, whatever the method", async () => {
    rig.balancer.backends[0] = { ...rig.balancer.backends[0]!, port: await closedPort() };
    const second = await rig.backend("second");
    await client.send(POST);
    const backend = await second.next();
    await receives(backend, /\r\n\r\nhi$/);
    await backend.send(OK);
    await receives(client, /ok$/);
    expect(rig.balancer.log).toEqual(["backend failed", "backend released", "second connected", "second released"]);
  });

  it("none that can be reached is a 503", async () => {
    rig.balancer.backends[0] = { ...rig.balancer.backends[0]!, port: await closedPort() };
    expect(await answered(get())).toContain("X-FiberLB-Reason: connect-failed");
  });
});

describe("a connection that the backend has closed while it was idle", () => {
  /** Kept open by the listener; the backend closes it once the next request has come. */
  async function stale(request: string): Promise<void> {
    const backend = await ask(get("/first"));
    await backend.send(OK);
    await receives(client, /ok$/);
    await client.send(request);
    await receives(backend, /first[^]*\r\n\r\n./);
    backend.socket.resetAndDestroy();
  }

  it("is replaced without the client's notice, when the request may arrive twice", async () => {
    await stale(get("/again"));
    const backend = await server.next();
    expect(await receives(backend, HEAD_END)).toMatch(/^GET \/again /);
    await backend.send(OK);
    await receives(client, /ok.*ok$/s);
  });

  it("is a 502 for a request that may not", async () => {
    await stale(POST);
    expect(await receives(client, /502 Bad Gateway\n$/)).toContain("X-FiberLB-Reason: bad-response");
  });

  it("is not taken for such a request, unless it was in use a moment ago", async () => {
    const backend = await ask(get("/first"));
    await backend.send(OK);
    await receives(client, /ok$/);
    rig.clock.advance(1500);
    await client.send(POST);
    const other = await server.next();
    await receives(other, /hi$/);
    await other.send(OK);
    await receives(client, /ok.*ok$/s);
  });

  it("is closed by us after some seconds", async () => {
    const backend = await ask(get("/first"));
    await backend.send(OK);
    await receives(client, /ok$/);
    rig.clock.advance(6000);
    await backend.end();
  });
});

describe("backends that break", () => {
  it("before a byte came: an idempotent request is given to another, once", async () => {
    const second = await rig.backend("second");
    const backend = await ask(get());
    backend.socket.destroy();
    const other = await second.next();
    await receives(other, HEAD_END);
    other.socket.destroy();
    expect(await receives(client, /\n$/)).toMatch(/^HTTP\/1.1 502 /);
  });

  it("before a byte came: any other request is a 502", async () => {
    await rig.backend("second");
    (await ask(POST)).socket.destroy();
    expect(await receives(client, /\n$/)).toMatch(/^HTTP\/1.1 502 /);
  });

  it.each([
    ["no response at all", "SSH-2.0-OpenSSH\r\n"],
    ["length and coding", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"],
    [
      "a switch that nobody asked for",
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
    ],
    ["a malformed chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"],
  ])("with %s: 502, and the connection to it is not used again", async (_what, response) => {
    const backend = await ask(get());
    await backend.send(response);
    expect(await receives(client, /502 Bad Gateway\n$/)).toMatch(/^HTTP\/1.1 502 /);
    await backend.closed;
    expect(rig.account.rejected).toEqual(["bad-response"]);
  });

  it.each([
    ["a length", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"],
    ["chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
  ])("in the middle of a response with %s: it is cut, never made whole", async (_what, response) => {
    const backend = await ask(get());
    await backend.send(response);
    await receives(client, /half(\r\n)?$/);
    backend.socket.destroy();
    await client.closed;
    expect(client.errorCode).toBe("ECONNRESET");
    expect(client.received.toString()).toMatch(/half(\r\n)?$/);
  });
});

describe("timeouts", () => {
  it("of a head: 408", async () => {
    rig.update({ http: { requestHeaderTimeoutMs: 1000 } });
    await client.send("GET / HTTP/1.1\r\nHost");
    await rig.account.until(() => rig.account.bytesIn > 0);
    rig.clock.advance(900);
    expect(client.receivedBytes).toBe(0);
    rig.clock.advance(300);
    expect(await receives(client, /\n$/)).toMatch(/^HTTP\/1.1 408 /);
    await client.end();
  });

  it("of an idle client: closed without a word", async () => {
    rig.update({ clientIdleTimeoutMs: 1000 });
    await receives(await ask(get()), HEAD_END);
    await server.peers[0]!.send(OK);
    await receives(client, /ok$/);
    rig.clock.advance(1500);
    await client.end();
    expect(client.received.toString()).toBe(OK);
  });

  it("of a silent backend: 504", async () => {
    rig.update({ http: { backendIdleTimeoutMs: 1000, exposeReasonHeader: true } });
    const backend = await ask(get());
    rig.clock.advance(1500);
    expect(await receives(client, /\n$/)).toMatch(/^HTTP\/1.1 504 .*Reason: backend-timeout/s);
    await backend.closed;
    expect(rig.account.rejected).toEqual(["backend-timeout"]);
  });

  it("of a backend that falls silent in a response: cut", async () => {
    rig.update({ http: { backendIdleTimeoutMs: 1000 } });
    const backend = await ask(get());
    await backend.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    await receives(client, /half$/);
    rig.clock.advance(1500);
    await client.closed;
    expect(client.errorCode).toBe("ECONNRESET");
  });

  it("of a request as a whole: 504, however lively the backend is", async () => {
    rig.update({ http: { requestTimeoutMs: 1000 } });
    const backend = await ask(get());
    await backend.send("HTTP/1.1 103 Early Hints\r\n\r\n");
    await receives(client, /103/);
    rig.clock.advance(1500);
    expect(await receives(client, /504 Gateway Timeout\n$/)).toContain("504");
  });

  it("of a client that stops in the middle of a body: 408", async () => {
    rig.update({ clientIdleTimeoutMs: 1000 });
    await ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf");
    rig.clock.advance(1500);
    expect(await receives(client, /\n$/)).toMatch(/^HTTP\/1.1 408 /);
  });
});

describe("what is ended from above", () => {
  it("a request on a backend that goes down is given to another, if it may arrive twice", async () => {
    const second = await rig.backend("second");
    const backend = await ask(get());
    rig.balancer.revoke("backend-down");
    await backend.closed;
    const other = await second.next();
    await receives(other, HEAD_END);
    await other.send(OK);
    await receives(client, /ok$/);
  });

  it("and is a 502 otherwise, or cut when its response has begun", async () => {
    await ask(POST);
    rig.balancer.revoke("backend-down");
    expect(await receives(client, /\n$/)).toMatch(/^HTTP\/1.1 502 .*backend-lost/s);
    const backend = await ask(get());
    await backend.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    await receives(client, /half$/);
    rig.balancer.revoke("backend-down");
    await client.closed;
    expect(client.errorCode).toBe("ECONNRESET");
  });

  it("a listener that goes closes idle clients at once and the others after their response", async () => {
    const idle = await rig.client();
    await idle.send(get());
    const backend = await server.next();
    await backend.send(OK);
    await receives(idle, /ok$/);
    await client.send(get("/2"));
    await receives(backend, /GET \/2/);
    rig.proxy.drain();
    await idle.end();
    await backend.send(OK);
    expect(await receives(client, /ok$/)).toContain("Connection: close");
    await client.end();
    // One that does not end its side is not waited for.
    rig.clock.advance(4000);
    await rig.account.until(() => rig.account.closed === 2);
    expect(rig.proxy.active).toBe(0);
  });

  it("a listener that goes in no hurry answers the request that is on its way, and closes then", async () => {
    const silent = await rig.client();
    await silent.send(get());
    const backend = await server.next();
    await backend.send(OK);
    await receives(silent, /ok$/);
    forget(silent);
    rig.proxy.drain(5000);
    await silent.send(get("/2"));
    await receives(backend, /GET \/2/);
    await backend.send(OK);
    expect(await receives(silent, /ok$/)).toContain("Connection: close");
    await silent.end();
  });

  it("a listener that goes in no hurry closes clients that ask nothing for so long", async () => {
    await client.send(get());
    await (await server.next()).send(OK);
    await receives(client, /ok$/);
    rig.proxy.drain(5000);
    rig.clock.advance(4999);
    expect(client.ended).toBe(false);
    rig.clock.advance(1);
    await client.end();
  });

  it("a client that leaves takes its request along", async () => {
    const backend = await ask(get());
    client.socket.resetAndDestroy();
    await backend.closed;
    expect(backend.errorCode).toBe("ECONNRESET");
    expect(rig.balancer.log).toEqual(["backend connected", "backend released"]);
  });
});
