import type { z } from "zod";

import { nearestName } from "./nearest.ts";
import { type Report, type ResourceDefinition, withArticle } from "./resource.ts";
import type { CheckResult, Violation, ViolationReason } from "./result.ts";
import { isObject, protoPath, shapeOf, toSnakeCase, withoutEmpty } from "./shape.ts";

/** Checks a spec's fields and rules and fills its defaults; every violation is listed, also those of rules beside bad fields. */
export function checkSpec<Schema extends z.ZodObject, Spec>(
  definition: ResourceDefinition<Schema, Spec>,
  input: unknown,
): CheckResult<Spec> {
  const { spec: schema, label, readOnly = [] } = definition;
  const cleaned = readOnly.reduce(withoutField, withoutEmpty(schema, input));
  const parsed = schema.safeParse(cleaned, { reportInput: true });
  const fieldViolations = parsed.success
    ? []
    : parsed.error.issues.flatMap((issue) => violationsOf(schema, label, issue));
  const fields = parsed.success ? parsed.data : validFields(schema, cleaned);
  const ruleViolations = runRules(definition, fields, fieldViolations);
  if (parsed.success && ruleViolations.length === 0) return { ok: true, value: definition.resolve(parsed.data) };
  return { ok: false, violations: [...fieldViolations, ...ruleViolations] };
}

function withoutField(value: unknown, [message, name]: readonly [string, string]): unknown {
  if (!isObject(value) || !isObject(value[message])) return value;
  const { [name]: _, ...rest } = value[message];
  return { ...value, [message]: rest };
}

function validFields<Schema extends z.ZodObject>(schema: Schema, input: unknown): Partial<z.output<Schema>> {
  if (!isObject(input)) return {};
  const shape = schema.shape as Readonly<Record<string, z.ZodType>>;
  const results = Object.entries(shape).map(([name, field]) => [name, field.safeParse(input[name])] as const);
  const valid = results.filter(([, result]) => result.success).map(([name, result]) => [name, result.data] as const);
  return Object.fromEntries(valid) as Partial<z.output<Schema>>;
}

/** A rule does not judge a field that is bad by itself: it would find it absent. */
function runRules<Schema extends z.ZodObject, Spec>(
  { rules }: ResourceDefinition<Schema, Spec>,
  fields: Partial<z.output<Schema>>,
  found: readonly Violation[],
): readonly Violation[] {
  const bad = new Set(found.map(({ field }) => rootOf(field)));
  const violations: Violation[] = [];
  const report: Report = (at, description, reason = "INVALID_COMBINATION") => {
    const field = protoPathOf(at);
    if (!bad.has(rootOf(field))) violations.push({ field, description, reason });
  };
  rules(fields, report);
  return violations;
}

/** The first step of a path. */
const rootOf = (field: string): string => /^[^.[]*/.exec(field)?.[0] ?? field;

/** Rules write paths as text; map keys in them keep their case. */
const protoPathOf = (at: string): string => at.replace(/^[^["]*|(?<=\])[^["]+/g, toSnakeCase);

type Issue = z.core.$ZodIssue;

function violationsOf(schema: z.ZodObject, label: string, issue: Issue): readonly Violation[] {
  if (issue.code !== "unrecognized_keys") {
    return [{ field: protoPath(schema, issue.path), description: issue.message, reason: reasonOf(issue) }];
  }
  const known = knownNames(schema, issue.path);
  return issue.keys.map((key) => {
    const near = nearestName(key, known);
    const hint = near === undefined ? "" : `; did you mean ${toSnakeCase(near)}?`;
    const description = `is not a field that ${withArticle(label)} takes${hint}`;
    return { field: protoPath(schema, [...issue.path, key]), description, reason: "UNKNOWN_FIELD" };
  });
}

function knownNames(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  const at = path.reduce<unknown>((inner, step) => shapeOf(inner)?.[String(step)], schema);
  return Object.keys(shapeOf(at) ?? {});
}

function reasonOf(issue: Issue): ViolationReason {
  if (issue.code === "custom") return (issue.params?.["reason"] as ViolationReason | undefined) ?? "INVALID_FORMAT";
  if (issue.code !== "invalid_type") return "INVALID_FORMAT";
  return issue.input === undefined ? "REQUIRED" : "INVALID_TYPE";
}
