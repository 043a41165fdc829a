import {
  type Condition,
  type LabelExpression,
  LabelOperator,
  type LabelSelector,
  type ObjectMeta,
} from "@fiberlb/api/k8shost";

import { checkLabelName, checkLabelValue, checkQualifiedName, checkSubdomainName } from "./names.ts";
import type { Violations } from "./violations.ts";

const MAX = { labels: 64, annotations: 64, annotationChars: 32_768, finalizers: 16, conditions: 32, expressions: 32 };
const MAX_VALUES = 64;
const MAX_TEXT_CHARS = 4096;

/** Whether a name is one DNS label, because it becomes part of other names, or may have dots. */
export interface NameRule {
  readonly name: "label" | "subdomain";
  readonly hasNamespace: boolean;
}

/** Identity, labels and finalizers. */
export function checkMeta(
  meta: ObjectMeta,
  field: string,
  { to, rule }: { readonly to: Violations; readonly rule: NameRule },
): void {
  (rule.name === "label" ? checkLabelName : checkSubdomainName)(meta.name, `${field}.name`, to);
  if (rule.hasNamespace) checkLabelName(meta.namespace, `${field}.namespace`, to);
  checkLabels(meta.labels, `${field}.labels`, to);
  to.atMost(Object.keys(meta.annotations).length, `${field}.annotations`, MAX.annotations);
  for (const [key, value] of Object.entries(meta.annotations)) {
    checkQualifiedName(key, `${field}.annotations`, to);
    to.short(value, `${field}.annotations[${JSON.stringify(key)}]`, MAX.annotationChars);
  }
  to.atMost(meta.finalizers.length, `${field}.finalizers`, MAX.finalizers);
  for (const [index, name] of meta.finalizers.entries()) checkQualifiedName(name, `${field}.finalizers[${index}]`, to);
  to.unique(meta.finalizers, (index) => `${field}.finalizers[${index}]`);
}

export function checkLabels(labels: Readonly<Record<string, string>>, field: string, to: Violations): void {
  to.atMost(Object.keys(labels).length, field, MAX.labels);
  for (const [key, value] of Object.entries(labels)) {
    checkQualifiedName(key, field, to);
    checkLabelValue(value, `${field}[${JSON.stringify(key)}]`, to);
  }
}

/** A selector of Pods, Services or Deployments. */
export function checkSelector(selector: LabelSelector | undefined, field: string, to: Violations): void {
  if (selector === undefined) return;
  checkLabels(selector.matchLabels, `${field}.match_labels`, to);
  checkExpressions(selector.matchExpressions, `${field}.match_expressions`, { to, comparesNumbers: false });
}

/** `comparesNumbers`: labels of nodes can be compared as numbers. */
export function checkExpressions(
  expressions: readonly LabelExpression[],
  field: string,
  { to, comparesNumbers }: { readonly to: Violations; readonly comparesNumbers: boolean },
): void {
  to.atMost(expressions.length, field, MAX.expressions);
  for (const [index, expression] of expressions.entries())
    checkExpression(expression, `${field}[${index}]`, { to, comparesNumbers });
}

function checkExpression(
  { key, operator, values }: LabelExpression,
  field: string,
  { to, comparesNumbers }: { readonly to: Violations; readonly comparesNumbers: boolean },
): void {
  checkQualifiedName(key, `${field}.key`, to);
  to.atMost(values.length, `${field}.values`, MAX_VALUES);
  switch (operator) {
    case LabelOperator.IN:
    case LabelOperator.NOT_IN:
      if (values.length === 0) to.add(`${field}.values`, "REQUIRED", "must have at least one value with IN and NOT_IN");
      for (const [index, value] of values.entries()) checkLabelValue(value, `${field}.values[${index}]`, to);
      break;
    case LabelOperator.EXISTS:
    case LabelOperator.DOES_NOT_EXIST:
      if (values.length > 0) to.add(`${field}.values`, "NOT_ALLOWED", "must be empty with EXISTS and DOES_NOT_EXIST");
      break;
    case LabelOperator.GREATER_THAN:
    case LabelOperator.LESS_THAN:
      if (!comparesNumbers) to.add(`${field}.operator`, "NOT_ALLOWED", "compares numbers only in labels of nodes");
      else if (values.length !== 1 || !/^-?\d+$/.test(values[0] ?? ""))
        to.add(`${field}.values`, "INVALID_FORMAT", "must be one whole number with GREATER_THAN and LESS_THAN");
      break;
    default:
      to.require(false, `${field}.operator`);
  }
}

export function checkConditions(conditions: readonly Condition[], field: string, to: Violations): void {
  to.atMost(conditions.length, field, MAX.conditions);
  for (const [index, { type, status, reason, message }] of conditions.entries()) {
    to.require(type !== "", `${field}[${index}].type`);
    to.require(status !== 0, `${field}[${index}].status`);
    to.short(type, `${field}[${index}].type`, MAX.labels);
    to.short(reason, `${field}[${index}].reason`, MAX_TEXT_CHARS);
    to.short(message, `${field}[${index}].message`, MAX_TEXT_CHARS);
  }
}
