import type { z } from "zod";

import * as field from "./fields.ts";
import type { Violation, ViolationReason } from "./result.ts";

/** How a cross-field rule says that a field is wrong; `at` is the path in camelCase, `http.expectedCodes`. */
export type Report = (at: string, description: string, reason?: ViolationReason) => void;

/**
 * Rules that look at several fields. `spec` holds only the fields that are right by themselves, so that rules can run, and
 * report, while others are wrong.
 */
export type Rules<Parsed> = (spec: Partial<Parsed>, report: Report) => void;

/** Everything that the generic code (parse, update, store) needs to know of one kind of resource. */
export interface ResourceDefinition<Schema extends z.ZodObject, Spec> {
  /** For people: `load balancer`. */
  readonly label: string;
  /** What Create takes, with the defaults. */
  readonly spec: Schema;
  /** What the stored entity has beyond, or different from, the spec. */
  readonly stored: z.ZodObject;
  readonly rules: Rules<z.output<Schema>>;
  /** Fills the defaults that depend on other fields. */
  readonly resolve: (parsed: z.output<Schema>) => Spec;
  /** Fields of the spec that an update cannot change. */
  readonly immutable: readonly (keyof Spec & string)[];
  /** Fields of the spec that the stored entity lacks. */
  readonly writeOnly?: readonly string[];
  /** Nested fields that the server sets: what a client sends back in them is ignored, as in AIP-203. */
  readonly readOnly?: readonly (readonly [message: string, field: string])[];
}

/** {@link ResourceDefinition} with its types inferred. */
export const defineResource = <Schema extends z.ZodObject, Spec>(
  definition: ResourceDefinition<Schema, Spec>,
): ResourceDefinition<Schema, Spec> => definition;

/** `a pool`, `an L7 policy`. */
export const withArticle = (label: string): string => (/^([aeiou]|L7)/i.test(label) ? `an ${label}` : `a ${label}`);

/** What every Create of a tenant's resource takes. */
export const commonSpec = {
  /** Made up when absent. */
  name: field.resourceName().optional(),
  description: field.description().default(""),
  tags: field.tags().default({}),
  adminStateUp: field.flag().default(true),
};

/** What the server writes into every stored entity. */
export const recordFields = {
  id: field.id(),
  name: field.resourceName(),
  revision: field.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  createdAt: field.timestamp(),
  updatedAt: field.timestamp(),
};

/** Organisation and project names: 1 to 63 of `a-z A-Z 0-9 . _ -`, as they stand in store keys and metric labels. */
export const tenantName = () =>
  field.text({
    max: 63,
    pattern: /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/,
    expected: "1 to 63 of a-z, A-Z, 0-9, dot, underscore and hyphen, beginning and ending with a letter or digit",
  });

/** Whose an entity is. */
export const tenantFields = { orgId: tenantName(), projectId: tenantName() };

/** Metadata of stored entities that no client writes. */
export interface EntityRecord<I extends string> {
  readonly id: I;
  readonly name: string;
  /** Counts the changes by clients, from 1. */
  readonly revision: number;
  /** ISO 8601, UTC, milliseconds. */
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** {@link EntityRecord} of what belongs to a tenant. */
export interface TenantRecord<I extends string> extends EntityRecord<I> {
  readonly orgId: string;
  readonly projectId: string;
}

/** A stored entity: its spec with every default filled, and its record. */
export type EntityOf<Spec, Record> = Readonly<Omit<Spec, keyof Record> & Record>;

/** Violation of a rule between two resources, such as a pool that does not fit its listener. */
export const combination = (at: string, description: string): Violation => ({
  field: at,
  description,
  reason: "INVALID_COMBINATION",
});
