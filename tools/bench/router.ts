// Run alone: node --conditions=@fiberlb/source tools/bench/router.ts
import type { RouteRequest } from "../../packages/server/src/data/l7/route-request.ts";
import { compileRoutes, type Router } from "../../packages/server/src/data/l7/router.ts";
import type { PolicyUnit, RuleUnit } from "../../packages/server/src/snapshot/snapshot.ts";
import { renderTable } from "./table.ts";
import type { BenchTable } from "./table.ts";

const POLICY_COUNTS = [1, 100, 1000, 10_000];
const MEASURED_MS = 150;
/** Enough different requests that no cache of the processor holds one answer. */
const REQUEST_COUNT = 1024;

const rule = (type: RuleUnit["type"], compareType: RuleUnit["compareType"], value: string, key?: string): RuleUnit => ({
  id: "rule",
  type,
  compareType,
  value,
  ...(key !== undefined && { key }),
  invert: false,
});

/** A way to tell requests apart: the rules of the n-th policy, and a request that only this policy takes. */
interface Scheme {
  readonly label: string;
  readonly rules: (n: number) => readonly RuleUnit[];
  readonly request: (n: number) => RouteRequest;
}

/** As a parsed head: texts are cut out of the head when they are asked for. */
function requestOf(host: string, path: string, headers: Readonly<Record<string, string>> = {}): RouteRequest {
  const head = Buffer.from(`${host} ${path}`, "latin1");
  const list = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
  return {
    method: "GET",
    get path() {
      return head.toString("latin1", host.length + 1);
    },
    query: "",
    get host() {
      return head.toString("latin1", 0, host.length);
    },
    scheme: "http",
    port: 80,
    sourceAddress: "192.0.2.1",
    sni: undefined,
    clientCertificate: undefined,
    header: (name) => list[name] ?? [],
    cookie: () => [],
  };
}

const tenant = (n: number): string => `tenant-${n}.example.com`;
const service = (n: number): string => `/services/group-${n % 37}/service-${n}`;

const schemes: readonly Scheme[] = [
  {
    label: "host",
    rules: (n) => [rule("HOST_NAME", "EQUAL_TO", tenant(n))],
    request: (n) => requestOf(tenant(n), "/index.html"),
  },
  {
    label: "*.host",
    rules: (n) => [rule("HOST_NAME", "EQUAL_TO", `*.${tenant(n)}`)],
    request: (n) => requestOf(`www.${tenant(n)}`, "/index.html"),
  },
  {
    label: "path prefix",
    rules: (n) => [rule("PATH", "STARTS_WITH", `${service(n)}/`)],
    request: (n) => requestOf("example.com", `${service(n)}/items/12345`),
  },
  {
    label: "host and path prefix",
    rules: (n) => [rule("HOST_NAME", "EQUAL_TO", tenant(n >> 3)), rule("PATH", "STARTS_WITH", `/api/v${n & 7}/`)],
    request: (n) => requestOf(tenant(n >> 3), `/api/v${n & 7}/items/12345`),
  },
  {
    label: "header",
    rules: (n) => [rule("HEADER", "EQUAL_TO", `tenant-${n}`, "X-Tenant")],
    request: (n) => requestOf("example.com", "/index.html", { "x-tenant": `tenant-${n}` }),
  },
  {
    label: "path contains (no index)",
    rules: (n) => [rule("PATH", "CONTAINS", `service-${n}/`)],
    request: (n) => requestOf("example.com", `${service(n)}/items/12345`),
  },
];

function policies({ rules }: Scheme, count: number): readonly PolicyUnit[] {
  return Array.from({ length: count }, (_, n) => ({
    id: `policy-${n}`,
    name: `policy-${n}`,
    rules: rules(n),
    action: { type: "REDIRECT_TO_POOL", pools: [{ poolId: `pool-${n}`, weight: 1 }], setRequestHeaders: [] },
    setResponseHeaders: [],
  }));
}

/** Keeps results alive, so that the compiler can't drop the calls that made them. */
let taken = 0;

function routeAll(router: Router, requests: readonly RouteRequest[]): void {
  for (const request of requests) if (router.route(request).policyId !== undefined) taken += 1;
}

interface Figures {
  readonly routeNs: number;
  readonly compileMs: number;
}

/** CPU time of this thread, which holds on a machine that does other things, too; it advances in steps of some ms. */
function cpuMs(run: () => void): number {
  const start = process.threadCpuUsage();
  run();
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / 1000;
}

/** Milliseconds of one call: as many in a row as take long enough to be told from the clock's steps. */
function perCallMs(run: () => void): number {
  for (let calls = 1; ; calls *= 2) {
    const ms = cpuMs(() => {
      for (let i = 0; i < calls; i += 1) run();
    });
    if (ms >= MEASURED_MS) return ms / calls;
  }
}

function measure(scheme: Scheme, count: number): Figures {
  const units = policies(scheme, count);
  const compileMs = perCallMs(() => compileRoutes(units));
  const router = compileRoutes(units);
  // 7919 is a prime: requests jump about among the policies.
  const requests = Array.from({ length: REQUEST_COUNT }, (_, i) => scheme.request((i * 7919) % count));
  let routed = 0;
  const before = taken;
  const allMs = perCallMs(() => {
    routed += requests.length;
    routeAll(router, requests);
  });
  if (taken - before !== routed) throw new Error(`Bench "${scheme.label}": a request was not taken`);
  return { routeNs: (allMs / requests.length) * 1e6, compileMs };
}

function rowsOf(scheme: Scheme): string[][] {
  return POLICY_COUNTS.map((count) => {
    const { routeNs, compileMs } = measure(scheme, count);
    const target = count === 1000 && !scheme.label.includes("no index") ? "≤ 3000 ns" : "";
    return [`${scheme.label}, ${count}`, `${routeNs.toFixed(0)} ns`, target, `${compileMs.toFixed(2)} ms`];
  });
}

/** Measures the L7 router on one thread: what a route costs and how long it takes to compile the policies. */
export async function benchRouter(): Promise<BenchTable> {
  return {
    title: "L7 router: policies that each take other requests",
    columns: ["told apart by, policies", "one route", "target", "compile"],
    rows: schemes.flatMap(rowsOf),
    notes: [
      "CPU time of the thread.",
      "Cutting host and path out of the head as text is included, where a rule asks for them.",
      "CONTAINS, ENDS_WITH, REGEX, SOURCE_IP and inverted rules alone can't be indexed: each such policy is asked.",
    ],
  };
}

if (import.meta.main) console.log(renderTable(await benchRouter()));
