/**
 * What the table has counted, as figures of listeners and backends. The table counts connections and bytes for each
 * pair of endpoint and backend, and refusals for each endpoint.
 */
import { FLOW_SETS, REFUSALS } from "./hooks.ts";
import type { ListedElement } from "./nft.ts";

const REFUSAL_SETS = REFUSALS.map((refusal) => `refused.${refusal}` as const);
/** A set of the base that counts, without the family at its end. */
export type CountingSet = (typeof FLOW_SETS)[number] | (typeof REFUSAL_SETS)[number];

/** All sets that count. */
export const COUNTING_SETS: readonly CountingSet[] = [...FLOW_SETS, ...REFUSAL_SETS];

const isFlowSet = (set: CountingSet): boolean => (FLOW_SETS as readonly string[]).includes(set);

/** Totals that only grow, although elements come and go, and with them what they have counted. */
export class Traffic {
  readonly #last = new Map<string, ReadonlyMap<string, number>>();
  readonly #totals = new Map<string, number>();

  /** Takes what a set of one family holds now. */
  note(set: CountingSet, suffix: "4" | "6", elements: readonly ListedElement[]): void {
    const name = `${set}${suffix}`;
    const before = this.#last.get(name);
    const now = new Map(elements.map(({ key, packets, bytes }) => [key, set.startsWith("traffic.") ? bytes : packets]));
    for (const [key, value] of now) {
      const last = before?.get(key) ?? 0;
      // A counter that went back is another one: the table was loaded anew.
      this.#add(set, key, value >= last ? value - last : value);
    }
    this.#last.set(name, now);
  }

  /** What was counted for a flow group's key, or for an endpoint's all backends together, since this process started. */
  total(set: CountingSet, key: string): number {
    return this.#totals.get(`${set} ${key}`) ?? 0;
  }

  #add(set: CountingSet, key: string, grown: number): void {
    if (grown === 0) return;
    for (const one of isFlowSet(set) ? [key, endpointOf(key)] : [key]) {
      this.#totals.set(`${set} ${one}`, this.total(set, one) + grown);
    }
  }
}

/** The first three parts of a flow group's key. */
const endpointOf = (key: string): string => key.split(" . ", 3).join(" . ");
