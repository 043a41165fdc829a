import net from "node:net";

import { afterEach, expect, test } from "@jest/globals";

import { systemClock } from "../../src/clock.ts";
import { createHealthMonitor, type HealthMonitor } from "../../src/health/monitor.ts";
import type { HealthTarget, Verdict } from "../../src/health/target.ts";

let monitor: HealthMonitor | undefined;
let server: net.Server | undefined;
afterEach(() => {
  monitor?.stop();
  server?.close();
});

const listen = (port: number): Promise<net.Server> =>
  new Promise((resolve, reject) => {
    const listening = net.createServer((socket) => socket.on("error", () => {}).resume());
    listening.once("error", reject);
    listening.listen(port, "127.0.0.1", () => resolve(listening));
  });

const close = (open: net.Server): Promise<void> => new Promise((resolve) => open.close(() => resolve()));

test("a TCP server that stops leaves after fall failures, and comes back after rise passes", async () => {
  const verdicts: Verdict[] = [];
  let heard = (): void => {};
  const next = async (): Promise<Verdict> => {
    while (verdicts.length === 0) await new Promise<void>((resolve) => (heard = resolve));
    return verdicts.shift() as Verdict;
  };
  const onVerdict = (verdict: Verdict): void => {
    verdicts.push(verdict);
    heard();
  };
  monitor = createHealthMonitor({ clock: systemClock, random: () => 0.5, onVerdict });
  server = await listen(0);
  const { port } = server.address() as net.AddressInfo;
  const target: HealthTarget = {
    poolId: "p",
    backendId: "b",
    loadBalancerId: "lb",
    poolName: "app",
    backendName: "b",
    loadBalancerName: "web",
    host: "127.0.0.1",
    address: "127.0.0.1",
    port,
    check: { type: "TCP", intervalMs: 20, timeoutMs: 10_000, rise: 2, fall: 3 },
  };

  monitor.apply([target]);
  expect(await next()).toMatchObject({ health: "ONLINE", previous: "UNKNOWN" });

  await close(server);
  expect(await next()).toMatchObject({ health: "OFFLINE", reason: `connection refused by 127.0.0.1:${port}` });
  const down = monitor.report("p", "b");
  expect(down?.failures).toBe(3);
  expect(down?.history.slice(0, 3).map(({ result }) => result)).toEqual(["failed", "failed", "failed"]);

  server = await listen(port);
  expect(await next()).toMatchObject({ health: "ONLINE", previous: "OFFLINE", reason: "" });
  expect(monitor.report("p", "b")?.passes).toBe(2);
});
