import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { Plain } from "@fiberlb/api";
import { nearestName, toCamelCase } from "@fiberlb/types";

import { usageError } from "../exit.ts";
import { enumNames, parseEnumName } from "./enum-names.ts";
import { fieldNames } from "./references.ts";

/** Reads what a person typed for a field; `where` is what the error calls it, `--port`. A list gives one or more entries. */
export function parseValue(field: DescField, text: string, where: string): unknown {
  switch (field.fieldKind) {
    case "list":
      return parseEntries(field, text, where);
    case "map":
      return Object.fromEntries([parseEntry(text, where)]);
    case "message":
      return parseMessage(field.message, text, where);
    case "enum":
      return parseEnum(field.enum, text, where);
    case "scalar":
      return parseScalar(field.scalar, text, where);
  }
}

/** `a,b` is two entries of a list of texts; a list of messages takes one entry, `poolId=app,weight=3`. */
function parseEntries(field: DescField & { fieldKind: "list" }, text: string, where: string): readonly unknown[] {
  if (field.listKind === "message") return [parseMessage(field.message, text, where)];
  const entries = text.split(",").map((entry) => entry.trim());
  return entries.map((entry) =>
    field.listKind === "enum" ? parseEnum(field.enum, entry, where) : parseScalar(field.scalar, entry, where),
  );
}

/** `key=value`; the value may hold further equals signs. */
function parseEntry(text: string, where: string): readonly [key: string, value: string] {
  const equals = text.indexOf("=");
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw usageError(`${where} must be KEY=VALUE, not ${JSON.stringify(text)}`);
}

function parseMessage(schema: DescMessage, text: string, where: string): Plain {
  const entries = text.split(",").map((entry) => parseEntry(entry, where));
  return Object.fromEntries(
    entries.map(([key, value]) => {
      const field = schema.fields.find(({ jsonName }) => jsonName === toCamelCase(key));
      if (field !== undefined) return [field.jsonName, parseValue(field, value, `${where} ${key}`)];
      throw usageError(`${where}: unknown field ${JSON.stringify(key)}${suggest(key, fieldNames(schema))}`);
    }),
  );
}

/** `; did you mean port?`, or what there is when nothing is near. */
export function suggest(text: string, names: readonly string[]): string {
  const near = nearestName(text, names);
  return near === undefined ? `; one of ${names.join(", ")}` : `; did you mean ${near}?`;
}

function parseEnum(desc: DescEnum, text: string, where: string): string {
  const name = parseEnumName(desc, text);
  if (name !== undefined) return name;
  throw usageError(`${where} must be one of ${enumNames(desc).join(", ")}, not ${JSON.stringify(text)}`);
}

function parseScalar(type: ScalarType, text: string, where: string): unknown {
  if (type === ScalarType.STRING) return text;
  if (type === ScalarType.BOOL) return parseFlag(text, where);
  if (/^\d+$/.test(text) && Number.isSafeInteger(Number(text))) return Number(text);
  throw usageError(`${where} must be a whole number, not ${JSON.stringify(text)}`);
}

function parseFlag(text: string, where: string): boolean {
  if (text === "true" || text === "false") return text === "true";
  throw usageError(`${where} must be true or false, not ${JSON.stringify(text)}`);
}
