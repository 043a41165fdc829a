import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { createRequestSchemas, type Plain } from "@fiberlb/api";
import { labelOf, type ResourceKind, toSnakeCase } from "@fiberlb/types";

import { enumNames } from "./enum-names.ts";
import { referencedKind } from "./references.ts";

/** A field that can be given on the command line, alone: a nested message's fields are one each. */
export interface SettableField {
  /** camelCase: `["http", "path"]`. */
  readonly path: readonly string[];
  readonly desc: DescField;
  /** What the field holds the id of. */
  readonly references: ResourceKind | undefined;
}

/** Fields that a Create of the kind takes, from the API's descriptors, the call's own (`request_id`, `validate_only`) last. */
export const settableFields = (kind: ResourceKind): readonly SettableField[] => flatten(createRequestSchemas[kind], []);

function flatten(schema: DescMessage, above: readonly string[]): readonly SettableField[] {
  return schema.fields.flatMap((desc): readonly SettableField[] => {
    const path = [...above, desc.jsonName];
    if (desc.fieldKind === "message") return flatten(desc.message, path);
    return [{ path, desc, references: referencedKind(desc.name) }];
  });
}

const kebab = (name: string): string => toSnakeCase(name).replaceAll("_", "-");

/** Every spelling of the field's flag, the full one first: `--load-balancer-id` and `--load-balancer`, `--tags` and `--tag`. */
export function flagNames({ path, desc, references }: SettableField): readonly string[] {
  const full = `--${path.map(kebab).join(".")}`;
  if (references !== undefined) return [full, full.replace(/-ids?$/, desc.fieldKind === "list" ? "s" : "")];
  return desc.name === "tags" || desc.name === "cidrs" ? [full, full.slice(0, -1)] : [full];
}

/** What follows the flag in help. */
export function placeholder({ desc, references }: SettableField): string {
  if (references !== undefined) return "<id|name>";
  if (desc.fieldKind === "map") return "<key=value>";
  if (desc.fieldKind === "scalar" && desc.scalar === ScalarType.BOOL) return "[true|false]";
  return isNumber(desc) ? "<n>" : "<value>";
}

const isNumber = (desc: DescField): boolean =>
  desc.fieldKind === "scalar" && desc.scalar !== ScalarType.BOOL && desc.scalar !== ScalarType.STRING;

/** One line for help: unit, values, whether it may be given several times. */
export function describeField({ desc, references }: SettableField): string {
  const parts = [
    ...(references === undefined ? [] : [`names a ${labelOf(references)}`]),
    ...(desc.fieldKind === "enum" ? [enumNames(desc.enum).join(", ")] : []),
    ...(desc.fieldKind === "list" && desc.listKind === "message" ? [`KEY=VALUE,… of ${desc.message.name}`] : []),
    ...(desc.fieldKind === "list" || desc.fieldKind === "map" ? ["repeatable"] : []),
    ...unitOf(desc.name),
  ];
  return parts.join("; ");
}

function unitOf(name: string): readonly string[] {
  if (name.endsWith("_ms")) return ["milliseconds"];
  if (name.endsWith("_s")) return ["seconds"];
  if (name.endsWith("_bytes")) return ["bytes"];
  return name.endsWith("_percent") ? ["percent"] : [];
}

/** `object` with `value` put at `path`: lists and maps that are given several times grow, everything else is replaced. */
export function assign(object: Plain, [name = "", ...rest]: readonly string[], value: unknown): void {
  const before = object[name];
  if (rest.length > 0) {
    const inner = isPlain(before) ? before : {};
    object[name] = inner;
    assign(inner, rest, value);
  } else if (Array.isArray(before) && Array.isArray(value)) {
    object[name] = [...(before as unknown[]), ...(value as unknown[])];
  } else {
    object[name] = isPlain(before) && isPlain(value) ? { ...before, ...value } : value;
  }
}

const isPlain = (value: unknown): value is Plain =>
  typeof value === "object" && value !== null && !Array.isArray(value);
