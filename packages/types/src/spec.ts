import type { z } from "zod";

import { checkSpec } from "./check.ts";
import type { ResourceDefinition } from "./resource.ts";
import { type Entities, type Records, type ResourceKind, resources, type Specs } from "./resources.ts";
import type { CheckResult } from "./result.ts";
import { carryUnknown, knownPart } from "./shape.ts";

/** The definition of a kind, typed by it; one place for the cast that TypeScript cannot follow through a union. */
export const definitionOf = <K extends ResourceKind>(kind: K): ResourceDefinition<z.ZodObject, Specs[K]> =>
  resources[kind] as unknown as ResourceDefinition<z.ZodObject, Specs[K]>;

/** For people: `load balancer`, `L7 policy`. */
export const labelOf = (kind: ResourceKind): string => resources[kind].label;

/**
 * Checks what a client wants to create, with domain field names (protobuf JSON's), and fills every default. All bad fields
 * are listed at once. Absent, null and empty texts mean the default.
 */
export const parseSpec = <K extends ResourceKind>(kind: K, input: unknown): CheckResult<Specs[K]> =>
  checkSpec(definitionOf(kind), input);

/** The fields of the entity that its Create would take: what a client can write, with effective values. */
export const specOf = <K extends ResourceKind>(kind: K, entity: Entities[K]): Specs[K] =>
  knownPart(resources[kind].spec, entity) as Specs[K];

/** A new entity from a checked spec and what the server decided: id, tenant, name, times, and the kind's own. */
export function createEntity<K extends ResourceKind>(kind: K, spec: Specs[K], record: Records[K]): Entities[K] {
  return completeEntity(kind, { ...spec, ...record });
}

const entitySchemas = new Map<ResourceKind, z.ZodObject>();

/** Spec and record of a kind in one schema. */
export function entitySchema(kind: ResourceKind): z.ZodObject {
  const known = entitySchemas.get(kind);
  if (known !== undefined) return known;
  const { spec, stored } = definitionOf(kind);
  const schema = spec.extend(stored.shape);
  entitySchemas.set(kind, schema);
  return schema;
}

/** Checks an entity's fields, fills defaults that are missing, keeps fields it does not know. @throws z.ZodError */
export function completeEntity<K extends ResourceKind>(kind: K, value: object): Entities[K] {
  const schema = entitySchema(kind);
  const { resolve } = definitionOf(kind);
  // Nearly always there is nothing unknown: then the schema, which is strict, accepts the value as it is.
  const whole = schema.safeParse(value);
  if (whole.success) return resolve(whole.data) as unknown as Entities[K];
  return carryUnknown(schema, value, resolve(schema.parse(knownPart(schema, value)))) as Entities[K];
}

/** The name of a resource whose creator gave none: its kind and the random end of its id. */
export const madeUpName = (kind: ResourceKind, id: string): string =>
  `${labelOf(kind).toLowerCase().replaceAll(" ", "-")}-${id.slice(-12)}`;
