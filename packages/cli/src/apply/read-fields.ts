import type { DescField } from "@bufbuild/protobuf";
import { nearestName } from "@fiberlb/types";

import { CliExit } from "../exit.ts";
import { type FileFault, isRecord } from "../fields/check-keys.ts";
import { parseEnumName } from "../fields/enum-names.ts";
import type { Fields } from "./file-fields.ts";
import type { InputFile } from "./read-file.ts";
import { FILE_KEYS, fileFields, knownKeys, messageKeys, type Section } from "./schema.ts";

/** Where fields are read from. */
export interface FieldPlace {
  readonly where: string;
  readonly file: InputFile;
}

/** A resource's own fields as the file writes them, and what is wrong with their keys. */
export interface ReadFields {
  readonly fields: Fields;
  readonly faults: readonly FileFault[];
}

/** Reads the fields of one resource: keys checked, enum names short, texts of other files taken in. Values are not judged. */
export async function readFields(section: Section, value: Fields, { where, file }: FieldPlace): Promise<ReadFields> {
  const known = fileFields(section.kind);
  const nested = new Set(section.sections.map(({ key }) => key));
  const faults: FileFault[] = [];
  const fields: Record<string, unknown> = {};
  for (const [key, given] of Object.entries(value)) {
    const at = `${where}.${key}`;
    const field = known.get(key);
    const target = section.kind === "certificate" ? FILE_KEYS[key] : undefined;
    if (target !== undefined) fields[target] = await readRelated(file, given, { where: at, faults });
    else if (field !== undefined) fields[key] = fieldValue(field, given, { where: at, faults });
    else if (!nested.has(key)) faults.push({ where: at, problem: unknownKey(key, knownKeys(section)) });
  }
  return { fields, faults };
}

/** A policy's position is asked for often enough to say why it is not there. */
function unknownKey(key: string, known: readonly string[]): string {
  if (key === "position") return "unknown key; the order in the file is the order of the policies";
  const near = nearestName(key, known);
  return `unknown key; ${near === undefined ? `known are ${known.join(", ")}` : `did you mean ${near}?`}`;
}

interface Place {
  readonly where: string;
  readonly faults: FileFault[];
}

async function readRelated(file: InputFile, path: unknown, { where, faults }: Place): Promise<string | undefined> {
  if (typeof path !== "string") {
    faults.push({ where, problem: "must be the path of a file" });
    return undefined;
  }
  try {
    return await file.readRelated(path);
  } catch (error) {
    if (!(error instanceof CliExit)) throw error;
    faults.push({ where, problem: error.message });
    return undefined;
  }
}

function fieldValue(field: DescField, given: unknown, place: Place): unknown {
  if (field.fieldKind !== "list") return single(field, given, place);
  if (!Array.isArray(given)) return given;
  return given.map((entry: unknown, index) => single(field, entry, { ...place, where: `${place.where}[${index}]` }));
}

function single(field: DescField, given: unknown, { where, faults }: Place): unknown {
  if (field.enum !== undefined && typeof given === "string") return parseEnumName(field.enum, given) ?? given;
  if (field.message === undefined || field.fieldKind === "map" || !isRecord(given)) return given;
  const known = messageKeys(field.message);
  const entries = Object.entries(given).flatMap(([key, value]): [string, unknown][] => {
    const inner = known.get(key);
    if (inner !== undefined) return [[key, fieldValue(inner, value, { where: `${where}.${key}`, faults })]];
    faults.push({ where: `${where}.${key}`, problem: unknownKey(key, [...known.keys()]) });
    return [];
  });
  return Object.fromEntries(entries);
}
