import type { Cidr } from "@fiberlb/types";

import { type Path, samePath } from "./path.ts";

/** Own routes by prefix, as wanted or as held. */
export type PathTable = ReadonlyMap<Cidr, Path>;

/** What makes the held routes the desired ones. */
export interface RouteChanges {
  /** Held, and not wanted any more. */
  readonly withdraw: readonly Path[];
  /** Missing, or held with other attributes: a new announcement replaces the old one (RFC 4271 section 3.1). */
  readonly add: readonly Path[];
}

/** Compares; empty lists when both say the same. */
export function diffRoutes(desired: PathTable, held: PathTable): RouteChanges {
  return {
    withdraw: [...held.values()].filter(({ prefix }) => !desired.has(prefix)),
    add: [...desired.values()].filter((path) => {
      const now = held.get(path.prefix);
      return now === undefined || !samePath(now, path);
    }),
  };
}

/** As many changes as go into one call; a withdrawal never waits for an announcement. */
export function nextChanges({ withdraw, add }: RouteChanges, atMost: number): RouteChanges {
  const first = withdraw.slice(0, atMost);
  return { withdraw: first, add: add.slice(0, atMost - first.length) };
}

/** Whether there is nothing to do. */
export const noChanges = ({ withdraw, add }: RouteChanges): boolean => withdraw.length + add.length === 0;
