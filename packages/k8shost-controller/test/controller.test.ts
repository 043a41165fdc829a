import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { type Controller, createController, createReconcileMetrics, type Log } from "../src/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeFiberlb } from "./fake-fiberlb.ts";
import { FakeSource, pod, service } from "./fake-source.ts";

let source: FakeSource;
let fiberlb: FakeFiberlb;
let clock: FakeClock;
let controller: Controller;
let logged: string[];
const metrics = createReconcileMetrics();
const note: Log["info"] = (event) => void logged.push(event);

beforeEach(() => {
  source = new FakeSource();
  fiberlb = new FakeFiberlb();
  clock = new FakeClock();
  logged = [];
  const random = { fraction: () => 0, uuid: () => crypto.randomUUID() };
  const logger = { debug: () => undefined, info: note, warn: note, error: note };
  const options = { onReconciled: metrics.onReconciled };
  controller = createController({ source, fiberlb: fiberlb.client, clock, random, logger, options });
  controller.start();
});

afterEach(() => controller.stop());

/** Lets what runs run on, without moving time. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => void setImmediate(resolve));
}

const isServed = (name: string): boolean => source.service(name)?.ingressIps.length === 1;
const backends = (): readonly string[] => fiberlb.rows("backend").map(({ address }) => address);

test("a Service, and each change of its Pods, is seen at once", async () => {
  source.put(service("web"), pod("web", 1));
  await until(() => isServed("web"));
  source.put(pod("web", 2));
  await until(() => backends().length === 2);
  source.removePod("web", 1);
  await until(() => backends().join() === "10.0.0.2");
  source.deleteService("web");
  await until(() => source.service("web") === undefined);
  expect(clock.nowMs()).toBe(0);
});

test("what no event told of is found within ten seconds", async () => {
  source.put(service("web"), pod("web", 1));
  await until(() => isServed("web"));
  fiberlb.remove("backend", fiberlb.rows("backend")[0]!.id);
  fiberlb.change("pool", fiberlb.rows("pool")[0]!.id, { algorithm: "RANDOM" });
  await until(() => clock.pending > 0);
  clock.advance(10_000);
  await until(() => backends().length === 1 && fiberlb.rows("pool")[0]?.algorithm === "MAGLEV");
});

test("FiberLB away: tried again with pauses, and everything is there soon after it is back", async () => {
  fiberlb.before = () => {
    throw new ConnectError("away", Code.Unavailable);
  };
  source.put(service("web"), service("app"));
  await until(
    () =>
      (logged.includes("service not reconciled") &&
        logged.includes("load balancers of a tenant not listed; trying again")) ||
      tick(),
  );
  for (let second = 0; second < 20; second += 1) {
    clock.advance(1000);
    await new Promise((resolve) => void setImmediate(resolve));
  }
  fiberlb.before = () => undefined;
  const backMs = clock.nowMs();
  await until(() => (isServed("web") && isServed("app")) || tick());
  expect(clock.nowMs() - backMs).toBeLessThanOrEqual(3000);
});

/** Moves time on by a little; false, so that it can stand in a condition. */
function tick(): false {
  clock.advance(100);
  return false;
}

test("a watch that fails is begun again", async () => {
  const watch = source.watch.bind(source);
  let failures = 0;
  source.watch = (signal) => {
    failures += 1;
    if (failures === 2) throw new Error("broken");
    return watch(signal);
  };
  await controller.stop();
  controller = createController({
    source,
    fiberlb: fiberlb.client,
    clock,
    logger: { debug() {}, info: note, warn: note, error: note },
  });
  controller.start();
  source.put(service("web"));
  await until(() => isServed("web") || tick());
  expect(failures).toBeGreaterThan(0);
});

test("stopping in the middle ends calls that are under way", async () => {
  let isCalled = false;
  fiberlb.before = (method) => void (isCalled ||= method === "createLoadBalancer");
  source.put(service("web"));
  await until(() => isCalled);
  await controller.stop();
  expect(clock.pending).toBe(0);
});

test("runs are counted and timed", async () => {
  source.put(service("web"));
  await until(() => isServed("web"));
  await until(() => /fiberlb_reconcile_total\{result="changed"\} \d/.test(metrics.render()));
  expect(metrics.render()).toMatch(/^fiberlb_reconcile_seconds_bucket\{le="\+Inf"\} \d+$/m);
  expect(createReconcileMetrics().render()).toBe("");
});
