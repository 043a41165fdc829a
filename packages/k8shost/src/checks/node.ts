import type { Node } from "@fiberlb/api/k8shost";

import { checkConditions } from "./meta.ts";
import type { Violations } from "./violations.ts";

const MAX_ADDRESSES = 16;
const MAX_PODS = 10_000;

export function checkNode({ status }: Node, field: string, to: Violations): void {
  const { allocatable, addresses = [], conditions = [], maxPods = 0 } = status ?? {};
  if (allocatable === undefined) to.require(false, `${field}.status.allocatable`);
  to.atMost(addresses.length, `${field}.status.addresses`, MAX_ADDRESSES);
  to.within(maxPods, `${field}.status.max_pods`, { min: 0, max: MAX_PODS });
  checkConditions(conditions, `${field}.status.conditions`, to);
}
