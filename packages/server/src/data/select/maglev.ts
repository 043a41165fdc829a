import { scale, successor } from "@fiberlb/maglev";

import type { MaglevTableUnit, MaglevUnit } from "../../snapshot/snapshot.ts";
import { maglevHash } from "./flow-hash.ts";
import { rendezvous } from "./rendezvous.ts";
import type { Candidate, Selector } from "./selector.ts";

/**
 * The backend in the pool's Maglev table at the slot that the flow hashes to (Eisenbud et al., "Maglev", NSDI 2016,
 * §3.4). Table, hash and seed are the same on every worker and node and in the kernel's driver.
 *
 * The table is that of all backends, usable or not: the slot of one that is no candidate goes to its `successor`, so a
 * verdict moves the flows of its own backend alone. Without a table that knows any candidate (in the moments before the
 * first one arrives) the flow's hash ranks the candidates themselves.
 *
 * @param table the pool's table as of now.
 */
export function maglev(unit: MaglevUnit, table: () => MaglevTableUnit | undefined): Selector {
  const hashOf = maglevHash(unit);
  const withoutTable = rendezvous(hashOf);
  let mappedTable: MaglevTableUnit | undefined;
  let mappedCandidates: readonly Candidate[] | undefined;
  let candidateOf = new Int32Array(0);
  const isUsable = (index: number): boolean => (candidateOf[index] as number) >= 0;
  return {
    pick(candidates, flow) {
      const current = table();
      if (current === undefined) return withoutTable.pick(candidates, flow);
      if (current !== mappedTable || candidates !== mappedCandidates) {
        candidateOf = mapToCandidates(current, candidates);
        mappedTable = current;
        mappedCandidates = candidates;
      }
      const { slots } = current;
      if (slots.length === 0) return withoutTable.pick(candidates, flow);
      const slot = scale(hashOf(flow), slots.length);
      const index = successor(slot, { slots, backendCount: candidateOf.length, isUsable });
      if (index >= 0) return candidateOf[index] as number;
      return withoutTable.pick(candidates, flow);
    },
  };
}

/** For each backend of the table its index among the candidates, −1 if it is none. */
function mapToCandidates({ backendIds }: MaglevTableUnit, candidates: readonly Candidate[]): Int32Array<ArrayBuffer> {
  const indexOf = new Map(candidates.map(({ backend }, index) => [backend.id, index]));
  return Int32Array.from(backendIds, (id) => indexOf.get(id) ?? -1);
}
