import { ListenerProtocol } from "@fiberlb/api";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";

import { freePort } from "../data/tcp-peers.ts";
import type { Declared } from "./declare.ts";
import { backendOf, HttpClient, seenBy } from "./http-client.ts";
import { declareHttp as declareWith } from "./policies.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { until } from "./until.ts";
import { startWebServers, type WebServer } from "./web-server.ts";

jest.setTimeout(60_000);

const MIB = 1024 ** 2;

let node: TestNode;
let webs: readonly WebServer[];
const http = new HttpClient();

beforeAll(async () => {
  webs = await startWebServers("a", "b", "c");
  node = await startTestNode();
});
afterAll(async () => {
  http.close();
  await node?.stop();
  await Promise.all(webs.map((web) => web.close()));
});

const declareHttp = (): Promise<Declared> => declareWith(node.client, { backends: webs.map(({ port }) => ({ port })) });

test("requests of one connection are shared among backends, in turn", async () => {
  const lb = await declareHttp();
  const counts: Record<string, number> = {};
  for (let i = 0; i < 30; i++) {
    const name = backendOf(await http.ask(lb, "/"))!;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  expect(counts).toEqual({ a: 10, b: 10, c: 10 });
});

test("a backend sees the client, a request id and no hop-by-hop header; an upload arrives whole", async () => {
  const lb = await declareHttp();
  const seen = seenBy(await http.ask(lb, "/up?x=1", { method: "POST", body: Buffer.alloc(4 * MIB) }));
  expect(seen).toMatchObject({ bytes: 4 * MIB, url: "/up?x=1" });
  expect(seen.headers).toMatchObject({
    "x-forwarded-for": expect.stringMatching(/^127\./) as unknown,
    "x-forwarded-proto": "http",
    "x-forwarded-port": String(lb.port),
    "x-request-id": expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
  });
});

test("without a backend: 503, and the reason where it is wanted", async () => {
  const lb = await declareWith(node.client, { listener: { exposeReasonHeader: true }, backends: [] });
  const answer = await http.ask(lb, "/");
  expect([answer.status, answer.headers["x-fiberlb-reason"]]).toEqual([503, "no-backend"]);
});

test("settings that this release does not serve are the load balancer's problem", async () => {
  const lb = await declareHttp();
  const { loadBalancerId } = lb;
  await node.client.listeners.createListener({
    loadBalancerId,
    name: "logged",
    protocol: ListenerProtocol.HTTP,
    port: await freePort(lb.host),
    accessLog: { format: "JSON" },
  });
  const { loadBalancer } = await until(
    "the load balancer says what is not served",
    () => node.client.loadBalancers.getLoadBalancer({ id: loadBalancerId }),
    (answer) => JSON.stringify(answer.loadBalancer?.statusReason ?? "").includes("access_log"),
  );
  expect(loadBalancer!.statusReason).toContain("listener logged: access_log is not served by this release; remove it");
});
