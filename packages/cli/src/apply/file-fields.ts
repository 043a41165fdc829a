import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { ResourceKind } from "@fiberlb/types";

import { isRecord } from "../fields/check-keys.ts";
import { referencedKind } from "../fields/references.ts";

/** An object with names of fields as keys. */
export type Fields = Readonly<Record<string, unknown>>;

/** What a field that holds ids is called in a file, where names stand instead: `defaultPoolId` is `defaultPool`. */
export function fileName({ name, jsonName }: DescField): string {
  if (name === "redirect_pool_id") return "pool";
  return referencedKind(name) === undefined ? jsonName : jsonName.replace(/Id(s?)$/, "$1");
}

/** The fields without some. */
export const without = (fields: Fields, ...names: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)));

/** Gives the id of what a file names; undefined when nothing is known by the name. */
export type IdOf = (kind: ResourceKind, name: string) => string | undefined;
/** Gives the name of what has an id. */
export type NameOf = (kind: ResourceKind, id: string) => string;

/** A file's fields as the API has them: names become ids, keys the API's own. Names without an id stay as they are. */
export function toIds(schema: DescMessage, fields: Fields, idOf: IdOf): Fields {
  return rename(schema, fields, {
    from: fileName,
    to: ({ jsonName }) => jsonName,
    reference: (kind, name) => idOf(kind, name) ?? name,
  });
}

/** The API's fields as a file has them: ids become names. */
export function toNames(schema: DescMessage, fields: Fields, nameOf: NameOf): Fields {
  return rename(schema, fields, { from: ({ jsonName }) => jsonName, to: fileName, reference: nameOf });
}

interface Renaming {
  readonly from: (field: DescField) => string;
  readonly to: (field: DescField) => string;
  readonly reference: (kind: ResourceKind, value: string) => string;
}

/** Fields that the message lacks are left out, absent ones stay absent. */
function rename(schema: DescMessage, fields: Fields, renaming: Renaming): Fields {
  const entries = schema.fields.flatMap((field): [string, unknown][] => {
    const value = fields[renaming.from(field)];
    return value === undefined ? [] : [[renaming.to(field), renameValue(field, value, renaming)]];
  });
  return Object.fromEntries(entries);
}

function renameValue(field: DescField, value: unknown, renaming: Renaming): unknown {
  const kind = referencedKind(field.name);
  const single = (entry: unknown): unknown => {
    if (kind !== undefined) return typeof entry === "string" ? renaming.reference(kind, entry) : entry;
    const isMessage = field.message !== undefined && field.fieldKind !== "map" && isRecord(entry);
    return isMessage ? rename(field.message, entry, renaming) : entry;
  };
  return Array.isArray(value) ? value.map(single) : single(value);
}
