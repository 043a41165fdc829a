/**
 * What an earlier process left in the table, as far as it can be known cheaply, and what of it must go. Pure.
 */
import type { Fragment, Keyed } from "./fragment.ts";
import { IDLE_SET, idleModel, idleName, readIdleKey } from "./idle-timeouts.ts";

/** What is known of a table that is there already. */
export interface Observed {
  readonly chains: ReadonlySet<string>;
  /** Elements of the sets of the base, by set. */
  readonly elements: ReadonlyMap<string, Keyed>;
}

/** A table that holds nothing. */
export const NOTHING_OBSERVED: Observed = { chains: new Set(), elements: new Map() };

/**
 * What a fragment may have in the kernel: its elements as they were observed, and of its own sets and chains only that
 * their contents are not known.
 */
export function assumed(fragment: Fragment, observed: Observed): Fragment {
  return {
    sets: new Map([...fragment.sets].map(([name, set]) => [name, { ...set, elements: undefined }])),
    chains: new Map([...fragment.chains].map(([name, chain]) => [name, { ...chain, rules: undefined }])),
    elements: new Map(
      [...fragment.elements].map(([set, elements]) => {
        const known = observed.elements.get(set) ?? new Map<string, string>();
        const there = [...elements.keys()].flatMap((key) => {
          const data = known.get(key);
          return data === undefined ? [] : [[key, data] as const];
        });
        return [set, new Map(there)];
      }),
    ),
  };
}

/**
 * The base as it may be in the kernel: all sets are there, with what load balancers put in, and the timeouts that
 * `idleKeys` stand for.
 */
export function assumedBase({ sets, chains }: Fragment, idleKeys: Iterable<string>): Fragment {
  const unknown = [...chains].map(([name, chain]) => [name, { ...chain, rules: undefined }] as const);
  const keys = [...idleKeys];
  const timeouts = keys.map(readIdleKey).map((timeout) => [idleName(timeout), idleModel(timeout)] as const);
  return {
    sets: new Map([...sets, ...timeouts]),
    chains: new Map(unknown),
    elements: new Map([[IDLE_SET, new Map(keys.map((key) => [key, ""]))]]),
  };
}

/** What was observed and belongs to nothing that should be there: as a fragment that has to go. */
export function stale(
  observed: Observed,
  wanted: { readonly base: Fragment; readonly fragments: Iterable<Fragment> },
): Fragment {
  const chains = new Set(observed.chains);
  const elements = new Map([...observed.elements].map(([set, keyed]) => [set, new Map(keyed)]));
  for (const name of wanted.base.chains.keys()) chains.delete(name);
  for (const fragment of wanted.fragments) {
    for (const name of fragment.chains.keys()) chains.delete(name);
    for (const [set, keyed] of fragment.elements) for (const key of keyed.keys()) elements.get(set)?.delete(key);
  }
  return { sets: new Map(), chains: new Map([...chains].map((name) => [name, { rules: undefined }])), elements };
}

/** Sets that a chain may have beside it, by the names that `ruleset.ts` gives. */
export function setsBeside(chain: string): readonly { readonly kind: "set" | "map"; readonly name: string }[] {
  const [what, id] = [chain.slice(0, chain.indexOf(".")), chain.slice(chain.indexOf(".") + 1)];
  if (what === "pool") return [{ kind: "map", name: chain }];
  if (what === "send") return ["members", "flows"].map((set) => ({ kind: "map", name: `${set}.${id}` }));
  if (what !== "listener") return [];
  return [
    { kind: "set", name: `acl.${id}` },
    { kind: "set", name: `rate.${id}` },
  ];
}
