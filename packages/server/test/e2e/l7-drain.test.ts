import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { text } from "node:stream/consumers";

import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";

import { Peer } from "../data/transport/peer.ts";
import { type Declared, untilApplied } from "./declare.ts";
import { declareHttp } from "./policies.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { startWebServer, type WebServer } from "./web-server.ts";

jest.setTimeout(60_000);

let node: TestNode;
let web: WebServer;
let lb: Declared;
/** A request has come to the backend; it is answered when the test says so. */
let arrived: Promise<void>;
let release: () => void;

beforeEach(async () => {
  const arrival = Promise.withResolvers<void>();
  const holding = Promise.withResolvers<void>();
  arrived = arrival.promise;
  release = holding.resolve;
  web = await startWebServer("a", {
    handle({ url }, response) {
      if (url !== "/hold") return void response.end("at once");
      // Its head leaves before, its end after the listener begins to go.
      response.write("begun, ");
      arrival.resolve();
      void holding.promise.then(() => response.end("finished"));
    },
  });
  node = await startTestNode({ "shutdown.drainTimeoutMs": 30_000 });
  lb = await declareHttp(node.client, { backends: [{ port: web.port }] });
});
afterEach(() => web.close());

/** Two ways in which a listener goes; `end` resolves when it has gone. */
const WAYS = [
  {
    how: "is deleted",
    begin: async () => {
      await node.client.listeners.deleteListener({ id: lb.listenerId });
      await untilApplied(node.client, lb.loadBalancerId);
      return () => node.stop();
    },
  },
  {
    how: "goes with its node",
    begin: () => {
      const stopped = node.stop();
      return Promise.resolve(() => stopped);
    },
  },
] as const;

describe.each(WAYS)("a listener that $how", ({ begin }) => {
  test("HTTP/1.1: lets idle clients go and finishes what is under way", async () => {
    const [idle, busy] = await Promise.all([client(), client()]);
    await idle.send("GET /one HTTP/1.1\r\nHost: a\r\n\r\n");
    await idle.receivedAtLeast(1);
    await busy.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    await arrived;
    const end = await begin();
    await idle.end();
    release();
    await busy.end();
    expect(busy.received.toString()).toMatch(/^HTTP\/1\.1 200 [^]*begun, [^]*finished/);
    for (const { socket } of [idle, busy]) socket.end();
    await end();
  });

  test("HTTP/2: says so, and finishes the streams that are under way", async () => {
    const session = connect(`http://${lb.host}:${lb.port}`);
    const goaway = new Promise<void>((resolve) => void session.on("goaway", () => resolve()));
    const closed = new Promise<void>((resolve) => void session.on("close", () => resolve()));
    const quick = await answered(session, "/one");
    expect(quick).toBe("at once");
    const stream = session.request({ ":path": "/hold", ":authority": "a" });
    const answer = text(stream);
    await arrived;
    const end = await begin();
    await goaway;
    release();
    expect(await answer).toBe("begun, finished");
    await closed;
    await end();
  });
});

async function client(): Promise<Peer> {
  return (await Peer.connect({ address: lb.host, port: lb.port })).read();
}

async function answered(session: ClientHttp2Session, path: string): Promise<string> {
  const stream: ClientHttp2Stream = session.request({ ":path": path, ":authority": "a" });
  await once(stream, "response");
  return text(stream);
}
