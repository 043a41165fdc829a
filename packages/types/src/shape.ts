import { z } from "zod";

type Shape = Readonly<Record<string, unknown>>;

/** What the functions below need to know of a schema; zod's own look-ups are too slow for every read of the store. */
type Structure =
  | { readonly kind: "message"; readonly shape: Shape }
  | { readonly kind: "list"; readonly entry: unknown }
  | { readonly kind: "map" }
  | { readonly kind: "value" };

const VALUE: Structure = { kind: "value" };
const structures = new WeakMap<object, Structure>();

function structureOf(schema: unknown): Structure {
  if (typeof schema !== "object" || schema === null) return VALUE;
  const known = structures.get(schema);
  if (known !== undefined) return known;
  const structure = inspect(unwrap(schema));
  structures.set(schema, structure);
  return structure;
}

/** What a schema holds once optional, default and transform are taken off. */
function unwrap(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return unwrap(schema.unwrap());
  }
  return schema instanceof z.ZodPipe ? unwrap(schema.in) : schema;
}

function inspect(schema: unknown): Structure {
  if (schema instanceof z.ZodObject) return { kind: "message", shape: schema.shape };
  if (schema instanceof z.ZodArray) return { kind: "list", entry: schema.element };
  return schema instanceof z.ZodRecord ? { kind: "map" } : VALUE;
}

/** Fields of a message, or undefined when the schema is none. */
export function shapeOf(schema: unknown): Shape | undefined {
  const structure = structureOf(schema);
  return structure.kind === "message" ? structure.shape : undefined;
}

/** Schema of a list's entries, or undefined when it is no list or its entries are plain values. */
function entryOf(schema: unknown): unknown {
  const structure = structureOf(schema);
  return structure.kind === "list" ? structure.entry : undefined;
}

const isMap = (schema: unknown): boolean => structureOf(schema).kind === "map";

/** An object that is neither null nor a list. */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** `l7PolicyId` → `l7_policy_id`. */
export const toSnakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
/** `l7_policy_id` → `l7PolicyId`, as protobuf makes JSON names. */
export const toCamelCase = (name: string): string =>
  name.replace(/_([a-z0-9])/g, (_, char: string) => char.toUpperCase());

/** A path into a value of the schema, in protobuf's spelling: `pools[0].pool_id`, `tags["Any Key"]`. */
export function protoPath(schema: unknown, path: readonly PropertyKey[]): string {
  let at = schema;
  let text = "";
  for (const step of path) {
    if (typeof step === "number") {
      text += `[${step}]`;
      at = entryOf(at);
    } else if (isMap(at)) {
      text += `[${JSON.stringify(String(step))}]`;
      at = undefined;
    } else {
      text += `${text === "" ? "" : "."}${toSnakeCase(String(step))}`;
      at = shapeOf(at)?.[String(step)];
    }
  }
  return text;
}

/**
 * The value without fields that say nothing: as in protobuf, an empty text, like null, is an absent field. Map entries and
 * list entries stay as they are.
 */
export function withoutEmpty(schema: unknown, value: unknown): unknown {
  const entry = entryOf(schema);
  if (entry !== undefined && Array.isArray(value)) return value.map((item: unknown) => withoutEmpty(entry, item));
  const shape = shapeOf(schema);
  if (shape === undefined || !isObject(value)) return value;
  const kept = Object.entries(value).filter(([, field]) => field !== undefined && field !== null && field !== "");
  return Object.fromEntries(kept.map(([name, field]) => [name, withoutEmpty(shape[name], field)]));
}

/** The value without the fields that the schema does not know. */
export function knownPart(schema: unknown, value: unknown): unknown {
  const entry = entryOf(schema);
  if (entry !== undefined && Array.isArray(value)) return value.map((item: unknown) => knownPart(entry, item));
  const shape = shapeOf(schema);
  if (shape === undefined || !isObject(value)) return value;
  const known = Object.entries(value).filter(([name]) => Object.hasOwn(shape, name));
  return Object.fromEntries(known.map(([name, field]) => [name, knownPart(shape[name], field)]));
}

/** `next` with the fields of `before` that the schema does not know: what a newer release stored survives an older one. */
export function carryUnknown(schema: unknown, before: unknown, next: unknown): unknown {
  if (Array.isArray(before) && Array.isArray(next)) return carryEntries(entryOf(schema), before, next);
  const shape = shapeOf(schema);
  if (shape === undefined || !isObject(before) || !isObject(next)) return next;
  const unknown = Object.entries(before).filter(([name]) => !Object.hasOwn(shape, name));
  const known = Object.entries(next).map(([name, field]) => [name, carryUnknown(shape[name], before[name], field)]);
  return Object.fromEntries([...unknown, ...known]);
}

/** List entries have no identity: only one that is the same in the same place keeps what it carried. */
function carryEntries(entry: unknown, before: readonly unknown[], next: readonly unknown[]): readonly unknown[] {
  if (entry === undefined) return next;
  return next.map((item, index) => {
    const same = JSON.stringify(knownPart(entry, before[index])) === JSON.stringify(item);
    return same ? carryUnknown(entry, before[index], item) : item;
  });
}
