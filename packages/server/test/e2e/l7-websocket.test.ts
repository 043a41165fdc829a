import { request } from "node:http";

import { type FiberlbClient, L7PolicyAction } from "@fiberlb/api";
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";

import type { Declared } from "./declare.ts";
import { type Answer, HttpClient, readAnswer, type Target } from "./http-client.ts";
import { addPolicy, addPool, declareHttp, pathStarts } from "./policies.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { until } from "./until.ts";
import { startWebSocketEcho, type WebSocketEcho } from "./websocket-echo.ts";

jest.setTimeout(60_000);

const MIB = 1024 ** 2;

let node: TestNode;
let client: FiberlbClient;
let echo: WebSocketEcho;

beforeAll(async () => {
  node = await startTestNode();
  ({ client } = node);
});
afterAll(() => node?.stop());
beforeEach(async () => {
  echo = await startWebSocketEcho();
});
afterEach(() => echo.close());

/** How a WebSocket ended. */
interface Ended {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** Node's own WebSocket client. */
class Talker {
  readonly socket: WebSocket;
  readonly opened: Promise<void>;
  readonly ended: Promise<Ended>;
  readonly #waiting: ((data: string | ArrayBuffer) => void)[] = [];

  constructor({ host, port }: Target, path = "/", protocols: string[] = []) {
    this.socket = new WebSocket(`ws://${host}:${port}${path}`, protocols);
    this.socket.binaryType = "arraybuffer";
    const opened = Promise.withResolvers<void>();
    this.opened = opened.promise;
    this.ended = new Promise((resolve) => {
      this.socket.addEventListener("close", ({ code, reason, wasClean }) => resolve({ code, reason, wasClean }));
    });
    this.socket.addEventListener("open", () => opened.resolve());
    void this.ended.then(({ code }) => opened.reject(new Error(`closed with ${code} before it opened`)));
    this.socket.addEventListener("message", ({ data }) => this.#waiting.shift()?.(data as string | ArrayBuffer));
  }

  static async open(target: Target, path?: string, protocols?: string[]): Promise<Talker> {
    const talker = new Talker(target, path, protocols);
    await talker.opened;
    return talker;
  }

  /** Sends a message; resolves with the one that comes back. */
  async echo(message: string | Uint8Array<ArrayBuffer>): Promise<string | ArrayBuffer> {
    const answer = new Promise<string | ArrayBuffer>((resolve) => this.#waiting.push(resolve));
    this.socket.send(message);
    const gone = this.ended.then(({ code }): never => {
      throw new Error(`closed with ${code} instead of an answer`);
    });
    return Promise.race([answer, gone]);
  }

  async close(code?: number, reason?: string): Promise<Ended> {
    this.socket.close(code, reason);
    return this.ended;
  }
}

const declareEcho = (listener: object = {}): Promise<Declared> =>
  declareHttp(client, { listener, backends: [{ port: echo.port }] });

/** A handshake of WebSocket by hand, for what is not answered with 101. */
function handshake({ host, port }: Target, path: string): Promise<Answer> {
  const headers = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
  };
  return new Promise((resolve, reject) => {
    const outgoing = request({ host, port, path, headers, agent: false });
    outgoing.on("response", (incoming) => void readAnswer(incoming).then(resolve, reject));
    outgoing.on("upgrade", () => reject(new Error("was upgraded")));
    outgoing.on("error", reject);
    outgoing.end();
  });
}

test("text and binary come back, in order, from empty to many frames' worth", async () => {
  const talker = await Talker.open(await declareEcho(), "/chat", ["v2.chat", "v1.chat"]);
  expect(talker.socket.protocol).toBe("v2.chat");
  for (const text of ["", "hello", "ü€😀", "x".repeat(125), "x".repeat(126), "x".repeat(70_000)]) {
    expect((await talker.echo(text)) === text).toBe(true);
  }
  const many = Array.from({ length: 500 }, (_, index) => `message ${index}`);
  expect(await Promise.all(many.map((message) => talker.echo(message)))).toEqual(many);
  const bytes = new Uint8Array(1000).map((_, index) => index % 256);
  expect(new Uint8Array((await talker.echo(bytes)) as ArrayBuffer)).toEqual(bytes);
  expect(await talker.close()).toMatchObject({ wasClean: true });
});

test("a message of 16 MiB comes back whole", async () => {
  const talker = await Talker.open(await declareEcho());
  const bytes = Buffer.alloc(16 * MIB);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(at, at);
  const back = Buffer.from((await talker.echo(bytes)) as ArrayBuffer);
  expect(back.equals(bytes)).toBe(true);
  await talker.close();
});

test("many at once, on both workers", async () => {
  const lb = await declareEcho();
  const talkers = await Promise.all(Array.from({ length: 50 }, () => Talker.open(lb)));
  const answers = await Promise.all(talkers.map((talker, index) => talker.echo(`${index}`)));
  expect(answers).toEqual(talkers.map((_, index) => `${index}`));
  await Promise.all(talkers.map((talker) => talker.close()));
});

test("close codes and reasons reach the other side, both ways", async () => {
  const lb = await declareEcho();
  const leaving = await Talker.open(lb);
  expect(await leaving.close(4001, "enough")).toEqual({ code: 4001, reason: "enough", wasClean: true });
  expect(echo.closeCodes).toEqual([4001]);
  const dismissed = await Talker.open(lb);
  dismissed.socket.send("bye 4002 closing time");
  expect(await dismissed.ended).toEqual({ code: 4002, reason: "closing time", wasClean: true });
});

test("a backend that dies cuts its tunnels", async () => {
  const talker = await Talker.open(await declareEcho());
  await talker.echo("hello");
  echo.cut();
  expect(await talker.ended).toMatchObject({ code: 1006, wasClean: false });
});

test("a client that vanishes takes its tunnel to the backend along", async () => {
  const lb = await declareEcho();
  const outgoing = request({
    host: lb.host,
    port: lb.port,
    headers: { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "13" },
  }).end();
  outgoing.on("error", () => undefined);
  await new Promise<void>((resolve) => {
    outgoing.on("upgrade", (_response, socket) => {
      socket.destroy();
      resolve();
    });
  });
  await until(
    "the tunnel is gone",
    async () => (await client.loadBalancers.getLoadBalancerStats({ id: lb.loadBalancerId })).stats!,
    ({ activeConnections }) => activeConnections === 0n,
  );
});

test("a backend that refuses is heard: status, headers and body pass", async () => {
  const lb = await declareEcho();
  const refused = await handshake(lb, "/private");
  expect(refused).toMatchObject({ status: 403, text: "members only\n" });
  expect(refused.headers["x-why"]).toBe("private");
  await expect(Talker.open(lb, "/private")).rejects.toThrow("before it opened");
});

test("a policy answers a handshake, too, and another sends it to its pool", async () => {
  const lb = await declareHttp(client, { backends: [] });
  const poolId = await addPool(client, lb, { ports: [echo.port] });
  await addPolicy(client, lb, { policy: { action: L7PolicyAction.REJECT }, rules: [pathStarts("/no")] });
  const policy = { action: L7PolicyAction.REDIRECT_TO_POOL, redirectPoolId: poolId };
  await addPolicy(client, lb, { policy, rules: [pathStarts("/live")] });
  expect(await handshake(lb, "/no")).toMatchObject({ status: 403 });
  expect(await handshake(lb, "/other")).toMatchObject({ status: 503 });
  expect(echo.handshakes).toEqual([]);
  const talker = await Talker.open(lb, "/live");
  expect(await talker.echo("hello")).toBe("hello");
  expect(echo.handshakes).toMatchObject([{ "x-forwarded-for": expect.stringMatching(/^127\./), upgrade: "websocket" }]);
  await talker.close();
});

test("timeouts of requests do not end a tunnel; silence does", async () => {
  const http = new HttpClient();
  try {
    const short = { requestTimeoutMs: 300, backendIdleTimeoutMs: 300, clientIdleTimeoutMs: 60_000 };
    const busy = await declareEcho(short);
    const talker = await Talker.open(busy);
    // As long as a request that never gets an answer lasts, so that the timeouts have surely passed; twice.
    for (let i = 0; i < 2; i++) {
      expect(await http.ask(busy, "/slow")).toMatchObject({ status: 504 });
      expect(await talker.echo("still here")).toBe("still here");
    }
    await talker.close();
    const silent = await Talker.open(await declareEcho({ clientIdleTimeoutMs: 500 }));
    await silent.echo("the last word");
    expect(await silent.ended).toMatchObject({ wasClean: false });
  } finally {
    http.close();
  }
});

test("tunnels outlive changes of policies, pools and backends", async () => {
  const lb = await declareEcho();
  const other = await startWebSocketEcho();
  try {
    const talker = await Talker.open(lb);
    const id = await addPolicy(client, lb, { policy: { action: L7PolicyAction.REJECT }, rules: [pathStarts("/")] });
    expect(await handshake(lb, "/")).toMatchObject({ status: 403 });
    expect(await talker.echo("policy")).toBe("policy");
    await client.l7Policies.deleteL7Policy({ id, cascade: true });
    const defaultPoolId = await addPool(client, lb, { ports: [other.port] });
    await client.listeners.updateListener({
      listener: { id: lb.listenerId, defaultPoolId },
      updateMask: { paths: ["default_pool_id"] },
    });
    await client.backends.deleteBackend({ id: lb.backendIds[0]! });
    const next = await until(
      "new tunnels go elsewhere",
      async () => {
        const one = await Talker.open(lb);
        await one.close();
        return other.handshakes.length;
      },
      (handshakes) => handshakes > 0,
    );
    expect(next).toBeGreaterThan(0);
    expect(await talker.echo("backend")).toBe("backend");
    await talker.close();
  } finally {
    await other.close();
  }
});
