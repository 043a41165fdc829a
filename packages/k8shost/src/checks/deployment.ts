import { equals } from "@bufbuild/protobuf";
import { type Deployment, LabelSelectorSchema } from "@fiberlb/api/k8shost";
import { show } from "@fiberlb/types";

import { parseAmount } from "../deployments/amounts.ts";
import { matchesSelector } from "../objects/selector.ts";
import { checkConditions, checkLabels, checkSelector } from "./meta.ts";
import { checkPodSpec } from "./pod.ts";
import type { Violations } from "./violations.ts";

const MAX_REPLICAS = 10_000;
const MAX_READY_S = 86_400;

export function checkDeploymentSpec({ spec }: Deployment, field: string, to: Violations): void {
  if (spec === undefined) return to.require(false, field);
  to.within(spec.replicas ?? 1, `${field}.replicas`, { min: 0, max: MAX_REPLICAS });
  to.within(spec.minReadyS, `${field}.min_ready_s`, { min: 0, max: MAX_READY_S });
  checkSelector(spec.selector, `${field}.selector`, to);
  const { selector, template } = spec;
  if (selector === undefined || isEmpty(selector))
    to.add(`${field}.selector`, "REQUIRED", "is required: it must not match every Pod");
  const labels = template?.labels ?? {};
  checkLabels(labels, `${field}.template.labels`, to);
  if (!matchesSelector(selector, labels))
    to.add(`${field}.template.labels`, "INVALID_COMBINATION", "must match the selector");
  checkPodSpec(template?.spec, `${field}.template.spec`, to);
  if (template?.spec !== undefined && template.spec.nodeName !== "")
    to.add(`${field}.template.spec.node_name`, "NOT_ALLOWED", "is the scheduler's to fill in");
  checkRollingUpdate(spec, field, to);
}

function checkRollingUpdate({ rollingUpdate }: NonNullable<Deployment["spec"]>, field: string, to: Violations): void {
  const { maxSurge = "", maxUnavailable = "" } = rollingUpdate ?? {};
  for (const [name, text] of [
    ["max_surge", maxSurge],
    ["max_unavailable", maxUnavailable],
  ] as const) {
    if (text !== "" && parseAmount(text) === undefined)
      to.add(
        `${field}.rolling_update.${name}`,
        "INVALID_FORMAT",
        `must be a number or a percentage such as "25%", not ${show(text)}`,
      );
  }
  const unavailable = parseAmount(maxUnavailable);
  if (unavailable?.isPercent === true && unavailable.value > 100)
    to.add(`${field}.rolling_update.max_unavailable`, "OUT_OF_RANGE", `must be at most 100%, not ${maxUnavailable}`);
  if (parseAmount(maxSurge)?.value === 0 && unavailable?.value === 0)
    to.add(`${field}.rolling_update.max_unavailable`, "INVALID_COMBINATION", "cannot be 0 together with max_surge");
}

export function checkDeploymentStatus({ status }: Deployment, field: string, to: Violations): void {
  checkConditions(status?.conditions ?? [], `${field}.conditions`, to);
}

/** What cannot change once the Deployment is there. */
export function checkDeploymentChange(before: Deployment, after: Deployment, to: Violations): void {
  const [was, is] = [before.spec?.selector, after.spec?.selector];
  if (was !== undefined && is !== undefined && !equals(LabelSelectorSchema, was, is))
    to.add("deployment.spec.selector", "IMMUTABLE", "cannot change: make a new Deployment");
}

const isEmpty = ({ matchLabels, matchExpressions }: { matchLabels: object; matchExpressions: readonly unknown[] }) =>
  Object.keys(matchLabels).length === 0 && matchExpressions.length === 0;
