import { create, equals } from "@bufbuild/protobuf";
import { ConditionStatus, type Pod, PodSchema, PodStatusSchema } from "@fiberlb/api/k8shost";

import { withCondition } from "../objects/life.ts";
import { SCHEDULED_CONDITION } from "../objects/rules-by-kind.ts";
import { decide, type Decision, type Strategy } from "../scheduler/decide.ts";
import { forAll, type LoopParts, writeFromView } from "./steps.ts";

/**
 * Gives pending Pods a node, or writes why there is none for them on their condition. The next run begins when the view has what
 * this one wrote, so that nothing is given out twice.
 */
export async function schedule(parts: LoopParts, strategy: Strategy): Promise<undefined> {
  const { pods, nodes } = parts.cache.view;
  const epochMs = parts.clock.epochMs();
  await forAll(decide(pods.values(), nodes.values(), { strategy }), async (decision) => {
    const { pod } = decision;
    const edit = (copy: Pod): void => apply(copy, decision, epochMs);
    const changed = create(PodSchema, { ...pod, ...(pod.status && { status: { ...pod.status } }) });
    if (pod.spec !== undefined) changed.spec = { ...pod.spec };
    edit(changed);
    if (!equals(PodSchema, changed, pod)) await writeFromView(parts, parts.pods, { object: pod, edit });
  });
  return undefined;
}

function apply(pod: Pod, decision: Decision, epochMs: number): void {
  const isPlaced = "nodeName" in decision;
  pod.status ??= create(PodStatusSchema);
  if (isPlaced && pod.spec !== undefined) pod.spec.nodeName = decision.nodeName;
  const condition = isPlaced
    ? { status: ConditionStatus.TRUE, reason: "Scheduled", message: `on ${decision.nodeName}` }
    : { status: ConditionStatus.FALSE, reason: "Unschedulable", message: decision.reason };
  pod.status.conditions = withCondition(pod.status.conditions, { type: SCHEDULED_CONDITION, ...condition }, epochMs);
}
