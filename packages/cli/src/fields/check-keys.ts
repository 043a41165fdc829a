import type { DescMessage } from "@bufbuild/protobuf";

import { parseEnumName } from "./enum-names.ts";
import { suggest } from "./parse-value.ts";

/** A file that does not say what it should; `where` is the path in it. */
export interface FileFault {
  readonly where: string;
  readonly problem: string;
}

/** What a file says, with enum names short; keys that the message lacks and enum values that do not exist are faults. */
export function normaliseMessage(schema: DescMessage, value: unknown, where: string): NormalisedMessage {
  const faults: FileFault[] = [];
  return { value: message(schema, value, { where, faults }), faults };
}

/** What {@link normaliseMessage} found. */
export interface NormalisedMessage {
  readonly value: unknown;
  readonly faults: readonly FileFault[];
}

interface Place {
  readonly where: string;
  readonly faults: FileFault[];
}

/** Whether it is an object with keys. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function message(schema: DescMessage, value: unknown, { where, faults }: Place): unknown {
  // A wrong type is left for the check of values, which says what it must be.
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).flatMap(([key, given]): [string, unknown][] => {
    const at = where === "" ? key : `${where}.${key}`;
    const field = schema.fields.find(({ jsonName }) => jsonName === key);
    if (field === undefined) {
      const names = schema.fields.map(({ jsonName }) => jsonName);
      faults.push({ where: at, problem: `unknown key${suggest(key, names)}` });
      return [];
    }
    return [[key, fieldValue(field, given, { where: at, faults })]];
  });
  return Object.fromEntries(entries);
}

function fieldValue(field: DescMessage["fields"][number], given: unknown, place: Place): unknown {
  if (field.fieldKind === "list" && Array.isArray(given)) {
    return given.map((entry: unknown, index) => single(field, entry, { ...place, where: `${place.where}[${index}]` }));
  }
  return field.fieldKind === "list" ? given : single(field, given, place);
}

function single(field: DescMessage["fields"][number], given: unknown, place: Place): unknown {
  if (field.enum !== undefined && typeof given === "string") return parseEnumName(field.enum, given) ?? given;
  return field.message !== undefined && field.fieldKind !== "map" ? message(field.message, given, place) : given;
}
