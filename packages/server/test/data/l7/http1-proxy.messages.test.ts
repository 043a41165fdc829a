import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import type { Peer, PeerServer } from "../transport/peer.ts";
import { pattern } from "../transport/peer.ts";
import { forget, get, HEAD_END, HttpRig, OK, receives } from "./http-rig.ts";

let rig: HttpRig;
let server: PeerServer;
let client: Peer;

beforeEach(async () => {
  rig = new HttpRig();
  server = await rig.backend();
  client = await rig.client();
});
afterEach(() => rig.close());

/** Sends a request whose head ends the backend's read, and answers the backend's connection. */
async function ask(request: string): Promise<Peer> {
  await client.send(request);
  const backend = await server.next();
  await receives(backend, /\r\n\r\n/);
  return backend;
}

describe("requests", () => {
  it("arrive with one host, without hop-by-hop headers, with the client's address", async () => {
    const backend = await ask(
      get("/a?b=c", "X-One: 1\r\nKeep-Alive: 5\r\nConnection: x-mine\r\nX-Mine: 2\r\nX-Forwarded-For: 192.0.2.9\r\n"),
    );
    expect((await receives(backend, HEAD_END)).split("\r\n")).toEqual([
      "GET /a?b=c HTTP/1.1",
      "Host: app.example",
      "X-One: 1",
      "X-Forwarded-For: 192.0.2.9, 127.0.0.1",
      "X-Forwarded-Proto: http",
      "X-Forwarded-Port: 80",
      "",
      "",
    ]);
  });

  it("get an X-Request-Id when the listener says so", async () => {
    rig.update({ http: { addRequestId: true } });
    const backend = await ask(get());
    expect(await receives(backend, HEAD_END)).toMatch(/\r\nX-Request-Id: [0-9a-f]{32}\r\n/);
  });

  it("in absolute form are sent in origin form, to the host of the URL", async () => {
    const backend = await ask("GET http://other.example/x?y HTTP/1.1\r\nHost: app.example\r\n\r\n");
    expect(await receives(backend, HEAD_END)).toMatch(/^GET \/x\?y HTTP\/1.1\r\nHost: other.example\r\n/);
  });

  it("of HTTP/1.0 without a host get ours", async () => {
    const backend = await ask("GET / HTTP/1.0\r\n\r\n");
    expect(await receives(backend, HEAD_END)).toMatch(/^GET \/ HTTP\/1.1\r\nHost: 192.0.2.80\r\n/);
  });

  it("go out with what came of their body in one piece, the rest streamed", async () => {
    const backend = await ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    await receives(backend, /\r\n\r\nhello$/);
    await client.send("world");
    await receives(backend, /\r\n\r\nhelloworld$/);
    await backend.send(OK);
    await receives(client, /ok$/);
  });

  it("in chunks keep chunks and trailers, and lose extensions", async () => {
    const backend = await ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n");
    await client.send("0\r\nX-Sum: 1\r\n\r\n");
    expect(await receives(backend, /Sum: 1\r\n\r\n$/)).toContain("\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n");
    await backend.send(OK);
    await receives(client, /ok$/);
  });

  it("split into single bytes are the same requests", async () => {
    const text = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    for (const byte of text) await client.send(byte);
    const backend = await server.next();
    expect(await receives(backend, /hello$/)).toMatch(/^POST \/p HTTP\/1.1\r\nHost: a\r\nContent-Length: 5\r\n/);
    for (const byte of OK) await backend.send(byte);
    expect(await receives(client, /ok$/)).toBe(OK);
  });

  it("wait for 100 Continue, which is passed on", async () => {
    const backend = await ask("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    await backend.send("HTTP/1.1 100 Continue\r\n\r\n");
    expect(await receives(client, HEAD_END)).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    await client.send("hi");
    await receives(backend, /\r\n\r\nhi$/);
    await backend.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n");
    expect(await receives(client, /204/)).toMatch(
      /103 Early Hints\r\nLink: <\/x>\r\n\r\nHTTP\/1.1 204 No Content\r\n\r\n$/,
    );
  });
});

describe("connections", () => {
  it("are kept on both sides, and one to a backend serves many clients", async () => {
    const backend = await ask(get("/1"));
    await backend.send(OK);
    await receives(client, /ok$/);
    const second = await rig.client();
    await second.send(get("/2"));
    await receives(backend, /GET \/2 .*\r\n\r\n$/s);
    await backend.send(OK);
    await receives(second, /ok$/);
    expect(server.peers).toHaveLength(1);
    expect(rig.balancer.log).toEqual([
      "backend connected",
      "backend released",
      "backend connected",
      "backend released",
    ]);
  });

  it("have pipelined requests answered in order, one at a time", async () => {
    const backend = await ask(get("/1") + get("/2") + get("/3"));
    for (const path of ["/1", "/2", "/3"]) {
      const text = await receives(backend, new RegExp(`GET ${path} .*\r\n\r\n$`, "s"));
      expect(text.match(/GET/g)).toHaveLength(1);
      forget(backend);
      await backend.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${path}`);
      await receives(client, new RegExp(`${path}$`));
    }
    expect(client.received.toString()).toMatch(/\/1HTTP.*\/2HTTP.*\/3$/s);
  });

  it("of HTTP/1.0 end after the response, unless both want to go on", async () => {
    const backend = await ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    await backend.send(OK);
    expect(await receives(client, /ok$/)).toContain("\r\nConnection: keep-alive\r\n");
    await client.send("GET / HTTP/1.0\r\n\r\n");
    await receives(backend, /GET.*GET.*\r\n\r\n$/s);
    await backend.send(OK);
    expect(await receives(client, /ok.*ok$/s)).toContain("\r\nConnection: close\r\n");
    await client.end();
  });

  it("end after Connection: close of the client", async () => {
    const backend = await ask(get("/", "Connection: close\r\n"));
    await backend.send(OK);
    expect(await receives(client, /ok$/)).toContain("\r\nConnection: close\r\n");
    await client.end();
  });

  it("to a backend that says close are not used again, the client's is", async () => {
    const backend = await ask(get());
    await backend.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    expect(await receives(client, /ok$/)).toBe(OK);
    await backend.end();
    await client.send(get("/2"));
    await receives(await server.next(), HEAD_END);
  });

  it("to a backend that says more than it was asked are not used again", async () => {
    const backend = await ask(get());
    await backend.send(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsteal`);
    expect(await receives(client, /ok$/)).toBe(OK);
    await backend.end();
    await client.send(get("/2"));
    const other = await server.next();
    await other.send(OK);
    expect(await receives(client, /ok.*ok$/s)).toBe(OK + OK);
  });

  it("half-closed by the client still bring the response", async () => {
    const backend = await ask(get());
    client.socket.end();
    await backend.send(OK);
    expect(await receives(client, /ok$/)).toContain("200 OK");
    await client.end();
  });
});

describe("responses", () => {
  it("to HEAD have no body, whatever their length says", async () => {
    const backend = await ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    await backend.send("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
    expect(await receives(client, HEAD_END)).toContain("Content-Length: 500");
    await client.send(get("/next"));
    await receives(backend, /GET \/next/);
  });

  it("in chunks keep chunks and trailers", async () => {
    const backend = await ask(get());
    const body = "5\r\nhello\r\n0\r\nX-Sum: 9\r\n\r\n";
    await backend.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.slice(0, 4)}`);
    await backend.send(body.slice(4));
    expect(await receives(client, /Sum: 9\r\n\r\n$/)).toBe(
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`,
    );
  });

  it("in chunks lose them for HTTP/1.0, and end with the connection", async () => {
    const backend = await ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    await backend.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    await client.end();
    expect(client.received.toString()).toBe("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
  });

  it("without a length get chunks, and the client's connection goes on", async () => {
    const backend = await ask(get());
    await backend.send("HTTP/1.1 200 OK\r\n\r\nhello");
    await receives(client, /hello\r\n$/);
    await backend.send("world");
    await receives(client, /world\r\n$/);
    backend.socket.end();
    expect(await receives(client, /0\r\n\r\n$/)).toBe(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n",
    );
    await client.send(get("/2"));
    await receives(await server.next(), HEAD_END);
  });

  it("that come before the request's body has ended are passed on, and the connection ends", async () => {
    const backend = await ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nbegin");
    await backend.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    expect(await receives(client, /no$/)).toContain("\r\nConnection: close\r\n");
    await client.send("more of it");
    await client.end();
  });

  it("of many bytes arrive whole, to a client that reads late", async () => {
    const body = pattern(8_000_000);
    client.socket.pause();
    const backend = await ask(get());
    const sent = backend.send(
      Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`), body]),
    );
    await client.receivedAtLeast(body.length + 40);
    await sent;
    expect(client.received.subarray(-body.length).equals(body)).toBe(true);
    await client.send(get("/2"));
    await receives(backend, /GET \/2/);
  });
});

describe("the last response of a connection", () => {
  it("is taken as slowly as the client likes", async () => {
    const body = pattern(8_000_000);
    client.socket.pause();
    const backend = await ask(get("/", "Connection: close\r\n"));
    const head = Buffer.from("HTTP/1.1 200 OK\r\n\r\n");
    void backend.send(Buffer.concat([head, body])).then(() => backend.socket.end());
    await rig.account.until(() => rig.account.bytesOut > 100_000);
    for (let i = 0; i < 10; i++) rig.clock.advance(1000);
    await client.end();
    expect(client.receivedBytes).toBeGreaterThan(body.length);
    expect(client.received.subarray(-5).toString()).toBe("0\r\n\r\n");
  });
});

describe("uploads", () => {
  it("of many bytes arrive whole, at a backend that reads late, and are not kept meanwhile", async () => {
    const body = pattern(16_000_000, 7);
    const request = Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
    const sent = client.send(Buffer.concat([request, body]));
    const backend = await server.next();
    await backend.receivedAtLeast(body.length);
    await sent;
    await receives(backend, /POST/);
    expect(backend.received.subarray(-100).equals(body.subarray(-100))).toBe(true);
    await backend.send(OK);
    await receives(client, /ok$/);
    expect(rig.account.bytesIn).toBe(request.length + body.length);
  });
});
