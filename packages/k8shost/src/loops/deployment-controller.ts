import { clone, create, equals } from "@bufbuild/protobuf";
import {
  ConditionStatus,
  type Deployment,
  DeploymentStatusSchema,
  type ObjectMeta,
  type Pod,
} from "@fiberlb/api/k8shost";
import type { Random } from "@fiberlb/k8shost-controller";

import { rolloutBounds } from "../deployments/amounts.ts";
import { planRollout } from "../deployments/plan-rollout.ts";
import { type SeenReplica, seeReplica } from "../deployments/replicas.ts";
import { podOf, templateHash } from "../deployments/template.ts";
import { metaOf } from "../objects/kinds.ts";
import { withCondition } from "../objects/life.ts";
import { hasEnded } from "../scheduler/requests.ts";
import { forAll, type LoopParts, removeIfThere, writeFromView } from "./steps.ts";

const SUFFIX_CHARS = 6;

/**
 * Keeps the Pods of all Deployments: makes and ends them a step at a time, replaces those that ended, and takes those along whose
 * Deployment has gone. Answers when the next Pod becomes available by the passing of time.
 */
export async function keepDeployments(parts: LoopParts, random: Random): Promise<number | undefined> {
  const { deployments, pods } = parts.cache.view;
  const owned = Map.groupBy(
    [...pods.values()].filter((pod) => metaOf(pod).owner?.kind === "Deployment"),
    (pod) => ownerKey(metaOf(pod), metaOf(pod).owner?.uid ?? ""),
  );
  const waits: number[] = [];
  for (const deployment of deployments.values()) {
    const { uid, deletionTimestamp } = metaOf(deployment);
    const key = ownerKey(metaOf(deployment), uid);
    const mine = owned.get(key) ?? [];
    // One that is held by a finalizer makes no new Pods; the ones there are go with it.
    if (deletionTimestamp !== undefined) continue;
    owned.delete(key);
    const waitMs = await keepOne(parts, { deployment, mine, random });
    if (waitMs !== undefined) waits.push(waitMs);
  }
  const orphans = [...owned.values()].flat().filter((pod) => metaOf(pod).deletionTimestamp === undefined);
  await forAll(orphans, (pod) => removeIfThere(parts, pod));
  return waits.length === 0 ? undefined : Math.min(...waits);
}

/** Clients may say who owns a Pod: only what is in the same place counts, so that nobody gets into another tenant's Deployment. */
const ownerKey = ({ orgId, projectId, namespace }: ObjectMeta, uid: string): string =>
  [orgId, projectId, namespace, uid].join("/");

interface Task {
  readonly deployment: Deployment;
  readonly mine: readonly Pod[];
  readonly random: Random;
}

async function keepOne(parts: LoopParts, { deployment, mine, random }: Task): Promise<number | undefined> {
  const epochMs = parts.clock.epochMs();
  const { spec } = deployment;
  const hash = templateHash(deployment);
  const living = mine.filter((pod) => metaOf(pod).deletionTimestamp === undefined);
  const seen = living
    .filter((pod) => !hasEnded(pod))
    .map((pod) => seeReplica(pod, { hash, minReadyS: spec?.minReadyS ?? 0, epochMs }));
  const replicas = spec?.replicas ?? 1;
  const bounds = rolloutBounds(spec?.rollingUpdate, replicas);
  const step = planRollout({ replicas, bounds, pods: seen });
  const goes = new Set(step.remove);
  // First those that go: the new ones were counted as if they had gone.
  await forAll(
    living.filter((pod) => hasEnded(pod) || goes.has(metaOf(pod).name)),
    (pod) => removeIfThere(parts, pod),
  );
  const made = await makePods(parts, { deployment, hash, random, count: step.create });
  // What was made must be in view before the next look, or it would be made again.
  await parts.cache.reached(made);
  await writeStatus(parts, deployment, { seen, minAvailable: replicas - bounds.maxUnavailable, epochMs });
  const times = seen.map(({ availableAtMs = 0 }) => availableAtMs - epochMs).filter((ms) => ms > 0);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** @returns the newest revision among them */
async function makePods(
  { pods }: LoopParts,
  { deployment, hash, random, count }: Omit<Task, "mine"> & { readonly hash: string; readonly count: number },
): Promise<number> {
  let revision = 0;
  await forAll(Array.from({ length: count }), async () => {
    const suffix = random.uuid().replaceAll("-", "").slice(-SUFFIX_CHARS);
    const pod = await pods.create(podOf(deployment, { hash, suffix }), metaOf(deployment));
    revision = Math.max(revision, Number(metaOf(pod).resourceVersion));
  });
  return revision;
}

interface Progress {
  readonly seen: readonly SeenReplica[];
  readonly minAvailable: number;
  readonly epochMs: number;
}

/** Of what was there before the step; what the step did comes with the next look. */
async function writeStatus(parts: LoopParts, deployment: Deployment, progress: Progress): Promise<void> {
  const status = statusOf(deployment, progress);
  if (deployment.status !== undefined && equals(DeploymentStatusSchema, status, deployment.status)) return;
  await writeFromView(parts, parts.deployments, {
    object: deployment,
    edit: (copy) => {
      copy.status = status;
    },
  });
}

function statusOf(deployment: Deployment, { seen, minAvailable, epochMs }: Progress) {
  const replicas = deployment.spec?.replicas ?? 1;
  const count = (is: (one: SeenReplica) => boolean): number => seen.filter(is).length;
  const available = count(({ isAvailable }) => isAvailable);
  const updated = count(({ isCurrent }) => isCurrent);
  const isDone = updated === replicas && seen.length === replicas && available === replicas;
  const status = deployment.status ? clone(DeploymentStatusSchema, deployment.status) : create(DeploymentStatusSchema);
  status.observedGeneration = metaOf(deployment).generation;
  status.replicas = seen.length;
  status.updatedReplicas = updated;
  status.readyReplicas = count(({ isReady }) => isReady);
  status.availableReplicas = available;
  const isAvailable = available >= minAvailable;
  status.conditions = withCondition(
    status.conditions,
    {
      type: "Available",
      status: isAvailable ? ConditionStatus.TRUE : ConditionStatus.FALSE,
      reason: isAvailable ? "EnoughAvailable" : "TooFewAvailable",
      message: `${available} of ${replicas} Pods are available, ${Math.max(0, minAvailable)} are needed`,
    },
    epochMs,
  );
  status.conditions = withCondition(
    status.conditions,
    {
      type: "Progressing",
      status: isDone ? ConditionStatus.FALSE : ConditionStatus.TRUE,
      reason: isDone ? "Complete" : "RollingOut",
      message: `${updated} of ${replicas} Pods are of the current template`,
    },
    epochMs,
  );
  return status;
}
