import { isDeepStrictEqual } from "node:util";

import { madeUpName, type ResourceKind } from "@fiberlb/types";

import type { Actual } from "./actual.ts";
import { effectiveFields, Placeholders } from "./effective.ts";
import type { Fields } from "./file-fields.ts";
import { withOwner } from "./ownership.ts";
import { fileSections, type Section } from "./schema.ts";

/** The content of a file that `apply` answers with "no changes": what is as by default is left out. */
export function toFile(resources: readonly Actual[]): Record<string, unknown> {
  return sectionsOf(fileSections, resources);
}

function sectionsOf(sections: readonly Section[], resources: readonly Actual[]): Record<string, unknown> {
  const entries = sections.flatMap((section): [string, unknown][] => {
    const own = resources.filter(({ kind, fields }) => kind === section.kind && !isRegistered(kind, fields));
    const written = own.map((resource) => toEntry(section, resource));
    if (written.length === 0) return [];
    return [[section.key, section.single ? written[0] : written]];
  });
  return Object.fromEntries(entries);
}

/** Backends that registered themselves come and go with their programs. */
const isRegistered = (kind: ResourceKind, fields: Fields): boolean => kind === "backend" && Number(fields["ttlS"]) > 0;

function toEntry({ kind, named, sections }: Section, { id, fields, children }: Actual): Record<string, unknown> {
  const { name, ...others } = withoutDefaults(
    kind,
    kind === "loadBalancer" || kind === "certificate" ? withOwner(fields, undefined) : fields,
  );
  const isMadeUp = !named && name === madeUpName(kind, id);
  return { ...(isMadeUp ? {} : { name }), ...others, ...sectionsOf(sections, children) };
}

/** The fields that a Create would not fill in by itself, given the others. */
function withoutDefaults(kind: ResourceKind, fields: Fields): Fields {
  const placeholders = new Placeholders();
  const whole = effectiveFields(kind, fields, placeholders);
  if (!whole.ok) return fields;
  let kept = fields;
  for (const name of Object.keys(fields)) {
    if (ALWAYS_WRITTEN.has(name)) continue;
    const { [name]: _, ...rest } = kept;
    if (isDeepStrictEqual(effectiveFields(kind, rest, placeholders), whole)) kept = rest;
  }
  return kept;
}

/** What a reader looks for, default or not. */
const ALWAYS_WRITTEN = new Set(["name", "protocol", "algorithm", "vipAddress", "type"]);
