import { once } from "node:events";
import http2 from "node:http2";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import type { Peer, PeerServer } from "../../transport/peer.ts";
import { pattern } from "../../transport/peer.ts";
import { forget, HEAD_END, HttpRig, OK, receives } from "../http-rig.ts";
import { answerOf, Http2Client } from "./http2-client.ts";

let rig: HttpRig;
let server: PeerServer;
let client: Http2Client;

beforeEach(async () => {
  rig = new HttpRig();
  server = await rig.backend();
  client = await Http2Client.connect(await rig.listen(), { maxSessionMemory: 100 });
});
afterEach(async () => {
  client.close();
  await rig.close();
});

const CHUNKED = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";

/** The next connection to the backend, once a head has come on it. */
async function asked(): Promise<Peer> {
  const backend = await server.next();
  await receives(backend, /\r\n\r\n/);
  return backend;
}

describe("requests", () => {
  it("arrive as HTTP/1.1 with the host of :authority and the client's address", async () => {
    const answer = client.ask({ ":path": "/a?b=c", "x-one": "1", te: "trailers" });
    const backend = await asked();
    expect((await receives(backend, HEAD_END)).split("\r\n")).toEqual([
      "GET /a?b=c HTTP/1.1",
      "host: app.example",
      "x-one: 1",
      "X-Forwarded-For: 127.0.0.1",
      "X-Forwarded-Proto: http",
      "X-Forwarded-Port: 80",
      "TE: trailers",
      "Connection: TE",
      "",
      "",
    ]);
    await backend.send(OK);
    expect(await answer).toMatchObject({ status: 200, body: "ok", rstCode: 0, headers: { "content-length": "2" } });
  });

  it("keep every character, whatever its Huffman code", async () => {
    const codes = Array.from({ length: 256 }, (_, code) => code).filter((code) => code > 0x20 && code !== 0x7f);
    // Surrounded by short codes, so that the client finds the code worth it.
    const fields = codes.map((code) => [`x-${code}`, `${"a".repeat(20)}${String.fromCharCode(code)}${"e".repeat(20)}`]);
    for (let i = 0; i < fields.length; i += 100) {
      const part = fields.slice(i, i + 100);
      const answer = client.ask(Object.fromEntries(part));
      const backend = i === 0 ? await asked() : (server.peers[0] as Peer);
      const text = await receives(backend, HEAD_END);
      for (const [name, value] of part) expect(text).toContain(`\r\n${name}: ${value}\r\n`);
      forget(backend);
      await backend.send(OK);
      await answer;
    }
  });

  it("have their cookies joined", async () => {
    const answer = client.ask({ cookie: ["a=1", "b=2", "c=3"] });
    const backend = await asked();
    expect(await receives(backend, HEAD_END)).toContain("\r\ncookie: a=1; b=2; c=3\r\n");
    await backend.send(OK);
    await answer;
  });

  it("with a length keep it, head and body in one piece", async () => {
    const answer = client.ask({ ":method": "POST", "content-length": 5 }, "hello");
    const backend = await server.next();
    const text = await receives(backend, /hello$/);
    expect(text).toContain("content-length: 5\r\n");
    expect(text).not.toMatch(/transfer-encoding/i);
    await backend.send(OK);
    expect((await answer).body).toBe("ok");
  });

  it("without a length come in chunks, with their trailers", async () => {
    const stream = client.request({ ":method": "POST" }, { endStream: false, waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "1" }));
    const answer = answerOf(stream);
    stream.end("hello");
    const backend = await server.next();
    expect(await receives(backend, /x-sum: 1\r\n\r\n$/)).toMatch(/\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n$/);
    await backend.send(OK);
    expect((await answer).status).toBe(200);
  });

  it("of one connection are served side by side, one connection to the backend each, and reuse what ended", async () => {
    const answers = Array.from({ length: 5 }, (_, i) => client.ask({ ":path": `/${i}` }));
    const backends = await Promise.all(answers.map(() => asked()));
    for (const backend of backends.toReversed()) {
      const path = /^GET (\S+)/.exec(backend.received.toString())?.[1] as string;
      await backend.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${path}`);
    }
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(["/0", "/1", "/2", "/3", "/4"]);
    for (const backend of backends) forget(backend);
    const again = client.ask({ ":path": "/again" });
    await Promise.race(backends.map((backend) => receives(backend, /again/)));
    await backends.find((backend) => backend.receivedBytes > 0)?.send(OK);
    expect((await again).status).toBe(200);
    expect(server.peers.length).toBe(5);
    expect(rig.account.opened).toBe(1);
  });

  it("as CONNECT are answered with 501", async () => {
    const stream = client.session.request({ ":method": "CONNECT", ":authority": "db.example:5432" });
    const answer = answerOf(stream);
    expect((await answer).status).toBe(501);
  });
});

describe("responses", () => {
  it("lose what belongs to a connection of HTTP/1.1", async () => {
    const answer = client.ask();
    const backend = await asked();
    await backend.send(
      "HTTP/1.1 200 OK\r\nKeep-Alive: 5\r\nConnection: x-mine\r\nX-Mine: 1\r\nX-Two: 2\r\nX-TWO: 3\r\n",
    );
    await backend.send("Content-Length: 0\r\n\r\n");
    expect({ ...(await answer).headers, [http2.sensitiveHeaders]: 0 }).toEqual({
      [http2.sensitiveHeaders]: 0,
      "x-two": "2, 3",
      "content-length": "0",
    });
  });

  it("in chunks are sent as they come, with trailers", async () => {
    const stream = client.request();
    const answer = answerOf(stream);
    const backend = await asked();
    await backend.send(`${CHUNKED}\r\n3\r\nabc\r\n`);
    await once(stream, "data");
    await backend.send("2\r\nde\r\n0\r\nGrpc-Status: 0\r\nx-sum: 5\r\n\r\n");
    expect(await answer).toMatchObject({ body: "abcde", trailers: { "grpc-status": "0", "x-sum": "5" }, rstCode: 0 });
  });

  it("split anywhere are the same", async () => {
    const text = `${CHUNKED}\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 5\r\n\r\n`;
    const answer = client.ask();
    const backend = await asked();
    for (const byte of text) await backend.send(byte);
    expect(await answer).toMatchObject({ status: 200, body: "abcde", trailers: { "x-sum": "5" } });
  });

  it("without a length end with the backend's connection", async () => {
    const answer = client.ask();
    const backend = await asked();
    await backend.send("HTTP/1.1 200 OK\r\n\r\nall of it");
    backend.socket.end();
    expect(await answer).toMatchObject({ status: 200, body: "all of it", rstCode: 0 });
  });

  it("that are interim come before", async () => {
    const answer = client.ask({ ":method": "POST", expect: "100-continue", "content-length": 2 }, "ab");
    const backend = await asked();
    await backend.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    await backend.send(OK);
    expect(await answer).toMatchObject({ status: 200, body: "ok" });
  });

  it.each([
    ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 200],
    ["GET", "HTTP/1.1 204 No Content\r\n\r\n", 204],
    ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304],
  ])("to %s without content end with their head: %s", async (method, response, status) => {
    const answer = client.ask({ ":method": method });
    const backend = await asked();
    await backend.send(response);
    expect(await answer).toMatchObject({ status, body: "", rstCode: 0 });
  });

  it("may come before the request is complete: the rest is not wanted", async () => {
    const stream = client.request({ ":method": "POST" }, { endStream: false });
    const answer = answerOf(stream);
    stream.write("some");
    const backend = await server.next();
    await receives(backend, /some/);
    await backend.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno\n");
    expect(await answer).toMatchObject({ status: 413, body: "no\n", rstCode: 0 });
    await backend.closed;
  });

  it("that are cut end with an error", async () => {
    const stream = client.request();
    const answer = answerOf(stream);
    const backend = await asked();
    await backend.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    await once(stream, "data");
    backend.socket.destroy();
    expect(await answer).toMatchObject({ status: 200, body: "half", rstCode: 2 });
  });

  it("of our own say what they say in HTTP/1.1", async () => {
    rig.balancer.backends = [];
    rig.update({ http: { maxRequestHeaderBytes: 8000, maxUriBytes: 4000 } });
    expect(await client.ask()).toMatchObject({ status: 503, body: "503 Service Unavailable\n", rstCode: 0 });
    expect((await client.ask({ ":path": `/${"x".repeat(5000)}` })).status).toBe(414);
    expect((await client.ask({ "x-large": "x".repeat(9000) })).status).toBe(431);
    const many = Object.fromEntries(Array.from({ length: 140 }, (_, i) => [`x-${i}`, "1"]));
    expect((await client.ask(many)).status).toBe(431);
    expect((await client.ask()).status).toBe(503);
  });
});

describe("a body that is larger than allowed", () => {
  beforeEach(() => rig.update({ http: { maxRequestBodyBytes: 1000 } }));

  it("gets 413 by its length, before any of it is sent", async () => {
    expect((await client.ask({ ":method": "POST", "content-length": 2000 }, "x".repeat(2000))).status).toBe(413);
    expect(server.peers).toEqual([]);
  });

  it("gets 413 once too much has come, and the backend is cut off", async () => {
    const stream = client.request({ ":method": "POST" }, { endStream: false });
    const answer = answerOf(stream);
    stream.write("x".repeat(600));
    const backend = await server.next();
    await receives(backend, /x{600}/);
    stream.write("x".repeat(600));
    expect(await answer).toMatchObject({ status: 413, rstCode: 0 });
    await backend.closed;
  });
});

describe("both at once", () => {
  it("stream: each side hears the other while it still speaks", async () => {
    const stream = client.request({ ":method": "POST", te: "trailers" }, { endStream: false });
    const answer = answerOf(stream);
    const backend = await server.next();
    await receives(backend, /\r\n\r\n/);
    await backend.send(`${CHUNKED}\r\n`);
    await once(stream, "response");
    for (let i = 0; i < 5; i++) {
      forget(backend);
      stream.write(`ping${i}`);
      await receives(backend, new RegExp(`ping${i}\r\n`));
      await backend.send(`5\r\npong${i}\r\n`);
      await once(stream, "data");
    }
    stream.end();
    await receives(backend, /0\r\n\r\n$/);
    await backend.send("0\r\ngrpc-status: 0\r\n\r\n");
    expect(await answer).toMatchObject({
      body: "pong0pong1pong2pong3pong4",
      trailers: { "grpc-status": "0" },
      rstCode: 0,
    });
  });
});

describe("a client that goes away", () => {
  it("ends its request to the backend with the stream", async () => {
    const stream = client.request();
    const answer = answerOf(stream);
    const backend = await asked();
    stream.close(8);
    await answer;
    await backend.closed;
  });

  it("ends all of them with the connection", async () => {
    const answers = [client.ask(), client.ask()];
    const backends = [await asked(), await asked()];
    client.close();
    await Promise.all([...answers, ...backends.map(({ closed }) => closed)]);
    await rig.account.until(() => rig.account.closed === 1);
  });
});

describe("flow control", () => {
  const MIB = 1024 * 1024;

  it("carries large bodies both ways, unchanged", async () => {
    const sent = pattern(3 * MIB);
    const stream = client.request({ ":method": "POST", "content-length": sent.length }, { endStream: false });
    const answer = answerOf(stream);
    stream.end(sent);
    const backend = await server.next();
    await receives(backend, /\r\n\r\n/);
    const headBytes = backend.received.indexOf("\r\n\r\n") + 4;
    await backend.receivedAtLeast(headBytes + sent.length);
    expect(backend.received.subarray(headBytes).equals(sent)).toBe(true);
    await backend.send(`HTTP/1.1 200 OK\r\nContent-Length: ${sent.length}\r\n\r\n`);
    await backend.send(sent);
    expect(Buffer.from((await answer).body, "latin1").equals(sent)).toBe(true);
  });

  it("lets a client that does not read stall the backend, and no other stream", async () => {
    client.session.setLocalWindowSize(MIB);
    const slow = client.request();
    slow.pause();
    const backend = await asked();
    let isSent = false;
    const body = pattern(24 * MIB);
    const all = backend.send(
      Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`), body]),
    );
    void all.then(() => (isSent = true));
    await once(slow, "response");
    for (let i = 0; i < 3; i++) {
      const other = client.ask({ ":path": "/other" });
      const second = i === 0 ? await asked() : (server.peers[1] as Peer);
      if (i > 0) await receives(second, /other/);
      forget(second);
      await second.send(OK);
      expect((await other).body).toBe("ok");
    }
    expect(isSent).toBe(false);
    expect(rig.account.bytesOut).toBeLessThan(MIB);
    const answer = answerOf(slow);
    slow.resume();
    expect(Buffer.from((await answer).body, "latin1").equals(body)).toBe(true);
  });

  it("lets a backend that does not read stall the client", async () => {
    const stream = client.request({ ":method": "POST" }, { endStream: false });
    const answer = answerOf(stream);
    const body = pattern(24 * MIB);
    stream.end(body);
    const backend = await server.next();
    await rig.account.until(() => rig.account.bytesIn > 65_000);
    const other = client.ask({ ":path": "/other" });
    const second = await asked();
    await second.send(OK);
    expect(await other).toMatchObject({ body: "ok", rstCode: 0 });
    expect(rig.account.bytesIn).toBeLessThan(16 * MIB);
    backend.read();
    while (backend.chunks.at(-1)?.toString("latin1").endsWith("\r\n0\r\n\r\n") !== true)
      await once(backend.socket, "data");
    await backend.send(OK);
    expect((await answer).body).toBe("ok");
    expect(backend.receivedBytes).toBeGreaterThan(body.length);
  });
});
