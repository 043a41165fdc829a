import { checkSpec } from "./check.ts";
import { nearestName } from "./nearest.ts";
import { withArticle } from "./resource.ts";
import { type Entities, type ResourceKind, resources } from "./resources.ts";
import type { CheckResult, Violation } from "./result.ts";
import { carryUnknown, isObject, shapeOf, toCamelCase, toSnakeCase } from "./shape.ts";
import { definitionOf, entitySchema, labelOf, specOf } from "./spec.ts";

/** Fields of answers that are computed on read. */
const COMPUTED = new Set([
  "provisioningStatus",
  "operatingStatus",
  "statusReason",
  "status",
  "addressesTotal",
  "addressesUsed",
]);

/** Fields that an update can name, in snake_case; nested ones can also be named alone, such as `http.path`. */
export function updatableFields(kind: ResourceKind): readonly string[] {
  const { spec, immutable } = definitionOf(kind);
  return Object.keys(spec.shape)
    .filter((field) => !immutable.some((name) => name === field))
    .map(toSnakeCase);
}

/** Fields that are fixed at Create, in snake_case. */
export const immutableFields = (kind: ResourceKind): readonly string[] => resources[kind].immutable.map(toSnakeCase);

/**
 * The entity with the fields that `mask` names taken from `patch`; a named field that the patch lacks gets its default.
 * Paths may be `http.expected_codes` or `http.expectedCodes`. `revision` and `updatedAt` are left to the caller.
 */
export function applyUpdate<K extends ResourceKind>(
  kind: K,
  entity: Entities[K],
  patch: unknown,
  mask: readonly string[],
): CheckResult<Entities[K]> {
  const violations: Violation[] = [];
  if (mask.length === 0) violations.push(emptyMask(kind));
  const wanted: Fields = structuredClone<object>(specOf(kind, entity)) as Fields;
  for (const text of mask) {
    const path = text.split(".").map(toCamelCase);
    const violation = checkPath(kind, path);
    if (violation === undefined) copyField(patch, wanted, path);
    else violations.push(violation);
  }
  if (wanted["name"] === undefined) violations.push({ field: "name", description: "is required", reason: "REQUIRED" });
  const checked = checkSpec(updateDefinition(kind), wanted);
  if (!checked.ok) violations.push(...checked.violations);
  if (!checked.ok || violations.length > 0) return { ok: false, violations };
  return { ok: true, value: carryUnknown(resources[kind].spec, entity, checked.value) as Entities[K] };
}

type Fields = Record<string, unknown>;

function emptyMask(kind: ResourceKind): Violation {
  const fields = updatableFields(kind).join(", ");
  return {
    field: "update_mask",
    description: `must name the fields that change; ${withArticle(labelOf(kind))} has ${fields}`,
    reason: "REQUIRED",
  };
}

/** The rules without those about fields that are written once and never read back, such as a private key. */
function updateDefinition<K extends ResourceKind>(kind: K): ReturnType<typeof definitionOf<K>> {
  const definition = definitionOf(kind);
  const { writeOnly = [] } = definition;
  return {
    ...definition,
    rules: (spec, report) =>
      definition.rules(spec, (at, ...why) => {
        if (!writeOnly.includes(at)) report(at, ...why);
      }),
  };
}

function checkPath(kind: ResourceKind, path: readonly string[]): Violation | undefined {
  const definition = definitionOf(kind);
  const [root = ""] = path;
  const field = path.map(toSnakeCase).join(".");
  if (definition.immutable.some((name) => name === root)) {
    return { field, description: `cannot change; create a new ${definition.label}`, reason: "IMMUTABLE" };
  }
  if (isKnown(definition.spec, path)) return undefined;
  if (COMPUTED.has(root) || isKnown(entitySchema(kind), path)) {
    return { field, description: "is set by the server and cannot be changed", reason: "READ_ONLY" };
  }
  const near = nearestName(field, updatableFields(kind));
  const hint = near === undefined ? `; it has ${updatableFields(kind).join(", ")}` : `; did you mean ${near}?`;
  const description = `names ${JSON.stringify(field)}, which ${withArticle(definition.label)} does not have${hint}`;
  return { field: "update_mask", description, reason: "UNKNOWN_FIELD" };
}

function isKnown(schema: unknown, [name = "", ...rest]: readonly string[]): boolean {
  const shape = shapeOf(schema);
  if (shape === undefined || !Object.hasOwn(shape, name)) return false;
  return rest.length === 0 || isKnown(shape[name], rest);
}

function copyField(from: unknown, to: Fields, [name = "", ...rest]: readonly string[]): void {
  const value = isObject(from) ? from[name] : undefined;
  if (rest.length > 0) {
    const inner = isObject(to[name]) ? { ...to[name] } : {};
    copyField(value, inner, rest);
    to[name] = inner;
  } else if (value === undefined || value === null || value === "") {
    delete to[name];
  } else {
    to[name] = value;
  }
}

/** Every field of the stored entity at its top level, in snake_case. */
export const entityFields = (kind: ResourceKind): readonly string[] =>
  Object.keys(entitySchema(kind).shape).map(toSnakeCase);
