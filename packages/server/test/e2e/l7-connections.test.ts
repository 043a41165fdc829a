import { type IncomingMessage, request } from "node:http";

import type { FiberlbClient } from "@fiberlb/api";
import { afterAll, afterEach, beforeAll, expect, jest, test } from "@jest/globals";

import { Peer } from "../data/transport/peer.ts";
import type { Declared } from "./declare.ts";
import { readAnswer } from "./http-client.ts";
import { declareHttp } from "./policies.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { lengthOf, startWebServer, type WebServer } from "./web-server.ts";

jest.setTimeout(60_000);

let node: TestNode;
let client: FiberlbClient;
let web: WebServer;
const requests: IncomingMessage[] = [];
const peers: Peer[] = [];

beforeAll(async () => {
  node = await startTestNode();
  ({ client } = node);
  web = await startWebServer("a", {
    handle(incoming, response) {
      requests.push(incoming);
      if (incoming.url === "/silent") return;
      void lengthOf(incoming).then((bytes) => {
        response.setHeader("Trailer", "X-Sum");
        response.write(`${incoming.url} ${bytes}`);
        response.addTrailers({ "X-Sum": "42" });
        response.end();
      });
    },
  });
});
afterAll(async () => {
  await node?.stop();
  await web.close();
});
afterEach(() => peers.splice(0).forEach(({ socket }) => socket.destroy()));

const declareWeb = (listener: object = {}): Promise<Declared> =>
  declareHttp(client, { listener, backends: [{ port: web.port }] });

async function connect({ host: address, port }: Declared): Promise<Peer> {
  const peer = await Peer.connect({ address, port });
  peers.push(peer);
  return peer.read();
}

/** Sends the beginning of a request and nothing more; resolves with what comes until the connection's end. */
async function answerTo(lb: Declared, beginning: string): Promise<string> {
  const peer = await connect(lb);
  await peer.send(beginning);
  await peer.end();
  return peer.received.toString();
}

const statusOf = (answer: string): string => answer.split(" ", 2)[1] ?? "";
const HEAD = "HTTP/1.1\r\nHost: app.example\r\n";

test("a client that is slow with its head gets 408", async () => {
  const lb = await declareWeb({ requestHeaderTimeoutMs: 300 });
  expect(statusOf(await answerTo(lb, "GET / HTTP/1.1\r\nHost: app"))).toBe("408");
  expect(statusOf(await answerTo(lb, "G"))).toBe("408");
});

test("a client that stops in the midst of its body gets 408, and so does its backend see it cut", async () => {
  const lb = await declareWeb({ clientIdleTimeoutMs: 300 });
  requests.length = 0;
  expect(statusOf(await answerTo(lb, `POST /body ${HEAD}Content-Length: 10\r\n\r\nabc`))).toBe("408");
  expect(requests).toHaveLength(1);
  await new Promise<void>((resolve) => {
    if (requests[0]!.destroyed) resolve();
    else requests[0]!.on("close", () => resolve());
  });
  expect(requests[0]!.complete).toBe(false);
});

test("a client that asks nothing, or nothing more, is let go without a word", async () => {
  const lb = await declareWeb({ clientIdleTimeoutMs: 300 });
  expect(await answerTo(lb, "")).toBe("");
  const answer = await answerTo(lb, `GET /one ${HEAD}\r\n`);
  expect(answer.match(/HTTP\/1\.1 /g)).toEqual(["HTTP/1.1 "]);
});

test("a backend that does not answer in time: 504, by its silence or by the request's own limit", async () => {
  const silence = await declareWeb({ backendIdleTimeoutMs: 300, exposeReasonHeader: true });
  const wait = `GET /silent ${HEAD}Connection: close\r\n\r\n`;
  const answer = await answerTo(silence, wait);
  expect(statusOf(answer)).toBe("504");
  expect(answer).toMatch(/\r\nx-fiberlb-reason: backend-timeout\r\n/i);
  expect(statusOf(await answerTo(await declareWeb({ requestTimeoutMs: 300 }), wait))).toBe("504");
});

test("requests sent in one piece are answered in order, uploads among them", async () => {
  const peer = await connect(await declareWeb());
  const upload = `POST /2 ${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`;
  await peer.send(`GET /1 ${HEAD}\r\n${upload}GET /3 ${HEAD}Connection: close\r\n\r\n`);
  await peer.end();
  expect(peer.received.toString().match(/\/\d \d/g)).toEqual(["/1 0", "/2 3", "/3 0"]);
});

test("a client that has said everything and ends its side still gets its answer", async () => {
  const peer = await connect(await declareWeb());
  peer.socket.end(`GET /half ${HEAD}\r\n`);
  await peer.end();
  expect(peer.received.toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\/half 0/);
});

test("trailers pass, both ways", async () => {
  const { host, port } = await declareWeb();
  requests.length = 0;
  const outgoing = request({ host, port, path: "/t", method: "POST", agent: false, headers: { Trailer: "X-Check" } });
  outgoing.write("abc");
  outgoing.addTrailers({ "X-Check": "7" });
  outgoing.end();
  const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.on("response", resolve).on("error", reject);
  });
  expect(await readAnswer(incoming)).toMatchObject({ status: 200, text: "/t 3" });
  expect(incoming.trailers).toEqual({ "x-sum": "42" });
  expect(requests[0]!.trailers).toEqual({ "x-check": "7" });
});

test("one connection more than connection_limit gets 503, and the place is free again afterwards", async () => {
  const lb = await declareWeb({ connectionLimit: 2 });
  const ask = `GET /held ${HEAD}\r\n`;
  const held = [await connect(lb), await connect(lb)];
  for (const peer of held) {
    await peer.send(ask);
    await peer.receivedAtLeast(1);
  }
  expect(statusOf(await answerTo(lb, ask))).toBe("503");
  held[0]!.socket.end();
  await held[0]!.closed;
  const peer = await connect(lb);
  await peer.send(ask);
  await peer.receivedAtLeast(12);
  expect(statusOf(peer.received.toString())).toBe("200");
});

test("clients outside allowed_cidrs are reset", async () => {
  const lb = await declareWeb({ allowedCidrs: ["192.0.2.0/24"] });
  // It may hear of the reset before it hears that it is connected.
  const peer = await connect(lb).catch(() => undefined);
  await peer?.closed;
  expect(peer?.errorCode ?? "ECONNRESET").toBe("ECONNRESET");
  expect(peer?.receivedBytes ?? 0).toBe(0);
});
