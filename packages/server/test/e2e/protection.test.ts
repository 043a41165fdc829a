import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { connect, type IncomingHttpHeaders } from "node:http2";

import { type FiberlbClient, OperatingStatus } from "@fiberlb/api";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";

import { freePort, type NamedServer, openClient, startNamedServer, whoServes } from "../data/tcp-peers.ts";
import { type Declared, declare } from "./declare.ts";
import { type Answer, backendOf, HttpClient } from "./http-client.ts";
import { declareHttp } from "./policies.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { until } from "./until.ts";
import { startWebServer, type WebServer } from "./web-server.ts";

jest.setTimeout(60_000);

/** Longer than any test: what is out stays out. */
const FOREVER_S = 3600;

let node: TestNode;
let client: FiberlbClient;
let http: HttpClient;

beforeAll(async () => {
  node = await startTestNode();
  ({ client } = node);
});
afterAll(() => node?.stop());
beforeEach(() => void (http = new HttpClient(64)));
afterEach(() => http.close());

/** Asks on a connection of its own, which may be with either worker. */
const visit = (lb: Declared, localAddress?: string): Promise<Answer> =>
  http.ask(lb, "/", {
    headers: { Connection: "close" },
    ...(localAddress !== undefined && { localAddress }),
  });

/** Who answers so many visits, one after the other. */
async function visited(lb: Declared, times = 12): Promise<Set<string | undefined>> {
  const seen = new Set<string | undefined>();
  for (let i = 0; i < times; i++) seen.add(backendOf(await visit(lb)));
  return seen;
}

/** A metric's value for a backend or listener of that name. */
async function metric(name: string, label: string): Promise<number | undefined> {
  const text = await (await fetch(`${node.server.adminUrl}/metrics`)).text();
  const line = text.split("\n").find((one) => one.startsWith(`${name}{`) && one.includes(label));
  return line === undefined ? undefined : Number(line.split(" ").at(-1));
}

const said = (event: string, backendId: string | undefined): boolean =>
  node.log.some((line) => line.event.startsWith(event) && line["backendId"] === backendId);

describe("outlier detection", () => {
  let isBroken: boolean;
  let webs: WebServer[];

  beforeEach(async () => {
    isBroken = true;
    const broken = await startWebServer("broken", {
      handle: (_, response) => response.writeHead(isBroken ? 500 : 200).end(),
    });
    webs = [broken, await startWebServer("b"), await startWebServer("c")];
  });
  afterEach(() => Promise.all(webs.map((web) => web.close())));

  const declareWatched = (outlierDetection: object): Promise<Declared> =>
    declareHttp(client, {
      pool: { outlierDetection: { consecutiveErrors: 3, maxEjectedPercent: 34, ...outlierDetection } },
      backends: webs.map(({ port, name }) => ({ port, name })),
    });

  it("leaves a backend out that answers 5xx, in both workers, and says so", async () => {
    const lb = await declareWatched({ ejectionS: FOREVER_S });
    await until(
      "the broken backend is ejected",
      () => visited(lb, 3),
      () => said("backend is ejected", lb.backendIds[0]),
    );
    expect(await visited(lb, 24)).toEqual(new Set(["b", "c"]));
    const { statusReason } = await until(
      "the status says so",
      async () => (await client.backends.getBackend({ id: lb.backendIds[0]! })).backend!,
      ({ operatingStatus }) => operatingStatus === OperatingStatus.DEGRADED,
    );
    expect(statusReason).toMatch(/^ejected by node .+ until 20.+Z: it fails real traffic$/);
    const { pool } = await client.pools.getPool({ id: lb.poolId });
    expect(pool!.statusReason).toContain("backend broken (127.0.0.1:");
    expect(await metric("fiberlb_backend_ejected", 'backend="broken"')).toBe(1);
    expect(await metric("fiberlb_backend_ejections_total", 'backend="broken"')).toBe(1);
  });

  it("has it back after a while", async () => {
    const lb = await declareWatched({ ejectionS: 1 });
    await until(
      "the broken backend is ejected",
      () => visited(lb, 3),
      () => said("backend is ejected", lb.backendIds[0]),
    );
    isBroken = false;
    await until(
      "it serves again",
      () => visited(lb, 3),
      (seen) => seen.has("broken") && said("backend is back", lb.backendIds[0]),
    );
  });

  it("lets the last backend be, however broken", async () => {
    const lb = await declareHttp(client, {
      pool: { outlierDetection: { consecutiveErrors: 1, ejectionS: FOREVER_S, maxEjectedPercent: 100 } },
      backends: [{ port: webs[0]!.port }],
    });
    expect(await visited(lb, 6)).toEqual(new Set(["broken"]));
    await until(
      "it is said",
      () => said("backend fails real traffic and is not ejected", lb.backendIds[0]),
      (isSaid) => isSaid,
    );
  });

  it("leaves a TCP backend out that can't be connected to: nobody tries it any more", async () => {
    const server = await startNamedServer("well");
    const lb = await declare(client, {
      pool: { outlierDetection: { consecutiveErrors: 3, ejectionS: FOREVER_S } },
      backends: [{ port: server.port }, { port: await freePort("127.0.0.1"), name: "closed" }],
    });
    await until(
      "the closed backend is ejected",
      () => whoServes(lb.port, lb.host),
      () => said("backend is ejected", lb.backendIds[1]),
    );
    const before = await metric("fiberlb_backend_connect_errors_total", 'backend="closed"');
    for (let i = 0; i < 12; i++) expect(await whoServes(lb.port, lb.host)).toBe("well");
    expect(await metric("fiberlb_backend_connect_errors_total", 'backend="closed"')).toBe(before);
    await server.close();
  });
});

describe("a queue of requests", () => {
  const held: ServerResponse[] = [];
  let busiest: number;
  let web: WebServer;

  beforeEach(async () => {
    held.length = busiest = 0;
    web = await startWebServer("only", {
      handle(_, response) {
        held.push(response);
        busiest = Math.max(busiest, held.length);
      },
    });
  });
  afterEach(() => web.close());

  const declareFull = (queueTimeoutMs: number): Promise<Declared> =>
    declareHttp(client, {
      pool: { queueTimeoutMs },
      listener: { exposeReasonHeader: true },
      backends: [{ port: web.port, maxConnections: 1 }],
    });

  const oneIsHeld = (): Promise<unknown> =>
    until(
      "a request is with the backend",
      () => held.length,
      (count) => count > 0,
    );

  it("has all served in time that are too many at once, in both workers", async () => {
    const lb = await declareFull(50_000);
    const answers = Array.from({ length: 12 }, () => visit(lb));
    for (let served = 0; served < answers.length; served++) {
      await oneIsHeld();
      held.shift()!.end("done");
    }
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(answers.map(() => 200));
    // Exact within one a worker.
    expect(busiest).toBeLessThanOrEqual(2);
  });

  it("is left with 503 when the time is over", async () => {
    const lb = await declareFull(200);
    const first = visit(lb);
    await oneIsHeld();
    const late = await Promise.all([visit(lb), visit(lb), visit(lb), visit(lb)]);
    expect(late.map(({ status }) => status)).toEqual([503, 503, 503, 503]);
    expect(late.map(({ headers }) => headers["x-fiberlb-reason"])).toEqual(late.map(() => "queue-timeout"));
    held.shift()!.end("done");
    expect((await first).status).toBe(200);
  });
});

describe("a queue of connections", () => {
  let server: NamedServer;
  beforeEach(async () => void (server = await startNamedServer("only")));
  afterEach(() => server.close());

  const declareFull = (queueTimeoutMs: number): Promise<Declared> =>
    declare(client, { pool: { queueTimeoutMs }, backends: [{ port: server.port, maxConnections: 1 }] });

  it("has one after the other served", async () => {
    const lb = await declareFull(50_000);
    const first = await openClient(lb.port, lb.host);
    const waiting = Array.from({ length: 4 }, async () => {
      const next = await openClient(lb.port, lb.host);
      next.socket.end();
      await next.ended;
      return next.server;
    });
    first.socket.end();
    expect(await Promise.all(waiting)).toEqual(["only", "only", "only", "only"]);
  });

  it("is left with a reset when the time is over", async () => {
    const lb = await declareFull(100);
    const first = await openClient(lb.port, lb.host);
    await expect(openClient(lb.port, lb.host)).rejects.toThrow("ECONNRESET");
    first.socket.destroy();
  });
});

describe("rates of a source", () => {
  const RATE = 4;
  let web: WebServer;
  beforeEach(async () => void (web = await startWebServer("a")));
  afterEach(() => web.close());

  /** What is let in while so much time goes by, at most. */
  const allowance = (elapsedMs: number): number => RATE + Math.ceil((elapsedMs * RATE) / 1000);

  it("of requests hold over both workers, and for each source alone", async () => {
    const lb = await declareHttp(client, {
      listener: { requestsPerSPerSource: RATE },
      backends: [{ port: web.port }],
    });
    const startedMs = Date.now();
    const answers = await Promise.all(Array.from({ length: 40 }, () => visit(lb)));
    const most = allowance(Date.now() - startedMs);
    const served = answers.filter(({ status }) => status === 200).length;
    expect(served).toBeGreaterThanOrEqual(RATE);
    expect(served).toBeLessThanOrEqual(most);
    const limited = answers.filter(({ status }) => status === 429);
    expect(served + limited.length).toBe(40);
    for (const { headers } of limited) expect(headers["retry-after"]).toBe("1");
    expect((await visit(lb, "127.0.0.9")).status).toBe(200);
  });

  it("of requests count the streams of an HTTP/2 connection", async () => {
    const lb = await declareHttp(client, { listener: { requestsPerSPerSource: 1 }, backends: [{ port: web.port }] });
    const session = connect(`http://${lb.host}:${lb.port}`);
    const startedMs = Date.now();
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const stream = session.request({ ":path": "/" });
        const [headers] = (await once(stream, "response")) as [IncomingHttpHeaders];
        stream.resume();
        await once(stream, "end");
        return Number(headers[":status"]);
      }),
    );
    const most = 2 + Math.ceil((Date.now() - startedMs) / 1000);
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(most);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    session.close();
  });

  it("of connections: those that are too many are reset", async () => {
    const server = await startNamedServer("a");
    const lb = await declare(client, {
      listener: { newConnectionsPerSPerSource: RATE },
      backends: [{ port: server.port }],
    });
    const startedMs = Date.now();
    const outcomes = await Promise.allSettled(Array.from({ length: 24 }, () => whoServes(lb.port, lb.host)));
    const most = allowance(Date.now() - startedMs);
    const served = outcomes.filter(({ status }) => status === "fulfilled").length;
    expect(served).toBeGreaterThanOrEqual(RATE);
    expect(served).toBeLessThanOrEqual(most);
    expect(await whoServes(lb.port, lb.host, "127.0.0.9")).toBe("a");
    await server.close();
  });
});
