import { create } from "@bufbuild/protobuf";
import { ConditionStatus, type Pod, PodPhase, PodStatusSchema } from "@fiberlb/api/k8shost";

import { metaOf } from "../objects/kinds.ts";
import { isTrue, withCondition } from "../objects/life.ts";
import { READY } from "../objects/nodes.ts";
import { hasEnded } from "../scheduler/requests.ts";
import { forAll, type LoopParts, removeIfThere, writeFromView } from "./steps.ts";

/**
 * Takes Pods off nodes that are not ready. Those with an owner end, and the owner makes new ones; the others wait for a node
 * again. An agent that comes back finds them gone from its node and stops what it still runs.
 */
export async function evictPods(parts: LoopParts): Promise<undefined> {
  const { pods, nodes } = parts.cache.view;
  const lost = new Set(
    [...nodes.values()].filter(({ status }) => !isTrue(status?.conditions, READY)).map((node) => metaOf(node).name),
  );
  const stranded = [...pods.values()].filter((pod) => lost.has(pod.spec?.nodeName ?? "") && !hasEnded(pod));
  await forAll(stranded, (pod) => evict(parts, pod));
  return undefined;
}

async function evict(parts: LoopParts, pod: Pod): Promise<void> {
  const { owner, deletionTimestamp } = metaOf(pod);
  const nodeName = pod.spec?.nodeName ?? "";
  if (owner !== undefined || deletionTimestamp !== undefined) {
    // Nobody is there who could use the time.
    await removeIfThere(parts, pod, ({ spec }) => {
      if (spec !== undefined) spec.terminationGracePeriodS = 0;
    });
    return;
  }
  const epochMs = parts.clock.epochMs();
  const notReady = { type: READY, status: ConditionStatus.FALSE, reason: "NodeLost", message: `${nodeName} is lost` };
  await writeFromView(parts, parts.pods, {
    object: pod,
    edit: (copy) => {
      if (copy.spec !== undefined) copy.spec.nodeName = "";
      copy.status = create(PodStatusSchema, {
        phase: PodPhase.PENDING,
        reason: "NodeLost",
        message: `its node ${nodeName} is lost`,
        conditions: withCondition(pod.status?.conditions ?? [], notReady, epochMs),
      });
    },
  });
}
