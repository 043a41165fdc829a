import { isDeepStrictEqual } from "node:util";

import type { Fields, Operation } from "./operations.ts";
import { hasTags, type Tags } from "./ownership.ts";

/** Fields that differ, in `wanted`'s words; one that is wanted absent is there with the value undefined. */
export function changed<T extends object>(wanted: T, actual: Fields, names: readonly (keyof T & string)[]): Fields {
  const differing = names.filter((name) => !isDeepStrictEqual(plain(wanted[name]), plain(actual[name])));
  return Object.fromEntries(differing.map((name) => [name, wanted[name]]));
}

/** Without what is not there: absent and undefined are the same. */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined));
}

/** Tags that are missing, beside those that are there. */
export const changedTags = (wanted: Tags, actual: Tags): Fields =>
  hasTags(actual, wanted) ? {} : { tags: { ...actual, ...wanted } };

/** One update, or none. */
export function updateOf(
  common: Pick<Operation, "kind" | "phase" | "label">,
  { id, revision }: { readonly id: string; readonly revision: number },
  fields: Fields,
): readonly Operation[] {
  return Object.keys(fields).length === 0 ? [] : [{ ...common, type: "update", id, revision, fields }];
}
