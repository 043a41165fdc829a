/** What a listener asks of a connection before its pool sees it. */
import { type AddressRange, rangeBounds } from "@fiberlb/types";

import type { ListenerUnit } from "../../../snapshot/snapshot.ts";
import type { FamilyWords } from "./family.ts";
import type { ChainModel, SetModel } from "./fragment.ts";
import { idleRule, type IdleTimeout } from "./idle-timeouts.ts";

/** Sources that are remembered for a listener's rate; a source beyond them is not limited. */
const MAX_RATED_SOURCES = 65_535;

/** A listener's own chain and the sets that its rules ask. */
export interface ListenerChain {
  readonly chain: readonly [name: string, ChainModel];
  readonly sets: readonly (readonly [name: string, SetModel])[];
}

/** What a listener's chain depends on besides the listener. */
export interface ListenerChainOptions {
  readonly family: FamilyWords;
  /** Where its connections go on to. */
  readonly poolChain: string;
  /** Set when other listeners of the pool have another timeout. */
  readonly idle: IdleTimeout | undefined;
}

/** The chain that a listener's endpoint leads to; undefined when it asks nothing: then it leads to the pool's. */
export function listenerChain(
  listener: ListenerUnit,
  { family, poolChain, idle }: ListenerChainOptions,
): ListenerChain | undefined {
  const checks = [...aclCheck(listener, family), ...rateCheck(listener, family), ...limitCheck(listener)];
  const steps = [...checks.map(({ rule }) => rule), ...(idle === undefined ? [] : [idleRule(idle)])];
  if (steps.length === 0) return undefined;
  const rules = [...steps, `goto ${poolChain}`];
  return {
    chain: [`listener.${listener.id}`, { rules }],
    sets: checks.flatMap(({ set }) => (set === undefined ? [] : [set])),
  };
}

interface Check {
  readonly rule: string;
  readonly set?: readonly [name: string, SetModel];
}

function aclCheck({ id, allowedCidrs }: ListenerUnit, { ip, addressType }: FamilyWords): readonly Check[] {
  if (allowedCidrs.length === 0) return [];
  const name = `acl.${id}`;
  const elements = new Map(outermost(allowedCidrs).map((cidr) => [cidr, ""]));
  const set: SetModel = { kind: "set", declaration: `type ${addressType}; flags interval;`, elements };
  return [{ rule: `${ip} saddr != @${name} goto refused.acl`, set: [name, set] }];
}

function rateCheck({ id, newConnectionsPerSPerSource: rate }: ListenerUnit, words: FamilyWords): readonly Check[] {
  if (rate === undefined || rate === 0) return [];
  const name = `rate.${id}`;
  const declaration = `type ${words.addressType}; size ${MAX_RATED_SOURCES}; flags dynamic,timeout; timeout 10s;`;
  const rule = `update @${name} { ${words.ip} saddr limit rate over ${rate}/second burst ${rate} packets } goto refused.rate`;
  // The kernel puts sources in; what is in it is no business of ours.
  return [{ rule, set: [name, { kind: "set", declaration, elements: new Map() }] }];
}

/** Last, so that what is refused otherwise is not counted as open. */
function limitCheck({ connectionLimit }: ListenerUnit): readonly Check[] {
  return connectionLimit === 0 ? [] : [{ rule: `ct count over ${connectionLimit} goto refused.limit` }];
}

/** CIDRs nest or are apart; an interval set takes no nested ones. */
function outermost(cidrs: readonly string[]): string[] {
  const bounds = cidrs.map((cidr) => ({ cidr, ...rangeBounds(cidr as AddressRange) }));
  const sorted = bounds.toSorted((a, b) => Number(a.first - b.first) || Number(b.last - a.last));
  const kept: typeof sorted = [];
  for (const next of sorted) {
    const outer = kept.at(-1);
    if (outer === undefined || next.first > outer.last) kept.push(next);
  }
  return kept.map(({ cidr }) => cidr);
}
