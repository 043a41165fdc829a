import { rmSync } from "node:fs";

import { ConditionStatus, PodPhase, ServiceType } from "@fiberlb/api/k8shost";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";

import { type EchoServer, startEchoServer, tally } from "./echo-server.ts";
import { type NodeProcess, startNode } from "./node-process.ts";
import { FIBERLB, Program, runFiberlb } from "./program.ts";
import { SmallK8shost } from "./small-k8shost.ts";
import { until } from "./until.ts";

jest.setTimeout(60_000);

const tenant = { orgId: "acme", projectId: "shop" };
const PORT = 8080;

let node: NodeProcess;
let host: SmallK8shost;
let controller: Program;
let pods: EchoServer[];

beforeAll(async () => {
  [node, host] = await Promise.all([startNode(), SmallK8shost.start()]);
  pods = await Promise.all(["p1", "p2", "p3"].map((name) => startEchoServer(name)));
  controller = startController();
});

afterAll(async () => {
  await controller.kill();
  await node.program.kill();
  await Promise.all([host.close(), ...pods.map((pod) => pod.close())]);
  rmSync(node.folder, { recursive: true });
});

const startController = (): Program =>
  new Program([
    ...FIBERLB,
    "controller",
    "--k8shost",
    host.url,
    "--server",
    node.api.url,
    "--admin-listen",
    "127.0.0.1:0",
  ]);

/** A Pod that is an echo server of this process; all have one address, so that each says its own port. */
const putPod = ({ name, port }: EchoServer, { ready = true } = {}): void =>
  host.putPod({
    metadata: { ...tenant, namespace: "default", name, uid: name, labels: { app: "web" } },
    spec: { containers: [{ name: "echo", ports: [{ name: "echo", containerPort: port }] }] },
    status: {
      phase: PodPhase.RUNNING,
      podIp: "127.0.0.1",
      conditions: [{ type: "Ready", status: ready ? ConditionStatus.TRUE : ConditionStatus.FALSE }],
    },
  });

const vipOf = (): string => host.service("web")?.status?.loadBalancer?.ingress[0]?.ip ?? "";

/** Who answers behind the VIP. */
const serving = async (): Promise<string> =>
  Object.keys(await tally({ host: vipOf(), port: PORT }, 30))
    .toSorted()
    .join();

test("a Service gets a VIP that its Pods serve, also over the death of the controller, and goes without a trace", async () => {
  putPod(pods[0]!);
  putPod(pods[1]!);
  host.putService({
    metadata: { ...tenant, namespace: "default", name: "web", uid: "u1" },
    spec: {
      type: ServiceType.LOAD_BALANCER,
      selector: { app: "web" },
      ports: [{ port: PORT, target: { case: "targetPortName", value: "echo" } }],
    },
  });
  await until("an ingress address", vipOf, (vip) => vip !== "");
  const vip = vipOf();
  await until("both Pods", serving, (names) => names === "p1,p2");
  putPod(pods[0]!, { ready: false });
  await until("one Pod", serving, (names) => names === "p2");

  await controller.kill();
  putPod(pods[2]!);
  controller = startController();
  await until("the new Pod", serving, (names) => names === "p2,p3");
  expect(vipOf()).toBe(vip);

  host.deleteService("web");
  await until(
    "the Service to go",
    () => host.service("web"),
    (service) => service === undefined,
  );
  const left = ["LoadBalancer", "Listener", "Pool", "Backend"].map(async (kind) => {
    const answer = await fetch(`${node.api.url}/fiberlb.v1.${kind}Service/List${kind}s`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-org-id": "acme", "x-project-id": "shop" },
      body: "{}",
    });
    return Object.values((await answer.json()) as object)[0] as unknown;
  });
  expect(await Promise.all(left)).toEqual([[], [], [], []]);

  controller.signal("SIGTERM");
  expect(await controller.ended).toMatchObject({ code: 0 });
});

test("what is wrong with the configuration is told, a line each", async () => {
  const { code, stderr } = await runFiberlb(["controller"]);
  expect([code, stderr]).toEqual([
    2,
    ["error: k8shost.server is required: where k8shost is, such as --k8shost http://127.0.0.1:6443"],
  ]);
});
