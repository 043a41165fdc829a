import { z } from "zod";

import { type Entities, type ResourceKind, resources } from "./resources.ts";
import { isObject, protoPath } from "./shape.ts";
import { completeEntity, entitySchema, labelOf } from "./spec.ts";

/**
 * Version of the stored form. It rises when an older release could no longer read a value rightly: a changed meaning, a
 * tightened limit, a new enum value. A new field with a default needs no new version: older releases carry it along.
 */
export const SCHEMA_VERSION = 1;

/** A stored value that this release cannot use. */
export class StoredFormatError extends Error {
  override readonly name = "StoredFormatError";
  /** Version that the value was written in, when it could be read. */
  readonly schemaVersion: number | undefined;

  constructor(message: string, options: ErrorOptions & { readonly schemaVersion?: number | undefined } = {}) {
    super(message, options);
    this.schemaVersion = options.schemaVersion;
  }
}

/** The entity as the store keeps it: UTF-8 JSON in an envelope with kind and schema version. */
export function encodeEntity<K extends ResourceKind>(kind: K, entity: Entities[K]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({ schemaVersion: SCHEMA_VERSION, kind, entity }));
}

/**
 * Reads what {@link encodeEntity} wrote. Fields that older releases did not write get their defaults; fields that this
 * release does not know stay in the object and are written back.
 * @throws StoredFormatError when the value is of a newer version, of another kind, or damaged.
 */
export function decodeEntity<K extends ResourceKind>(kind: K, bytes: Uint8Array): Entities[K] {
  const entity = openEnvelope(kind, bytes);
  try {
    return completeEntity(kind, entity);
  } catch (error) {
    if (!(error instanceof z.ZodError)) throw error;
    const faults = error.issues.map((issue) => `${protoPath(entitySchema(kind), issue.path)} ${issue.message}`);
    throw new StoredFormatError(`Cannot read ${describe(kind, entity)}: ${faults.join("; ")}`, { cause: error });
  }
}

function openEnvelope(kind: ResourceKind, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const { schemaVersion, kind: actual, entity } = parseJson(kind, bytes);
  if (typeof schemaVersion !== "number" || !isObject(entity)) {
    throw new StoredFormatError(`Cannot read a stored ${labelOf(kind)}: it has no schema version`);
  }
  if (schemaVersion > SCHEMA_VERSION) {
    const told = `it has schema version ${schemaVersion}, this release reads up to ${SCHEMA_VERSION}; upgrade this node`;
    throw new StoredFormatError(`Cannot read ${describe(kind, entity)}: ${told}`, { schemaVersion });
  }
  if (actual !== kind) {
    throw new StoredFormatError(`Cannot read ${describe(kind, entity)}: a ${String(actual)} is stored there`, {
      schemaVersion,
    });
  }
  return entity;
}

function parseJson(kind: ResourceKind, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (isObject(value)) return value;
  } catch (error) {
    throw new StoredFormatError(`Cannot read a stored ${labelOf(kind)}: it is not JSON`, { cause: error });
  }
  throw new StoredFormatError(`Cannot read a stored ${labelOf(kind)}: it is not an object`);
}

const describe = (kind: ResourceKind, { id }: Readonly<Record<string, unknown>>): string =>
  `stored ${resources[kind].label} ${typeof id === "string" ? id : "without id"}`;
