import { timestampMs } from "@bufbuild/protobuf/wkt";
import { ConditionStatus, type Pod } from "@fiberlb/api/k8shost";

import { metaOf } from "../objects/kinds.ts";
import type { Replica } from "./plan-rollout.ts";
import { TEMPLATE_LABEL } from "./template.ts";

/** A Pod as a rollout sees it, and when it becomes available by the passing of time alone. */
export interface SeenReplica extends Replica {
  readonly pod: Pod;
  readonly isReady: boolean;
  /** In milliseconds since 1970; absent when it is not ready. */
  readonly availableAtMs: number | undefined;
}

/** `minReadyS`: how long a Pod has to be ready to count. */
export function seeReplica(
  pod: Pod,
  { hash, minReadyS, epochMs }: { readonly hash: string; readonly minReadyS: number; readonly epochMs: number },
): SeenReplica {
  const { name, labels, createdAt } = metaOf(pod);
  const ready = pod.status?.conditions.find(({ type }) => type === "Ready");
  const isReady = ready?.status === ConditionStatus.TRUE;
  const sinceMs = ready?.lastTransitionTime === undefined ? 0 : timestampMs(ready.lastTransitionTime);
  const availableAtMs = isReady ? (minReadyS === 0 ? 0 : sinceMs + minReadyS * 1000) : undefined;
  return {
    pod,
    name,
    isCurrent: labels[TEMPLATE_LABEL] === hash,
    isReady,
    availableAtMs,
    isAvailable: availableAtMs !== undefined && availableAtMs <= epochMs,
    isScheduled: (pod.spec?.nodeName ?? "") !== "",
    createdMs: createdAt === undefined ? 0 : timestampMs(createdAt),
  };
}
