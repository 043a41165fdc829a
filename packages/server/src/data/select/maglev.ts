import { scale } from "@fiberlb/maglev";

import type { MaglevTableUnit, MaglevUnit } from "../../snapshot/snapshot.ts";
import { maglevHash } from "./flow-hash.ts";
import { rendezvous } from "./rendezvous.ts";
import type { Candidate, Selector } from "./selector.ts";

/**
 * The backend in the pool's Maglev table at the slot that the flow hashes to (Eisenbud et al., "Maglev", NSDI 2016,
 * §3.4). Table, hash and seed are the same on every worker and node and in the kernel's driver.
 *
 * A table can be older than a health bit: a slot whose backend is not a candidate is skipped for the next one. Slots of
 * a backend lie scattered, so its flows spread over all others. Without a table that knows any candidate (in the
 * moments before the first one arrives) the flow's hash ranks the candidates themselves.
 *
 * @param table the pool's table as of now.
 */
export function maglev(unit: MaglevUnit, table: () => MaglevTableUnit | undefined): Selector {
  const hashOf = maglevHash(unit);
  const withoutTable = rendezvous(hashOf);
  let mappedTable: MaglevTableUnit | undefined;
  let mappedCandidates: readonly Candidate[] | undefined;
  let candidateOf = new Int32Array(0);
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
      const start = scale(hashOf(flow), slots.length);
      for (let probe = 0; probe < slots.length; probe++) {
        const slot = (start + probe) % slots.length;
        const candidate = candidateOf[slots[slot] as number] as number;
        if (candidate >= 0) return candidate;
      }
      return withoutTable.pick(candidates, flow);
    },
  };
}

/** For each backend of the table its index among the candidates, −1 if it is none. */
function mapToCandidates({ backendIds }: MaglevTableUnit, candidates: readonly Candidate[]): Int32Array<ArrayBuffer> {
  const indexOf = new Map(candidates.map(({ backend }, index) => [backend.id, index]));
  return Int32Array.from(backendIds, (id) => indexOf.get(id) ?? -1);
}
