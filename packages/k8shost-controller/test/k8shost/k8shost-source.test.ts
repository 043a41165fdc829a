import { ConditionStatus, PodPhase, Protocol, ServiceType } from "@fiberlb/api/k8shost";
import { afterEach, beforeEach, expect, test } from "@jest/globals";

import {
  createController,
  createK8shostSource,
  FINALIZER,
  type K8shostSource,
  type ObjectKey,
  READY_CONDITION,
} from "../../src/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { FakeFiberlb } from "../fake-fiberlb.ts";
import { FakeK8shost } from "./fake-k8shost.ts";

const tenant = { orgId: "acme", projectId: "shop" };
const key = { ...tenant, namespace: "default", name: "web" };

const web = {
  metadata: { ...key, uid: "u1" },
  spec: {
    type: ServiceType.LOAD_BALANCER,
    selector: { app: "web" },
    ports: [{ name: "http", port: 80, target: { case: "targetPortName", value: "http" } as const }],
  },
};

const pod = (n: number, { ready = true, app = "web" } = {}) => ({
  metadata: { ...tenant, namespace: "default", name: `web-${n}`, uid: `p${n}`, labels: { app } },
  spec: { containers: [{ name: "c", ports: [{ name: "http", containerPort: 8080 }] }] },
  status: {
    phase: PodPhase.RUNNING,
    podIp: `10.0.0.${n}`,
    conditions: [{ type: "Ready", status: ready ? ConditionStatus.TRUE : ConditionStatus.FALSE }],
  },
});

let host: FakeK8shost;
let clock: FakeClock;
let source: K8shostSource;
let ending: AbortController;
/** Services that were told of and not yet looked at by a test. */
let told: string[];

beforeEach(() => {
  host = new FakeK8shost();
  clock = new FakeClock();
  host.putService(web);
  host.putPod(pod(1));
  source = createK8shostSource({ k8shost: host.client, clock });
  ending = new AbortController();
  told = [];
  void collect(source.watch(ending.signal));
});

afterEach(async () => {
  ending.abort();
  await source.stop();
});

async function collect(keys: AsyncIterable<ObjectKey>): Promise<void> {
  for await (const { name } of keys) told.push(name);
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** The next Service that is told of. */
async function nextChange(): Promise<string> {
  while (told.length === 0) await turn();
  return told.shift()!;
}

/** A watch that broke off begins again after a pause; time is moved until it has. */
async function untilWatched(table: { readonly watches: number }, watches: number): Promise<void> {
  while (table.watches < watches) {
    clock.advance(100);
    await turn();
  }
}

test("Services and Pods are those of k8shost, in the controller's words", async () => {
  expect(await source.listServices()).toEqual([
    {
      meta: { ...key, uid: "u1", labels: {}, annotations: {}, finalizers: [] },
      type: "LoadBalancer",
      selector: { app: "web" },
      ports: [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }],
      loadBalancerSourceRanges: [],
      sessionAffinity: "None",
      externalTrafficPolicy: "Cluster",
      ingressIps: [],
      conditions: [],
    },
  ]);
  expect(await source.listPods({ ...tenant, namespace: "default", selector: { app: "web" } })).toEqual([
    {
      meta: {
        ...tenant,
        namespace: "default",
        name: "web-1",
        uid: "p1",
        labels: { app: "web" },
        annotations: {},
        finalizers: [],
      },
      podIp: "10.0.0.1",
      ready: true,
      namedPorts: { http: 8080 },
    },
  ]);
  expect(await source.listPods({ ...tenant, namespace: "other", selector: { app: "web" } })).toEqual([]);
});

test("a port without a target goes to the same number; a Pod that has ended is not Ready", async () => {
  host.putService({ ...web, spec: { ...web.spec, ports: [{ port: 53, protocol: Protocol.UDP }] } });
  host.putPod({ ...pod(1), status: { ...pod(1).status, phase: PodPhase.SUCCEEDED } });
  const fresh = createK8shostSource({ k8shost: host.client, clock });
  expect((await fresh.getService(key))?.ports).toEqual([{ name: "", port: 53, targetPort: 53, protocol: "UDP" }]);
  expect((await fresh.listPods())[0]?.ready).toBe(false);
  await fresh.stop();
});

test("a change of a Service, of a Pod, and of a Pod's labels are told of as Services to look at", async () => {
  await source.listServices();
  expect(await nextChange()).toBe("web");
  host.putPod(pod(2));
  expect(await nextChange()).toBe("web");
  host.putPod(pod(2, { app: "other" }));
  expect(await nextChange()).toBe("web");
  // Nobody selects it: the next that is told of is the one after.
  host.putPod(pod(3, { app: "other" }));
  host.putService({ ...web, metadata: { ...web.metadata, annotations: { a: "b" } } });
  expect(await nextChange()).toBe("web");
  expect((await source.getService(key))?.meta.annotations).toEqual({ a: "b" });
});

test("a watch that breaks off goes on where it was", async () => {
  await source.listServices();
  await nextChange();
  host.pods.breakOff();
  host.putPod(pod(2));
  host.deletePod("web-1");
  await untilWatched(host.pods, 2);
  expect(await nextChange()).toBe("web");
  while ((await source.listPods()).length !== 1) await turn();
  expect((await source.listPods()).map(({ meta }) => meta.name)).toEqual(["web-2"]);
});

test("after a break that the history does not reach back over, everything is listed again, and what went meanwhile is gone", async () => {
  await source.listServices();
  await nextChange();
  host.pods.breakOff();
  host.putPod(pod(2));
  host.deletePod("web-1");
  host.compact();
  await untilWatched(host.pods, 3);
  expect(await nextChange()).toBe("web");
  while ((await source.listPods()).length !== 1) await turn();
  expect((await source.listPods()).map(({ meta }) => meta.name)).toEqual(["web-2"]);
});

test("a watch that says nothing for 30 s is dead", async () => {
  await source.listServices();
  clock.advance(29_000);
  await turn();
  expect(host.pods.watches).toBe(1);
  clock.advance(1000);
  await untilWatched(host.pods, 2);
  expect(host.pods.watches).toBe(2);
});

test("statuses and finalizers are written with what was read, and are known at once", async () => {
  const service = (await source.getService(key))!;
  const condition = {
    type: READY_CONDITION,
    status: "True",
    reason: "Active",
    message: "VIP 127.10.0.1 is served",
  } as const;
  await source.writeFinalizers(service, [FINALIZER]);
  await source.writeStatus(service, { ingressIps: ["127.10.0.1"], condition });
  expect(await source.getService(key)).toMatchObject({
    ingressIps: ["127.10.0.1"],
    conditions: [condition],
    meta: { finalizers: [FINALIZER] },
  });
  await source.writeStatus(service, { ingressIps: [], condition: undefined });
  expect(await source.getService(key)).toMatchObject({ ingressIps: [], conditions: [] });
  expect(host.updates).toEqual(["default/web metadata.finalizers", "default/web status", "default/web status"]);
});

test("reads wait for the first listing, and say so when it does not come", async () => {
  const silent = new FakeK8shost();
  // Its listing never ends.
  silent.services.watch = () => silent.services.history.values() as never;
  const waiting = createK8shostSource({ k8shost: silent.client, clock });
  const services = waiting.listServices();
  const answer = services.catch((error: Error) => error.message);
  await turn();
  clock.advance(10_000);
  expect(await answer).toMatch(/k8shost has not listed its Services and Pods yet/);
  await waiting.stop();
});

test("with a controller: a Service is served, and goes when it is deleted", async () => {
  const fiberlb = new FakeFiberlb();
  const controller = createController({ source, fiberlb: fiberlb.client });
  expect(await controller.reconcile(key)).toMatchObject({ result: "changed" });
  expect(fiberlb.trees[0]?.pools).toEqual({ "tcp-80": ["10.0.0.1:8080 ×1"] });
  expect(host.services.objects.get("default/web")?.status?.loadBalancer?.ingress[0]?.ip).toBe("127.10.0.1");
  host.deleteService("web");
  while ((await source.getService(key))?.meta.deletedAt === undefined) await turn();
  expect(await controller.reconcile(key)).toMatchObject({ result: "changed" });
  expect(fiberlb.trees).toEqual([]);
  expect(host.services.objects.size).toBe(0);
  while ((await source.getService(key)) !== undefined) await turn();
  await controller.stop();
});
