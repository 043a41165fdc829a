/**
 * Load balancers → the fragments of `netdev fiberlb`. Pure, as `ruleset.ts` is.
 *
 * There is no connection tracking here: a map of the pool remembers which backend each flow has, for as long as the
 * listener's idle timeout. A flow that is not in it, because it is new or because another balancer had it, goes by the
 * pool's hash, which is the same on all nodes. A pool has one listener a protocol, for its port is the backends'.
 */
import type { ListenerUnit, PoolUnit, Unit } from "../../../snapshot/snapshot.ts";
import { backendMarks, type DsrPoolState } from "./dsr-pool.ts";
import { type Endpoint, endpointKey, type FamilyWords, familyOf, IPV6 } from "./family.ts";
import type { ChainModel, Fragment, SetModel } from "./fragment.ts";
import { listenerChain } from "./listener-chain.ts";
import { DSR_FLOW_SETS, DSR_REFUSALS, endpointFields } from "./netdev-hooks.ts";
import { poolChoice } from "./pool-map.ts";
import { endpointOf } from "./ruleset.ts";

/** What a load balancer's fragment is made of. */
export interface DsrFragmentSource {
  readonly unit: Unit;
  /** Ids of the listeners that are served by direct server return. */
  readonly byDsr: ReadonlySet<string>;
  readonly stateOf: (pool: PoolUnit) => DsrPoolState;
  /** The device that a pool's backends are on; undefined while there is none. */
  readonly deviceOf: (pool: PoolUnit) => string | undefined;
}

/** Flows that a listener's pool remembers; one costs about 100 bytes. Beyond them flows go by the hash alone. */
const MAX_FLOWS = 524_288;

/** A plain number of 32 bits, as a declaration; see `slotMapDeclaration`. */
const A_NUMBER = "numgen inc mod 65536";

/** One load balancer's part of the table. */
export function dsrFragment({ unit, byDsr, stateOf, deviceOf }: DsrFragmentSource): Fragment {
  const draft: Draft = { sets: new Map(), chains: new Map(), elements: new Map() };
  for (const listener of unit.listeners) {
    const pool = unit.pools.find(({ id }) => id === listener.defaultPoolId);
    const device = pool && deviceOf(pool);
    if (!byDsr.has(listener.id) || pool === undefined || device === undefined) continue;
    const words = wordsOf({ unit, listener, pool, device });
    addListener(draft, words, stateOf(pool));
    addPool(draft, words, stateOf(pool));
  }
  return draft;
}

/** Key in the sets that count, as nft lists it too. */
export const countKey = (endpoint: Endpoint, mark: number): string => `${endpointKey(endpoint)} . ${mark}`;

interface Draft extends Fragment {
  readonly sets: Map<string, SetModel>;
  readonly chains: Map<string, ChainModel>;
  readonly elements: Map<string, Map<string, string>>;
}

interface Served {
  readonly unit: Unit;
  readonly listener: ListenerUnit;
  readonly pool: PoolUnit;
  readonly device: string;
}

/** Pieces of rules that a listener's chains have in common. */
interface Words extends Served {
  readonly family: FamilyWords;
  readonly endpoint: Endpoint;
  /** Ends the names of chains and maps. */
  readonly name: string;
  /** Matches packets that start a connection, and those that don't; both match every packet of UDP. */
  readonly start: string;
  readonly notStart: string;
  /** What the map of flows is asked by. */
  readonly flow: string;
  readonly remember: string;
  readonly count: string;
  readonly send: string;
}

/**
 * nft 1.0.6 puts no more than 16 bytes of a key into a map from a rule, and an IPv6 address has as many: two hashes of it
 * stand for it. Who finds a collision of both with the same port gets nothing but the other flow's backend.
 */
const HASHED_SOURCE = ["0x1", "0x2"].map((seed) => `jhash ip6 saddr mod 4294967295 seed ${seed}`).join(" . ");

function wordsOf(served: Served): Words {
  const { unit, listener, pool, device } = served;
  const family = familyOf(unit.vip);
  const endpoint = endpointOf(unit, listener);
  const { transport } = endpoint;
  const name = `${transport}.${pool.id}`;
  const flow = `${family === IPV6 ? HASHED_SOURCE : "ip saddr"} . th sport`;
  const ofTcp = (condition: string): string => (transport === "tcp" ? `${condition} ` : "");
  return {
    ...served,
    family,
    endpoint,
    name,
    start: ofTcp("tcp flags & (fin | syn | rst | ack) == syn"),
    notStart: ofTcp("tcp flags & (fin | syn | rst | ack) != syn"),
    flow,
    remember: `update @flows.${name} { ${flow} timeout ${listener.clientIdleTimeoutMs}ms : meta mark }`,
    count: `${endpointFields(family)} . meta mark`,
    send: `fwd ${family.ip} to meta mark map @members.${name} device "${device}"`,
  };
}

function addListener({ sets, chains, elements }: Draft, words: Words, { members }: DsrPoolState): void {
  const { listener, endpoint, family, name, pool, notStart } = words;
  const { suffix } = family;
  const checks = listenerChain(listener, { family, poolChain: `pool.${name}`, idle: undefined });
  for (const [set, model] of checks?.sets ?? []) sets.set(set, model);
  const known = `${notStart}meta mark set ${words.flow} map @flows.${name} ${words.remember} ${words.count} @traffic.in${suffix} ${words.send}`;
  // In the middle of a connection that was let in elsewhere, or that was forgotten.
  const unknown = notStart === "" ? [] : [`${notStart}goto pool.${name}`];
  chains.set(`listener.${listener.id}`, {
    rules: [known, ...unknown, ...(checks?.chain[1].rules ?? [`goto pool.${name}`])],
  });
  const put = (set: string, keyed: readonly (readonly [string, string])[]): void => {
    elements.set(set, new Map([...(elements.get(set) ?? []), ...keyed]));
  };
  const key = endpointKey(endpoint);
  put(`endpoints${suffix}`, [[key, `goto listener.${listener.id}`]]);
  for (const refusal of DSR_REFUSALS) put(`refused.${refusal}${suffix}`, [[key, ""]]);
  const counted = [...poolMarks(pool, members).values()].map((mark) => [countKey(endpoint, mark), ""] as const);
  for (const set of DSR_FLOW_SETS) put(`${set}${suffix}`, counted);
}

function addPool({ sets, chains }: Draft, words: Words, { state, members }: DsrPoolState): void {
  const { family, endpoint, name, pool } = words;
  const { suffix, ip } = family;
  const marks = poolMarks(pool, members);
  const markOf = (address: string): string => hex(marks.get(address) as number);
  const { expression, elements } = poolChoice(state, { family, transport: endpoint.transport });
  const targets = elements.targets.map((target) => markOf(target.split(" ", 1)[0] as string));
  const flowKey = suffix === "6" ? `${A_NUMBER} . ${A_NUMBER} . th sport` : "ip saddr . th sport";
  sets.set(`pool.${name}`, {
    kind: "map",
    declaration: `typeof ${A_NUMBER} : meta mark;`,
    elements: { slots: elements.slots, targets },
  });
  sets.set(`members.${name}`, {
    kind: "map",
    declaration: `typeof meta mark : ${ip} daddr;`,
    elements: new Map(members.map((address) => [markOf(address), address])),
  });
  sets.set(`flows.${name}`, {
    kind: "map",
    declaration: `typeof ${flowKey} : meta mark; size ${MAX_FLOWS}; flags dynamic,timeout; timeout 5m;`,
    elements: new Map(),
    isFilledByPackets: true,
  });
  chains.set(`pool.${name}`, {
    rules: [
      // What is remembered of a flow is not replaced by `update`: it was of an earlier connection, or of a lost backend.
      `delete @flows.${name} { ${words.flow} : meta mark }`,
      `meta mark set ${expression} map @pool.${name} goto send.${name}`,
      "goto refused.backend",
    ],
  });
  chains.set(`send.${name}`, {
    rules: [
      `${words.start}${words.count} @opened${suffix}`,
      words.remember,
      `${words.count} @traffic.in${suffix}`,
      words.send,
    ],
  });
}

/** Marks of a pool's backends and of those that left it. */
export function poolMarks({ backends }: PoolUnit, members: readonly string[]): ReadonlyMap<string, number> {
  return backendMarks([...new Set([...backends.flatMap(({ address }) => address ?? []), ...members])]);
}

const hex = (mark: number): string => `0x${mark.toString(16).padStart(8, "0")}`;
