import { ConditionStatus, type Pod, PodPhase } from "@fiberlb/api/k8shost";
import { expect, test } from "@jest/globals";

import { startAgent, untilPods } from "./agent.ts";
import { HandClock } from "./hand-clock.ts";
import { container, pod, refusal, startStage } from "./stage.ts";

const nameOf = ({ metadata }: Pod): string => metadata?.name ?? "";
const nodeOf = ({ spec }: Pod): string => spec?.nodeName ?? "";
const isReady = ({ status, metadata }: Pod): boolean =>
  metadata?.deletionTimestamp === undefined &&
  status?.conditions.some(({ type, status: is }) => type === "Ready" && is === ConditionStatus.TRUE) === true;
const reasonOf = ({ status }: Pod): string =>
  status?.conditions.find(({ type }) => type === "PodScheduled")?.message ?? "";

const deployment = (replicas: number, { image = "web:1", rollingUpdate = {} } = {}) => ({
  metadata: { name: "web" },
  spec: {
    replicas,
    selector: { matchLabels: { app: "web" } },
    template: { labels: { app: "web" }, spec: { containers: [{ ...container, image }] } },
    rollingUpdate,
  },
});
const imageOf = ({ spec }: Pod): string => spec?.containers[0]?.image ?? "";

test("a pending Pod says why it waits, and gets a node as soon as one fits", async () => {
  await using stage = await startStage({ runsLoops: true });
  const client = stage.client();
  const big = { containers: [{ ...container, requests: { cpuMillis: 500n } }] };
  await client.pods.createPod({ pod: pod("web-1", { spec: big }) });
  await untilPods(client, ([one]) => one !== undefined && reasonOf(one) === "there are no nodes");
  const small = await startAgent(client, "small", { cpuMillis: 100n });
  const full = "0 of 1 nodes fit: 1 with too little CPU (500m requested)";
  await untilPods(client, ([one]) => one !== undefined && reasonOf(one) === full);
  const large = await startAgent(client, "large");
  const [placed] = await untilPods(client, (all) => all.every(isReady));
  expect(placed && nodeOf(placed)).toBe("large");
  const { nodes } = await client.nodes.listNodes({});
  expect(nodes.map((node) => [node.metadata?.name, node.status?.requested?.cpuMillis])).toEqual([
    ["large", 500n],
    ["small", 0n],
  ]);
  await Promise.all([small.stop(), large.stop()]);
});

test("a node is never given more than it has, however many Pods come at once", async () => {
  await using stage = await startStage({ runsLoops: true });
  const client = stage.client();
  const agents = await Promise.all(["a", "b"].map((name) => startAgent(client, name, { cpuMillis: 1000n })));
  const spec = { containers: [{ ...container, requests: { cpuMillis: 100n } }] };
  await Promise.all(
    Array.from({ length: 25 }, (_, index) => client.pods.createPod({ pod: pod(`web-${index}`, { spec }) })),
  );
  const all = await untilPods(
    client,
    (pods) =>
      pods.length === 25 &&
      pods.filter(isReady).length === 20 &&
      pods.filter((one) => reasonOf(one).startsWith("0 of 2")).length === 5,
  );
  for (const name of ["a", "b"]) expect(all.filter((one) => nodeOf(one) === name)).toHaveLength(10);
  await Promise.all(agents.map((agent) => agent.stop()));
});

test("40 s without a heartbeat: Pods go elsewhere, those of a Deployment as new ones", async () => {
  const clock = new HandClock();
  await using stage = await startStage({ runsLoops: true, clock });
  const client = stage.client();
  const dies = await startAgent(client, "dies");
  await client.pods.createPod({ pod: pod("bare") });
  await client.deployments.createDeployment({ deployment: deployment(1) });
  const before = await untilPods(client, (all) => all.length === 2 && all.every(isReady));
  const owned = before.find((one) => nameOf(one) !== "bare");
  await dies.stop();
  const lives = await startAgent(client, "lives");
  clock.advance(30_000);
  await client.nodes.heartbeat({ name: "lives" });
  expect((await client.pods.getPod({ name: "bare" })).pod?.spec?.nodeName).toBe("dies");
  clock.advance(10_000);
  const after = await untilPods(
    client,
    (all) => all.length === 2 && all.every((one) => nodeOf(one) === "lives" && isReady(one)),
  );
  expect(after.map(nameOf)).toContain("bare");
  expect(after.map(nameOf)).not.toContain(nameOf(owned!));
  const { nodes } = await client.nodes.listNodes({});
  const ready = nodes.map(({ status }) => status?.conditions.find(({ type }) => type === "Ready")?.reason);
  expect(ready).toEqual(["HeartbeatLost", "Heartbeat"]);
  await lives.stop();
});

test("a terminating Pod goes when its grace period is over, although its agent says nothing", async () => {
  const clock = new HandClock();
  await using stage = await startStage({ runsLoops: true, clock });
  const client = stage.client();
  await client.pods.createPod({ pod: pod("web-1", { spec: { nodeName: "silent" } }) });
  await client.pods.deletePod({ name: "web-1", gracePeriodS: 20 });
  clock.advance(19_000);
  expect((await client.pods.getPod({ name: "web-1" })).pod?.metadata?.deletionTimestamp).toBeDefined();
  clock.advance(1000);
  await untilPods(client, (all) => all.length === 0);
});

test("a rolling update: never fewer available nor more Pods than allowed, and in the end all new; deletion takes all", async () => {
  await using stage = await startStage({ runsLoops: true });
  const client = stage.client();
  const agents = await Promise.all(["a", "b"].map((name) => startAgent(client, name)));
  const rollingUpdate = { maxSurge: "1", maxUnavailable: "1" };
  await client.deployments.createDeployment({ deployment: deployment(4, { rollingUpdate }) });
  await untilPods(client, (all) => all.length === 4 && all.every(isReady));
  await client.deployments.updateDeployment({ deployment: deployment(4, { image: "web:2", rollingUpdate }) });
  const available: number[] = [];
  const there: number[] = [];
  const all = await untilPods(
    client,
    (pods) => pods.length === 4 && pods.every((one) => isReady(one) && imageOf(one) === "web:2"),
    (pods) => {
      available.push(pods.filter(isReady).length);
      there.push(pods.filter(({ metadata }) => metadata?.deletionTimestamp === undefined).length);
    },
  );
  expect(Math.min(...available)).toBeGreaterThanOrEqual(3);
  expect(Math.max(...there)).toBeLessThanOrEqual(5);
  expect(new Set(all.map(nodeOf))).toEqual(new Set(["a", "b"]));
  for await (const { deployment: seen } of client.deployments.watchDeployments({})) {
    const { status, metadata } = seen ?? {};
    if (status?.availableReplicas !== 4 || status.updatedReplicas !== 4 || status.replicas !== 4) continue;
    expect(status.observedGeneration).toBe(metadata?.generation);
    expect(metadata?.generation).toBe(2n);
    break;
  }
  await client.deployments.deleteDeployment({ name: "web" });
  await untilPods(client, (pods) => pods.length === 0);
  await Promise.all(agents.map((agent) => agent.stop()));
});

test("a template that never gets ready stops the rollout before it harms; back again, it goes on", async () => {
  await using stage = await startStage({ runsLoops: true });
  const client = stage.client();
  const agent = await startAgent(client, "a", { isReady: (one) => imageOf(one) !== "broken" });
  const rollingUpdate = { maxSurge: "1", maxUnavailable: "0" };
  await client.deployments.createDeployment({ deployment: deployment(3, { rollingUpdate }) });
  await untilPods(client, (all) => all.length === 3 && all.every(isReady));
  await client.deployments.updateDeployment({ deployment: deployment(3, { image: "broken", rollingUpdate }) });
  const stuck = await untilPods(client, (all) =>
    all.some((one) => imageOf(one) === "broken" && one.status?.phase === PodPhase.RUNNING),
  );
  expect(stuck.filter(isReady)).toHaveLength(3);
  await client.deployments.updateDeployment({ deployment: deployment(3, { rollingUpdate }) });
  const back = await untilPods(client, (all) => all.length === 3 && all.every(isReady));
  expect(back.every((one) => imageOf(one) === "web:1")).toBe(true);
  await agent.stop();
});

test("Pods that ended or were deleted are replaced; scaling goes both ways", async () => {
  await using stage = await startStage({ runsLoops: true });
  const client = stage.client();
  const agent = await startAgent(client, "a");
  await client.deployments.createDeployment({ deployment: deployment(2) });
  const [first, second] = await untilPods(client, (all) => all.length === 2 && all.every(isReady));
  const failed = { metadata: { name: nameOf(first!) }, status: { phase: PodPhase.FAILED, podIp: "127.0.0.9" } };
  await client.pods.updatePod({ pod: failed });
  await client.pods.deletePod({ name: nameOf(second!) });
  const next = await untilPods(
    client,
    (all) =>
      all.length === 2 &&
      all.every((one) => isReady(one) && ![first, second].some((old) => nameOf(old!) === nameOf(one))),
  );
  expect(next).toHaveLength(2);
  await client.deployments.updateDeployment({ deployment: deployment(5) });
  await untilPods(client, (all) => all.length === 5 && all.every(isReady));
  await client.deployments.updateDeployment({ deployment: deployment(0) });
  await untilPods(client, (all) => all.length === 0);
  expect((await refusal(client.pods.getPod({ name: nameOf(next[0]!) }))).code).toBe("NotFound");
  await agent.stop();
});
