import { isDeepStrictEqual } from "node:util";

import { type Actual, backendAddress } from "./actual.ts";
import type { Desired } from "./desired.ts";

/** Which resources of a file are which of the server's. */
export interface Matches {
  readonly pairs: readonly (readonly [Desired, Actual])[];
  readonly added: readonly Desired[];
  readonly removed: readonly Actual[];
}

/** End of the name of a resource that stands in until it can have its own. */
const TEMPORARY = /~new\d*$/;

/** The name that a stand-in waits for; undefined when the name is none of a stand-in. */
export const temporaryBase = (name: string): string | undefined =>
  TEMPORARY.test(name) ? name.replace(TEMPORARY, "") : undefined;

/** A free name for a stand-in. */
export function temporaryName(name: string, taken: ReadonlySet<string>): string {
  for (let number = 1; ; number += 1) {
    const candidate = `${name}~new${number === 1 ? "" : number}`;
    if (!taken.has(candidate)) return candidate;
  }
}

type Same = (desired: Desired, actual: Actual) => boolean;

const sameName: Same = ({ fields }, actual) => fields["name"] === actual.fields["name"];
/** The stand-in of a replacement that was interrupted after the old one had gone. */
const standsIn: Same = ({ fields }, actual) => temporaryBase(String(actual.fields["name"])) === fields["name"];
const sameAddress: Same = (desired, actual) => backendAddress(desired) === backendAddress(actual);
const any: Same = () => true;

/** Equal but for the name and what is below. */
function sameFields({ fields, children }: Desired, actual: Actual): boolean {
  const { name: _, ...wanted } = fields;
  const { name: __, ...is } = actual.fields;
  if (!isDeepStrictEqual(wanted, is) || children.length !== actual.children.length) return false;
  return children.every((child) => actual.children.some((candidate) => sameFields(child, candidate)));
}

/**
 * Pairs what a file declares with what there is, all of one kind and parent: backends by address and port; a health check
 * with the only one; policies and rules by name, then by content, then by their order; everything else by name.
 */
export function match(desired: readonly Desired[], actual: readonly Actual[]): Matches {
  const kind = desired[0]?.kind ?? actual[0]?.kind;
  switch (kind) {
    case "backend":
      return matchBy(desired, actual, [sameAddress]);
    case "healthCheck":
      return matchBy(desired, actual, [any]);
    case "l7Policy":
    case "l7Rule":
      return matchBy(desired, actual, [sameName, sameFields, any]);
    default:
      return matchBy(desired, actual, [sameName, standsIn]);
  }
}

/** Every way of being the same is tried on all before the next one is. */
function matchBy(desired: readonly Desired[], actual: readonly Actual[], ways: readonly Same[]): Matches {
  const pairs = new Map<Desired, Actual>();
  const free = new Set(actual);
  for (const same of ways) {
    for (const wanted of desired) {
      const found = pairs.has(wanted) ? undefined : [...free].find((candidate) => same(wanted, candidate));
      if (found === undefined) continue;
      pairs.set(wanted, found);
      free.delete(found);
    }
  }
  return { pairs: [...pairs], added: desired.filter((wanted) => !pairs.has(wanted)), removed: [...free] };
}
