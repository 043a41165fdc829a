import { describe, expect, test } from "@jest/globals";

import { addTallies, RateMeter, total } from "../traffic/tallies.ts";
import { draw, type Facts } from "./view.ts";

const running = { fiberlb: "running", gobgpd: "running", etcd: "running" } as const;

const facts: Facts = {
  vips: [
    { address: "203.0.113.10", nodes: ["lb-1", "lb-3"] },
    { address: "2001:db8:113::10", nodes: [] },
  ],
  clients: [{ name: "client-1", requestsPerS: 100.4 }],
  servers: [{ name: "web-1", requestsPerS: 99.6 }],
  nodes: [
    { name: "lb-1", state: "ready", daemons: running, requestsPerS: 50 },
    { name: "lb-2", state: "unknown", daemons: { ...running, gobgpd: "dead" }, requestsPerS: 0 },
  ],
  requests: 1234,
  failed: 0,
  retried: 2,
  events: ["lb-2: gobgpd killed"],
  hints: ["q: quit"],
};

describe("draw", () => {
  test("shows who is asked by whom, and which nodes the router leaves out", () => {
    expect(draw(facts).join("\n"))
      .toBe(`FiberLB cluster: each node announces every VIP that it can serve, the router spreads connections over them

  client-1 100/s    1234 requests, 2 tried again, 0 failed
          │
  router  203.0.113.10       → lb-1 lb-3
  router  2001:db8:113::10   → nobody
          │
  ╔═ lb-1 ═════════════╗  ┌─ lb-2 ─────────────┐
  ║ ready              ║  │ unknown            │
  ║ ● fiberlb          ║  │ ● fiberlb          │
  ║ ● gobgpd           ║  │ ✗ gobgpd           │
  ║ ● etcd             ║  │ ● etcd             │
  ║ 50/s requests      ║  │ no traffic         │
  ╚════════════════════╝  └────────────────────┘
          │
  web-1 100/s

  lb-2: gobgpd killed

  q: quit`);
  });
});

describe("RateMeter", () => {
  test("is per second since the last time", () => {
    const meter = new RateMeter();
    expect(meter.rates({ a: 10 }, 0)).toEqual({});
    expect(meter.rates({ a: 30, b: 5 }, 500)).toEqual({ a: 40, b: 10 });
  });
});

test("tallies of several clients are one", () => {
  const one = { requests: 2, failed: { a: 1 }, retried: {}, byServer: { w: 1 }, bySource: { n: 1 }, slowestMs: 5 };
  const sum = addTallies([one, { ...one, failed: { b: 2 }, slowestMs: 3 }]);
  expect(sum).toMatchObject({ requests: 4, failed: { a: 1, b: 2 }, byServer: { w: 2 }, slowestMs: 5 });
  expect(total(sum.failed)).toBe(3);
});
