import type { MaglevTableUnit, MaglevUnit, PoolUnit } from "../../snapshot/snapshot.ts";
import { ipHash } from "./ip-hash.ts";
import { leastConnections } from "./least-connections.ts";
import { maglev } from "./maglev.ts";
import { roundRobin } from "./round-robin.ts";
import type { Candidate, Selector } from "./selector.ts";
import { slowStart } from "./slow-start.ts";
import { twoChoices } from "./two-choices.ts";
import { weightedRoundRobin } from "./weighted-round-robin.ts";

/** What selectors are made of besides their pool. */
export interface SelectorSources {
  /** The pool's turn counter, one for all workers: unsigned, wraps around. */
  readonly next: () => number;
  /** Another one, for turns that a backend in rotation could not take and others take in its place. */
  readonly nextSpare: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** The pool's Maglev table as of now. */
  readonly table: () => MaglevTableUnit | undefined;
  /** How far a backend's slow start has come: 0 at its start, 1 = done. */
  readonly progress: (candidate: Candidate) => number;
}

/** What a pool without a Maglev unit of its own is asked by when its algorithm needs one. */
const DEFAULT_MAGLEV: MaglevUnit = { tableSize: 0, hashKey: "FIVE_TUPLE", seed: 0 };

/** The selector that a pool's algorithm, persistence and slow start ask for. */
export function createSelector(pool: PoolUnit, sources: SelectorSources): Selector {
  const unit = pool.maglev ?? DEFAULT_MAGLEV;
  if (pool.sourceIpPersistence) return maglev({ ...unit, hashKey: "SOURCE_IP" }, sources.table);
  if (pool.algorithm === "MAGLEV") return maglev(unit, sources.table);
  if (pool.algorithm === "IP_HASH") return ipHash();
  const { algorithm } = pool;
  const { next, nextSpare, random, progress } = sources;
  const all = createStateful(algorithm, { next, random });
  if (pool.slowStartMs === 0) return all;
  return slowStart({ all, settled: createStateful(algorithm, { next: nextSpare, random }), progress, random });
}

type Stateful = "ROUND_ROBIN" | "WEIGHTED_ROUND_ROBIN" | "LEAST_CONNECTIONS" | "RANDOM";

function createStateful(algorithm: Stateful, { next, random }: Pick<SelectorSources, "next" | "random">): Selector {
  switch (algorithm) {
    case "ROUND_ROBIN":
      return roundRobin(next);
    case "WEIGHTED_ROUND_ROBIN":
      return weightedRoundRobin(next);
    case "LEAST_CONNECTIONS":
      return leastConnections(next);
    case "RANDOM":
      return twoChoices(random);
  }
}
