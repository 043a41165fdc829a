/**
 * Wires what resolves the DNS names of backends: the elected node asks name servers, all nodes go by what it wrote.
 */
import { type Cidr, type IpAddress, rangeMatcher } from "@fiberlb/types";

import type { Clock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import type { Log } from "./log.ts";
import type { Random } from "./random.ts";
import type { Election } from "./repository/election.ts";
import type { Repository } from "./repository/repository.ts";
import { createSystemLookup, type NameLookup } from "./snapshot/lookup.ts";
import { createResolver, type Resolver } from "./snapshot/resolver.ts";
import { createSharedResolver } from "./snapshot/shared-resolver.ts";

/** What {@link startNames} works with. */
export interface NamesInputs {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly repository: Pick<Repository, "dns" | "openDnsWriter">;
  readonly election: Election;
  /** Asks name servers. Default: as this host does. */
  readonly lookup?: NameLookup;
  /** What names stood for before this process. */
  readonly known: ReadonlyMap<string, string>;
  /** Called when a name stands for something else now. */
  readonly onChange: (name: string) => void;
}

/** Begins to follow names; none so far. */
export function startNames(inputs: NamesInputs): Resolver {
  const { config, log, clock, random, repository, election, known, onChange } = inputs;
  const lookup = inputs.lookup ?? createSystemLookup();
  const refuse = refuseDenied(config.backends.deniedCidrs ?? []);
  return createSharedResolver({
    view: repository.dns,
    writer: repository.openDnsWriter(election),
    election,
    createLookups: (options) => createResolver({ ...options, clock, random, lookup, refuse }),
    refuse,
    known: (name) => known.get(name),
    onChange: ({ name, address, problem }) => {
      if (problem !== undefined)
        log.warn("a backend's name cannot be resolved", { name, reason: problem, lastKnown: address });
      onChange(name);
    },
  });
}

/** Answers of DNS are judged like addresses that a user wrote. */
function refuseDenied(denied: readonly string[]): (address: string) => string | undefined {
  const isDenied = rangeMatcher(denied as readonly Cidr[]);
  return (address) => (isDenied(address as IpAddress) ? "is in backends.deniedCidrs" : undefined);
}
