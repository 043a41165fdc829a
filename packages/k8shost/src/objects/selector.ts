import { type LabelExpression, LabelOperator, type LabelSelector } from "@fiberlb/api/k8shost";

/** Labels of an object. */
export type Labels = Readonly<Record<string, string>>;

/** Whether every label and every expression matches; an absent or empty selector matches everything. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels): boolean {
  if (selector === undefined) return true;
  return hasLabels(labels, selector.matchLabels) && matchesExpressions(selector.matchExpressions, labels);
}

export const matchesExpressions = (expressions: readonly LabelExpression[], labels: Labels): boolean =>
  expressions.every((expression) => matchesExpression(expression, labels));

/** Whether all of `wanted` are there with their values. */
export function hasLabels(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => valueOf(labels, key) === value);
}

function matchesExpression({ key, operator, values }: LabelExpression, labels: Labels): boolean {
  const value = valueOf(labels, key);
  switch (operator) {
    case LabelOperator.IN:
      return value !== undefined && values.includes(value);
    case LabelOperator.NOT_IN:
      return value === undefined || !values.includes(value);
    case LabelOperator.EXISTS:
      return value !== undefined;
    case LabelOperator.DOES_NOT_EXIST:
      return value === undefined;
    case LabelOperator.GREATER_THAN:
      return isWhole(value) && isWhole(values[0]) && BigInt(value) > BigInt(values[0]);
    case LabelOperator.LESS_THAN:
      return isWhole(value) && isWhole(values[0]) && BigInt(value) < BigInt(values[0]);
    case LabelOperator.UNSPECIFIED:
      return false;
    default:
      // An operator of a newer release: what is not understood selects nothing.
      return false;
  }
}

const isWhole = (text: string | undefined): text is string => text !== undefined && /^-?\d+$/.test(text);

/** Own properties only: a label may be called `constructor`. */
const valueOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;
