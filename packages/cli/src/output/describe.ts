import type { Plain } from "@fiberlb/api";

import { isRecord } from "../fields/check-keys.ts";
import { type Palette, paintStatus } from "./colour.ts";
import { cell } from "./columns.ts";

/** Shown first, in this order; the rest follows as the API orders it. */
const FIRST = ["id", "provisioningStatus", "operatingStatus", "status", "statusReason"];
/** In the heading. */
const HIDDEN = new Set(["name"]);
const isStatus = (name: string): boolean => /[sS]tatus$/.test(name);

/** `name: value` lines, values aligned; nested messages and maps are flattened to `http.path`. */
export function describeFields(fields: Readonly<Plain>, palette: Palette): readonly string[] {
  const flat = Object.entries(fields).flatMap(([name, value]) => flatten(name, value));
  const shown = flat.filter(([name]) => !HIDDEN.has(name));
  const first = FIRST.flatMap((name) => shown.filter(([candidate]) => candidate === name));
  const ordered = [...first, ...shown.filter(([name]) => !FIRST.includes(name))];
  const width = Math.max(0, ...ordered.map(([name]) => name.length)) + 2;
  return ordered.map(([name, value]) => {
    const text = paint(palette, name, cell(value));
    return `${palette.faint(`${name}:`.padEnd(width))}${indentLines(text, width)}`;
  });
}

const paint = (palette: Palette, name: string, text: string): string =>
  isStatus(name) ? paintStatus(palette, text) : text;

function flatten(name: string, value: unknown): readonly (readonly [string, unknown])[] {
  if (!isRecord(value)) return [[name, value]];
  const entries = Object.entries(value);
  return entries.flatMap(([key, inner]) => flatten(`${name}.${key}`, inner));
}

/** Certificates have many lines. */
const indentLines = (text: string, width: number): string =>
  text.trimEnd().replaceAll("\n", `\n${" ".repeat(width + 2)}`);
