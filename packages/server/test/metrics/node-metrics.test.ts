import { describe, expect, it } from "@jest/globals";

import type { BackendFigures, ListenerFigures } from "../../src/data/data-plane.ts";
import { ApiCalls } from "../../src/metrics/api-calls.ts";
import { renderMetrics } from "../../src/metrics/exposition.ts";
import { type MetricSources, nodeMetrics } from "../../src/metrics/node-metrics.ts";
import type { Unit } from "../../src/snapshot/snapshot.ts";

describe("renderMetrics", () => {
  it("writes Prometheus' text format, with what labels must escape", () => {
    const samples = [{ labels: { name: 'a"b\\c\nd' }, value: 1.5 }];
    expect(renderMetrics([{ name: "x_total", type: "counter", help: "What x is.", samples }])).toBe(
      '# HELP x_total What x is.\n# TYPE x_total counter\nx_total{name="a\\"b\\\\c\\nd"} 1.5\n',
    );
  });

  it("leaves a family without series out", () => {
    expect(renderMetrics([{ name: "x", type: "gauge", help: "X.", samples: [] }])).toBe("");
  });
});

const NO_REJECTS = {
  acl: 0,
  "connection-limit": 0,
  "rate-limit": 0,
  "no-pool": 0,
  "no-backend": 0,
  "connect-failed": 0,
  "backend-limit": 0,
  "bad-request": 0,
  policy: 0,
  "client-timeout": 0,
  "bad-response": 0,
  "backend-timeout": 0,
  "backend-lost": 0,
  "tls-handshake": 0,
  "flow-limit": 0,
  "send-failed": 0,
  "proxy-protocol": 0,
  "queue-timeout": 0,
  "queue-full": 0,
};
const LISTENER: ListenerFigures = {
  connectionsActive: 2,
  connectionsTotal: 9,
  bytesIn: 10,
  bytesOut: 20,
  rejected: { ...NO_REJECTS, acl: 3 },
  sourcesForgotten: 6,
};
const IDLE: ListenerFigures = {
  connectionsActive: 0,
  connectionsTotal: 0,
  bytesIn: 0,
  bytesOut: 0,
  rejected: NO_REJECTS,
  sourcesForgotten: 0,
};
const BACKEND: BackendFigures = {
  connectionsActive: 1,
  connectionsTotal: 5,
  connectErrorsTotal: 4,
  bytesIn: 0,
  bytesOut: 0,
  isEjected: true,
  ejectionsTotal: 2,
};

const unit = {
  loadBalancerId: "lb-1",
  name: "web",
  orgId: "acme",
  projectId: "shop",
  listeners: [
    { id: "busy", name: "http" },
    { id: "idle", name: "spare" },
  ],
  pools: [{ id: "p", name: "app", backends: [{ id: "b", name: "one" }] }],
} as unknown as Unit;

const SOURCES: MetricSources = {
  units: [unit],
  revision: 42,
  listenerFigures: (id) => (id === "busy" ? LISTENER : IDLE),
  backendFigures: () => BACKEND,
  isUp: () => true,
  health: { checks: { passed: 7, failed: 0, inconclusive: 0 }, transitions: 1 },
  workerLosses: 0,
  apiRequests: [],
};

describe("nodeMetrics", () => {
  const text = renderMetrics(nodeMetrics(SOURCES));
  it.each([
    'fiberlb_listener_connections_total{org="acme",project="shop",load_balancer="web",listener="http"} 9',
    'fiberlb_listener_connections_active{org="acme",project="shop",load_balancer="web",listener="http"} 2',
    'fiberlb_listener_bytes_total{org="acme",project="shop",load_balancer="web",listener="http",direction="out"} 20',
    'fiberlb_listener_rejected_total{org="acme",project="shop",load_balancer="web",listener="http",reason="acl"} 3',
    'fiberlb_backend_up{org="acme",project="shop",load_balancer="web",pool="app",backend="one"} 1',
    'fiberlb_listener_sources_forgotten_total{org="acme",project="shop",load_balancer="web",listener="http"} 6',
    'fiberlb_backend_ejected{org="acme",project="shop",load_balancer="web",pool="app",backend="one"} 1',
    'fiberlb_backend_ejections_total{org="acme",project="shop",load_balancer="web",pool="app",backend="one"} 2',
    'fiberlb_backend_connect_errors_total{org="acme",project="shop",load_balancer="web",pool="app",backend="one"} 4',
    'fiberlb_health_checks_total{result="passed"} 7',
    "fiberlb_config_revision 42",
  ])("has %s", (line) => expect(text.split("\n")).toContain(line));

  it("has a series only once it is used", () => {
    expect(text).not.toContain("spare");
    expect(text).not.toContain('reason="no-pool"');
    expect(renderMetrics(nodeMetrics({ ...SOURCES, isUp: () => undefined }))).not.toContain("fiberlb_backend_up");
  });
});

describe("ApiCalls", () => {
  it("counts by method and code", () => {
    const calls = new ApiCalls();
    calls.add("GetPool", "ok");
    calls.add("GetPool", "ok");
    calls.add("GetPool", "not_found");
    expect(calls.samples()).toEqual([
      { labels: { method: "GetPool", code: "ok" }, value: 2 },
      { labels: { method: "GetPool", code: "not_found" }, value: 1 },
    ]);
  });
});
