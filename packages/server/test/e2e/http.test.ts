import { Agent, createServer, get, type IncomingMessage, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { L7CompareType, L7PolicyAction, L7RuleType, ListenerProtocol, PoolProtocol } from "@fiberlb/api";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";

import { type Declared, declare, untilApplied } from "./declare.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { until } from "./until.ts";

jest.setTimeout(60_000);

/** An HTTP server that says its name and what it was asked. */
interface Web {
  readonly name: string;
  readonly port: number;
  readonly server: Server;
}

async function startWeb(name: string): Promise<Web> {
  const server = createServer((incoming, response) => {
    let bytes = 0;
    incoming.on("data", (chunk: Buffer) => (bytes += chunk.length));
    incoming.on("end", () => {
      response.setHeader("X-Backend", name);
      response.end(JSON.stringify({ name, bytes, url: incoming.url, headers: incoming.headers }));
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return { name, port: (server.address() as AddressInfo).port, server };
}

let node: TestNode;
let webs: readonly Web[];
const agent = new Agent({ keepAlive: true, maxSockets: 4 });

beforeAll(async () => {
  webs = await Promise.all(["a", "b", "c"].map((name) => startWeb(name)));
  node = await startTestNode();
});
afterAll(async () => {
  agent.destroy();
  await node?.stop();
  for (const { server } of webs) {
    server.closeAllConnections();
    await new Promise((resolve) => void server.close(resolve));
  }
});

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

interface Ask {
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function read(incoming: IncomingMessage): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = "";
    incoming.setEncoding("utf8");
    incoming.on("data", (chunk: string) => (text += chunk));
    incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }));
    incoming.on("error", reject);
  });
}

function fetchFrom(lb: Declared, path: string, { host = "app.example", headers = {} }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: lb.host, port: lb.port, path, agent, headers: { Host: host, ...headers } };
    get(options, (incoming) => void read(incoming).then(resolve, reject)).on("error", reject);
  });
}

const nameOf = ({ text }: Answer): string => (JSON.parse(text) as { name: string }).name;

const declareHttp = (pool: object = {}, listener: object = {}): Promise<Declared> =>
  declare(node.client, {
    pool: { protocol: PoolProtocol.HTTP, ...pool },
    listener: { protocol: ListenerProtocol.HTTP, ...listener },
    backends: webs.map(({ port }) => ({ port })),
  });

interface Policy {
  readonly policy: Parameters<TestNode["client"]["l7Policies"]["createL7Policy"]>[0];
  readonly rule: { readonly type: L7RuleType; readonly compareType: L7CompareType; readonly value: string };
}

async function addPolicy(lb: Declared, { policy, rule }: Policy): Promise<void> {
  const created = await node.client.l7Policies.createL7Policy({ listenerId: lb.listenerId, ...policy });
  await node.client.l7Rules.createL7Rule({ l7PolicyId: created.l7Policy!.id, ...rule });
  await untilApplied(node.client, lb.loadBalancerId);
}

const pathStarts = (value: string) => ({ type: L7RuleType.PATH, compareType: L7CompareType.STARTS_WITH, value });

test("requests of one connection are shared among backends, in turn", async () => {
  const lb = await declareHttp();
  const counts: Record<string, number> = {};
  for (let i = 0; i < 30; i++) {
    const name = nameOf(await fetchFrom(lb, "/"));
    counts[name] = (counts[name] ?? 0) + 1;
  }
  expect(counts).toEqual({ a: 10, b: 10, c: 10 });
});

test("a backend sees the client, a request id and no hop-by-hop header; an upload arrives whole", async () => {
  const lb = await declareHttp();
  const answer = await new Promise<Answer>((resolve, reject) => {
    const options = { host: lb.host, port: lb.port, path: "/up?x=1", method: "POST", agent };
    const outgoing = request(options, (incoming) => void read(incoming).then(resolve, reject)).on("error", reject);
    for (let i = 0; i < 64; i++) outgoing.write(Buffer.alloc(65_536, 97));
    outgoing.end();
  });
  const seen = JSON.parse(answer.text) as { bytes: number; url: string; headers: Record<string, string> };
  expect(seen).toMatchObject({ bytes: 64 * 65_536, url: "/up?x=1" });
  expect(seen.headers).toMatchObject({
    "x-forwarded-for": expect.stringMatching(/^127\./) as unknown,
    "x-forwarded-proto": "http",
    "x-forwarded-port": String(lb.port),
    "x-request-id": expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
  });
});

test("policies redirect, answer, reject and send to other pools; a change counts for connections that stand", async () => {
  const lb = await declareHttp();
  const host = { type: L7RuleType.HOST_NAME, compareType: L7CompareType.EQUAL_TO, value: "old.example" };
  await addPolicy(lb, {
    policy: { action: L7PolicyAction.REDIRECT_PREFIX, redirectPrefix: "https://new.example", redirectHttpCode: 301 },
    rule: host,
  });
  await addPolicy(lb, {
    policy: {
      action: L7PolicyAction.FIXED_RESPONSE,
      fixedResponse: { code: 200, contentType: "text/plain", body: "pong" },
    },
    rule: pathStarts("/ping"),
  });
  await addPolicy(lb, { policy: { action: L7PolicyAction.REJECT }, rule: pathStarts("/admin") });
  const { loadBalancerId } = lb;
  const { pool } = await node.client.pools.createPool({ loadBalancerId, protocol: PoolProtocol.HTTP });
  const only = webs[2]!;
  await node.client.backends.createBackend({ poolId: pool!.id, address: "127.0.0.1", port: only.port });
  await addPolicy(lb, {
    policy: { action: L7PolicyAction.REDIRECT_TO_POOL, redirectPoolId: pool!.id, rewrite: { pathPrefix: "/" } },
    rule: pathStarts("/api/"),
  });

  const moved = await fetchFrom(lb, "/x?y=1", { host: "old.example" });
  expect([moved.status, moved.headers.location]).toEqual([301, "https://new.example/x?y=1"]);
  expect(await fetchFrom(lb, "/ping")).toMatchObject({ status: 200, text: "pong" });
  expect(await fetchFrom(lb, "/admin/x")).toMatchObject({ status: 403 });
  for (let i = 0; i < 4; i++) {
    const answer = await fetchFrom(lb, "/api/v1");
    expect(JSON.parse(answer.text)).toMatchObject({ name: only.name, url: "/v1" });
  }
});

test("a session cookie brings clients back to their backend, on every worker", async () => {
  const lb = await declareHttp({ sessionPersistence: { type: 2, cookieName: "SID" } });
  const first = await fetchFrom(lb, "/");
  const [cookie = ""] = (first.headers["set-cookie"] ?? [""])[0]!.split(";");
  expect(cookie).toMatch(/^SID=[\w-]{24}$/);
  for (let i = 0; i < 20; i++) {
    const again = await fetchFrom(lb, "/", { headers: { Cookie: cookie, Connection: "close" } });
    expect(nameOf(again)).toBe(nameOf(first));
    expect(again.headers["set-cookie"]).toBeUndefined();
  }
});

test("without a backend: 503, and the reason where it is wanted", async () => {
  const lb = await declare(node.client, {
    pool: { protocol: PoolProtocol.HTTP },
    listener: { protocol: ListenerProtocol.HTTP, exposeReasonHeader: true },
    backends: [],
  });
  const answer = await fetchFrom(lb, "/");
  expect([answer.status, answer.headers["x-fiberlb-reason"]]).toEqual([503, "no-backend"]);
});

test("settings that this release does not serve are the load balancer's problem", async () => {
  const lb = await declareHttp();
  const { loadBalancerId } = lb;
  await node.client.pools.createPool({ loadBalancerId, name: "tls", protocol: PoolProtocol.HTTPS });
  const { loadBalancer } = await until(
    "the load balancer says what is not served",
    () => node.client.loadBalancers.getLoadBalancer({ id: loadBalancerId }),
    (answer) => JSON.stringify(answer.loadBalancer?.statusReason ?? "").includes("HTTPS"),
  );
  expect(loadBalancer!.statusReason).toContain("pool tls: protocol HTTPS is not served by this release");
});
