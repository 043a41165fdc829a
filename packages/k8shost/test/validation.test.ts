import { LabelOperator } from "@fiberlb/api/k8shost";
import { expect, test } from "@jest/globals";

import { container, pod, refusal, service, startStage } from "./stage.ts";

test("all bad fields are told at once, and nothing is written", async () => {
  await using stage = await startStage();
  const { services, pods, deployments, nodes } = stage.client();
  const { revision } = await stage.store.status();
  const badService = {
    metadata: { name: "Web_1", namespace: "UP", labels: { "bad key": "x" }, finalizers: ["a", "a"] },
    spec: {
      ports: [{ port: 0 }, { name: "b", port: 80 }, { name: "b", port: 80 }],
      loadBalancerIp: "1.2.3",
      loadBalancerSourceRanges: ["10.0.0.0/33"],
    },
  };
  expect(
    (await refusal(services.createService({ service: badService }))).fields.toSorted((a, b) => (a < b ? -1 : 1)),
  ).toEqual([
    "service.metadata.finalizers[1]",
    "service.metadata.labels",
    "service.metadata.name",
    "service.metadata.namespace",
    "service.spec.load_balancer_ip",
    "service.spec.load_balancer_source_ranges[0]",
    "service.spec.ports[0].name",
    "service.spec.ports[0].port",
    "service.spec.ports[2].name",
    "service.spec.ports[2].port",
  ]);
  const greedy = { ...container, image: "", requests: { cpuMillis: 2n }, limits: { cpuMillis: 1n } };
  const badPod = {
    metadata: { name: "web" },
    spec: { containers: [greedy, container], terminationGracePeriodS: 90_000 },
  };
  expect((await refusal(pods.createPod({ pod: badPod }))).fields).toEqual([
    "pod.spec.containers[0].image",
    "pod.spec.containers[0].requests.cpu_millis",
    "pod.spec.containers[1].name",
    "pod.spec.containers.ports.name",
    "pod.spec.termination_grace_period_s",
  ]);
  const badDeployment = {
    metadata: { name: "web" },
    spec: {
      replicas: 20_000,
      selector: { matchLabels: { app: "web" } },
      template: { labels: { app: "mail" }, spec: {} },
      rollingUpdate: { maxSurge: "0", maxUnavailable: "0%" },
    },
  };
  expect((await refusal(deployments.createDeployment({ deployment: badDeployment }))).fields).toEqual([
    "deployment.spec.replicas",
    "deployment.spec.template.labels",
    "deployment.spec.template.spec.containers",
    "deployment.spec.rolling_update.max_unavailable",
  ]);
  expect((await refusal(nodes.registerNode({ node: { metadata: { name: "" } } }))).fields).toEqual([
    "node.metadata.name",
    "node.status.allocatable",
  ]);
  expect((await refusal(services.createService({}))).fields).toEqual(["service"]);
  expect((await stage.store.status()).revision).toBe(revision);
});

test("what cannot change says so; a mask with what nobody may write is refused", async () => {
  await using stage = await startStage();
  const { pods, services } = stage.client();
  await pods.createPod({ pod: pod("web") });
  const other = { containers: [{ ...container, image: "other" }] };
  expect((await refusal(pods.updatePod({ pod: { metadata: { name: "web" }, spec: other } }))).fields).toEqual([
    "pod.spec",
  ]);
  const placed = { containers: [container], nodeName: "node-1" };
  expect((await pods.updatePod({ pod: { metadata: { name: "web" }, spec: placed } })).pod?.spec?.nodeName).toBe(
    "node-1",
  );
  const moved = { containers: [container], nodeName: "node-2" };
  expect((await refusal(pods.updatePod({ pod: { metadata: { name: "web" }, spec: moved } }))).fields).toEqual([
    "pod.spec.node_name",
  ]);
  const mask = { paths: ["metadata.uid", "spec"] };
  expect((await refusal(pods.updatePod({ pod: { metadata: { name: "web" } }, updateMask: mask }))).fields).toEqual([
    "update_mask",
  ]);
  await services.createService({ service: service("web") });
  expect((await refusal(services.updateService({ service: { metadata: { name: "web", uid: "other" } } }))).code).toBe(
    "Aborted",
  );
});

test("questions are checked too", async () => {
  await using stage = await startStage();
  const { pods } = stage.client();
  const numbers = { matchExpressions: [{ key: "a", operator: LabelOperator.GREATER_THAN, values: ["1"] }] };
  expect((await refusal(pods.listPods({ labelSelector: numbers, namespace: "a/b" }))).fields).toEqual([
    "namespace",
    "label_selector.match_expressions[0].operator",
  ]);
  expect((await refusal(pods.listPods({ pageSize: 1001 }))).fields).toEqual(["page_size"]);
  expect((await refusal(pods.listPods({ pageToken: "nonsense" }))).fields).toEqual(["page_token"]);
});

test("an object that is too large is refused", async () => {
  await using stage = await startStage();
  const { pods } = stage.client();
  const annotations = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`a-${index}`, "x".repeat(32_000)]));
  const large = { ...pod("large"), metadata: { name: "large", annotations } };
  expect(await refusal(pods.createPod({ pod: large }))).toMatchObject({ code: "InvalidArgument", fields: ["pod"] });
});
