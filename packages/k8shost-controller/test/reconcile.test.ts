import { Code, ConnectError } from "@connectrpc/connect";
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

test("a Service that is deleted goes when its load balancer has gone", async () => {
  const { source, fiberlb, reconcile } = setUp();
  source.put(service("web"), pod("web", 1));
  await reconcile("web");
  source.deleteService("web");
  expect(source.service("web")).toBeDefined();
  expect(await reconcile("web")).toMatchObject({ result: "changed" });
  expect(source.service("web")).toBeUndefined();
  expect(["loadBalancer", "listener", "pool", "backend"].flatMap((kind) => fiberlb.rows(kind as never))).toEqual([]);
});

test("the finalizer stays until the load balancer is gone, however long that takes", async () => {
  const { source, fiberlb, reconcile } = setUp();
  source.put(service("web"));
  await reconcile("web");
  const [loadBalancer] = fiberlb.rows("loadBalancer");
  source.deleteService("web");
  fiberlb.statusOf = () => ({ status: "PENDING_DELETE" });
  expect(await reconcile("web")).toEqual({ result: "waiting", operations: 0 });
  expect(source.service("web")?.meta.finalizers).toEqual([FINALIZER]);
  fiberlb.remove("loadBalancer", loadBalancer!.id);
  await reconcile("web");
  expect(source.service("web")).toBeUndefined();
});

test("finalizers of others are left alone", async () => {
  const { source, reconcile } = setUp();
  source.put(service("web", { meta: { finalizers: ["example.com/other"] } }));
  await reconcile("web");
  expect(source.service("web")?.meta.finalizers).toEqual(["example.com/other", FINALIZER]);
  source.deleteService("web");
  await reconcile("web");
  expect(source.service("web")?.meta.finalizers).toEqual(["example.com/other"]);
});

test("a type changed away takes load balancer, addresses, condition and finalizer along", async () => {
  const { source, fiberlb, reconcile } = setUp();
  const other = { type: "Other", status: "True", reason: "Fine", message: "" } as const;
  source.put(service("web", { conditions: [other] }));
  await reconcile("web");
  source.change("web", { type: "ClusterIP" });
  await reconcile("web");
  expect(fiberlb.trees).toEqual([]);
  expect(source.service("web")).toMatchObject({ ingressIps: [], conditions: [other], meta: { finalizers: [] } });
});

test("an address is shown when the load balancer is ACTIVE, and while it changes; the condition says why not", async () => {
  const { source, fiberlb, reconcile, readyOf } = setUp();
  source.put(service("web"));
  fiberlb.statusOf = () => ({ status: "PENDING_CREATE" });
  expect(await reconcile("web")).toMatchObject({ result: "waiting" });
  expect(source.service("web")?.ingressIps).toEqual([]);
  expect(readyOf("web")).toMatchObject({ status: "False", reason: "Pending" });
  fiberlb.statusOf = () => ({ status: "PENDING_UPDATE" });
  expect(await reconcile("web")).toMatchObject({ result: "waiting" });
  fiberlb.statusOf = () => ({ status: "ACTIVE" });
  expect(await reconcile("web")).toMatchObject({ result: "unchanged" });
  expect(source.service("web")?.ingressIps).toEqual(["127.10.0.1"]);
  fiberlb.statusOf = () => ({ status: "PENDING_UPDATE" });
  await reconcile("web");
  expect(source.service("web")?.ingressIps).toEqual(["127.10.0.1"]);
  expect(readyOf("web")).toMatchObject({ status: "True" });
  fiberlb.statusOf = () => ({ status: "ERROR", reason: "lb-1: cannot bind 127.10.0.1:80: in use" });
  await reconcile("web");
  expect(source.service("web")?.ingressIps).toEqual([]);
  expect(readyOf("web")).toEqual({
    type: READY_CONDITION,
    status: "False",
    reason: "ProvisioningFailed",
    message: "lb-1: cannot bind 127.10.0.1:80: in use",
  });
});

test("a quota that is used up is a condition on the one that it concerns", async () => {
  const { source, fiberlb, controller, readyOf } = setUp();
  fiberlb.quota = 1;
  source.put(service("web"), service("late"));
  await controller.reconcileAll();
  expect(readyOf("web")).toMatchObject({ status: "True" });
  expect(readyOf("late")).toMatchObject({
    status: "False",
    reason: "QuotaExceeded",
    message: "cannot create load balancer of default/late: resource exhausted: quota of project shop is exhausted",
  });
  await controller.stop();
});

test("a backend that is refused does not keep the others from serving", async () => {
  const { source, fiberlb, reconcile, readyOf } = setUp();
  fiberlb.before = (method, request) => {
    if (method !== "createBackend" || request["address"] !== "10.0.0.2") return;
    throw new ConnectError("address must be outside of 10.0.0.2/32", Code.InvalidArgument);
  };
  source.put(service("web"), pod("web", 1), pod("web", 2));
  expect(await reconcile("web")).toMatchObject({ result: "failed", failure: { reason: "Refused" } });
  expect(fiberlb.trees[0]).toMatchObject({ listeners: ["TCP 80 → tcp-80"], pools: { "tcp-80": ["10.0.0.1:8080 ×1"] } });
  expect(source.service("web")?.ingressIps).toEqual(["127.10.0.1"]);
  expect(readyOf("web")?.message).toMatch(
    /^cannot create backend web-2@10\.0\.0\.2:8080: invalid argument: address must be/,
  );
});

test("a pool that is refused for a new port does not keep the backends of the others from following", async () => {
  const { source, fiberlb, reconcile } = setUp();
  source.put(service("web"), pod("web", 1));
  await reconcile("web");
  fiberlb.before = (method) => {
    if (method === "createPool") throw new ConnectError("quota", Code.ResourceExhausted);
  };
  const [port] = source.service("web")!.ports;
  source.change("web", { ports: [port!, { ...port!, name: "more", port: 81 }] });
  source.removePod("web", 1);
  source.put(pod("web", 2));
  expect(await reconcile("web")).toMatchObject({ result: "failed", failure: { reason: "QuotaExceeded" } });
  expect(fiberlb.trees[0]?.pools).toEqual({ "tcp-80": ["10.0.0.2:8080 ×1"] });
});

test("while FiberLB is not reached, what clients know stays; one that is not served yet learns why", async () => {
  const { source, fiberlb, reconcile, readyOf } = setUp();
  source.put(service("web"));
  await reconcile("web");
  fiberlb.before = () => {
    throw new ConnectError("FiberLB at http://127.0.0.1:9080 does not answer", Code.Unavailable);
  };
  source.put(service("new"));
  expect(await reconcile("web")).toMatchObject({ result: "failed" });
  expect(source.service("web")?.ingressIps).toEqual(["127.10.0.1"]);
  expect(readyOf("web")).toMatchObject({ status: "True" });
  await reconcile("new");
  expect(readyOf("new")).toMatchObject({ status: "False", reason: "Unavailable" });
});

test("a VIP that is in use by somebody else is a conflict", async () => {
  const { source, fiberlb, reconcile, readyOf } = setUp();
  fiberlb.insert("loadBalancer", { name: "other", vipAddress: "127.10.5.5" });
  source.put(service("web", { loadBalancerIp: "127.10.5.5" }));
  await reconcile("web");
  expect(readyOf("web")).toMatchObject({
    reason: "Conflict",
    message: expect.stringMatching(/VIP 127\.10\.5\.5 is in use/),
  });
});

test("another VIP comes before the one that clients know goes", async () => {
  const { source, fiberlb, reconcile } = setUp();
  const shown: (readonly string[])[] = [];
  const look = async (): Promise<void> => {
    await reconcile("web");
    shown.push(source.service("web")!.ingressIps);
  };
  source.put(service("web"), pod("web", 1));
  await look();
  source.change("web", { loadBalancerIp: "127.20.0.1" });
  fiberlb.statusOf = ({ vipAddress }) => ({ status: vipAddress === "127.20.0.1" ? "PENDING_CREATE" : "ACTIVE" });
  await look();
  // A new Pod serves behind both.
  source.put(pod("web", 2));
  await look();
  expect(fiberlb.trees.map(({ pools }) => pools["tcp-80"]?.length)).toEqual([2, 2]);
  fiberlb.statusOf = () => ({ status: "ACTIVE" });
  await look();
  await look();
  expect(shown).toEqual([["127.10.0.1"], ["127.10.0.1"], ["127.10.0.1"], ["127.20.0.1"], ["127.20.0.1"]]);
  expect(fiberlb.trees.map(({ vip }) => vip)).toEqual(["127.20.0.1"]);
});

test("a controller that knows nothing adopts what is there, and no VIP changes", async () => {
  const { source, fiberlb, reconcile } = setUp();
  // The address was asked for once: the load balancer's name tells of a wish that nobody has any more.
  source.put(service("web", { loadBalancerIp: "127.10.9.9" }), pod("web", 1));
  await reconcile("web");
  const { loadBalancerIp: _, ...rest } = source.service("web")!;
  source.put({ ...rest, ingressIps: [] });
  const [writes] = [fiberlb.writes.length];
  const next = createController({ source, fiberlb: fiberlb.client });
  expect(await next.reconcile(meta("web"))).toMatchObject({ operations: 0 });
  expect(fiberlb.writes).toHaveLength(writes);
  expect(source.service("web")?.ingressIps).toEqual(["127.10.9.9"]);
});

test("a sweep finds load balancers whose Service has gone, of tenants that it is told of, and no others", async () => {
  const tenant = { orgId: "left", projectId: "over" };
  const { source, fiberlb, controller, reconcile } = setUp({ tenants: [tenant] });
  source.put(service("web"));
  await reconcile("web");
  const { tags } = fiberlb.rows("loadBalancer")[0]!;
  fiberlb.insert("loadBalancer", { name: "orphan", tags: { ...tags, "fiberlb.io/service": "default/gone" } }, tenant);
  fiberlb.insert("loadBalancer", { name: "applied", tags: { "fiberlb.io/managed-by": "apply/default" } }, tenant);
  fiberlb.insert("loadBalancer", { name: "by hand" }, tenant);
  await controller.reconcileAll();
  expect(fiberlb.rows("loadBalancer").map(({ name }) => name)).toEqual([
    expect.stringMatching(/^k8s-/),
    "applied",
    "by hand",
  ]);
  await controller.stop();
});

test("a steady sweep lists each kind once, whatever the number of Services, and writes nothing", async () => {
  const { source, fiberlb, controller } = setUp();
  for (let n = 0; n < 30; n += 1) source.put(service(`s${n}`), pod(`s${n}`, n));
  await controller.reconcileAll();
  await controller.reconcileAll();
  const [hostCalls, calls] = [source.calls.length, fiberlb.calls.length];
  expect(await controller.reconcileAll()).toEqual({ services: 30, due: [], failures: [] });
  expect(source.calls.slice(hostCalls).toSorted()).toEqual(["listPods", "listServices"]);
  const methods = fiberlb.calls.slice(calls).map(({ method }) => method);
  expect(methods.toSorted()).toEqual([
    "listBackends",
    "listHealthChecks",
    "listListeners",
    "listLoadBalancers",
    "listPools",
  ]);
  await controller.stop();
});

test("tenants are told apart by the headers of each call", async () => {
  const { source, fiberlb, controller } = setUp();
  const beta = { orgId: "beta", projectId: "lab" };
  source.put(
    service("web"),
    service("web", { meta: { ...beta, uid: "other" } }),
    pod("web", 1),
    pod("web", 2, { meta: { ...beta, labels: { app: "web" } } }),
  );
  await controller.reconcileAll();
  expect(
    fiberlb
      .rows("loadBalancer")
      .map(({ orgId, projectId }) => `${orgId}/${projectId}`)
      .toSorted(),
  ).toEqual(["acme/shop", "beta/lab"]);
  expect(
    fiberlb
      .rows("backend")
      .map(({ orgId, address }) => `${orgId} ${address}`)
      .toSorted(),
  ).toEqual(["acme 10.0.0.1", "beta 10.0.0.2"]);
  await controller.stop();
});

test("an HTTPS port with a certificate of the project; a check and its removal", async () => {
  const { source, fiberlb, reconcile, readyOf } = setUp();
  const annotations = {
    "fiberlb.io/protocol": "HTTPS",
    "fiberlb.io/certificate": "site",
    "fiberlb.io/health-check-path": "/up",
  };
  source.put(service("web", { meta: { annotations } }), pod("web", 1));
  await reconcile("web");
  expect(readyOf("web")).toMatchObject({ reason: "InvalidConfiguration", message: expect.stringMatching(/"site"/) });
  const privateKeyPem = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
  const certificatePem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
  const { id } = fiberlb.insert("certificate", { name: "site", type: "SERVER", certificatePem, privateKeyPem });
  expect(await reconcile("web")).toMatchObject({ result: "changed" });
  expect(fiberlb.rows("listener")[0]).toMatchObject({ protocol: "HTTPS", certificateIds: [id] });
  expect(fiberlb.rows("healthCheck")[0]).toMatchObject({ type: "HTTP", http: { path: "/up" } });
  expect(await reconcile("web")).toEqual({ result: "unchanged", operations: 0 });
  source.change("web", { meta: { annotations: {} } });
  await reconcile("web");
  expect(fiberlb.rows("healthCheck")).toEqual([]);
  expect(fiberlb.trees[0]?.listeners).toEqual(["TCP 80 → tcp-80"]);
});

test("a load balancer that is protected against deletion keeps its Service, and the condition says so", async () => {
  const { source, fiberlb, reconcile, readyOf } = setUp();
  source.put(service("web"));
  await reconcile("web");
  fiberlb.change("loadBalancer", fiberlb.rows("loadBalancer")[0]!.id, { deleteProtection: true });
  source.deleteService("web");
  expect(await reconcile("web")).toMatchObject({ result: "failed", failure: { reason: "Refused" } });
  expect(readyOf("web")?.message).toMatch(/delete-protected/);
});
