import { nearestName } from "@fiberlb/types";

import { isRecord } from "../fields/check-keys.ts";
import type { Fields } from "./file-fields.ts";

/** Tag of load balancers and certificates that says who keeps them. */
export const MANAGED_BY = "fiberlb.io/managed-by";

/** The tag's value for one set of `apply`. */
export const ownerOf = (set: string): string => `apply/${set}`;

/** Who keeps the resource; undefined when nobody does but people. */
export function ownerIn(fields: Fields): string | undefined {
  const tags = fields["tags"];
  const owner = isRecord(tags) ? tags[MANAGED_BY] : undefined;
  return typeof owner === "string" ? owner : undefined;
}

/** The fields with another owner, or with none. */
export function withOwner(fields: Fields, owner: string | undefined): Fields {
  const { [MANAGED_BY]: _, ...others } = isRecord(fields["tags"]) ? fields["tags"] : {};
  return { ...fields, tags: owner === undefined ? others : { ...others, [MANAGED_BY]: owner } };
}

/** `; did you mean app?`, or nothing. */
export function hint(name: string, candidates: Iterable<string>): string {
  const near = nearestName(name, candidates);
  return near === undefined ? "" : `; did you mean ${near}?`;
}
