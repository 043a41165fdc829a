import { expect, test } from "@jest/globals";

import { createController, FINALIZER, READY_CONDITION, type ControllerSettings } from "../src/index.ts";
import { FakeFiberlb } from "./fake-fiberlb.ts";
import { FakeSource, meta, pod, service } from "./fake-source.ts";

function setUp(options: ControllerSettings = {}) {
  const [source, fiberlb] = [new FakeSource(), new FakeFiberlb()];
  const controller = createController({ source, fiberlb: fiberlb.client, options });
  const reconcile = (name: string) => controller.reconcile(meta(name));
  const readyOf = (name: string) => source.service(name)?.conditions.find(({ type }) => type === READY_CONDITION);
  return { source, fiberlb, controller, reconcile, readyOf };
}

test("a Service gets a load balancer, and its Pods are backends", async () => {
  const { source, fiberlb, reconcile, readyOf } = setUp();
  source.put(service("web"), pod("web", 1), pod("web", 2), pod("db", 3));
  expect(await reconcile("web")).toEqual({ result: "changed", operations: 5 });
  expect(fiberlb.trees).toEqual([
    {
      name: expect.stringMatching(/^k8s-default-web-[0-9a-f]{8}$/),
      vip: "127.10.0.1",
      listeners: ["TCP 80 → tcp-80"],
      pools: { "tcp-80": ["10.0.0.1:8080 ×1", "10.0.0.2:8080 ×1"] },
    },
  ]);
  expect(fiberlb.rows("pool")[0]).toMatchObject({ algorithm: "MAGLEV", orgId: "acme", projectId: "shop" });
  expect(source.service("web")).toMatchObject({ ingressIps: ["127.10.0.1"], meta: { finalizers: [FINALIZER] } });
  expect(readyOf("web")).toMatchObject({ status: "True", reason: "Active" });
});

test("a second run plans nothing and writes nothing", async () => {
  const { source, fiberlb, reconcile } = setUp();
  source.put(service("web"), pod("web", 1));
  await reconcile("web");
  const [calls, writes] = [source.calls.length, fiberlb.writes.length];
  expect(await reconcile("web")).toEqual({ result: "unchanged", operations: 0 });
  expect(fiberlb.writes).toHaveLength(writes);
  expect(source.calls.slice(calls).filter((call) => call.startsWith("write"))).toEqual([]);
});
