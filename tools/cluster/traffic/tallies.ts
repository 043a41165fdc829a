import type { Tally } from "./messages.ts";

/** Counts of one kind by name, as rates between two moments. */
export type Rates = Readonly<Record<string, number>>;

/** Turns counts that only grow into rates. */
export class RateMeter {
  #before: { readonly atMs: number; readonly counts: Rates } | undefined;

  /** @returns per second since the last call; nothing at the first one */
  rates(counts: Rates, atMs: number): Rates {
    const before = this.#before;
    this.#before = { atMs, counts };
    if (before === undefined || atMs <= before.atMs) return {};
    const seconds = (atMs - before.atMs) / 1000;
    return Object.fromEntries(
      Object.entries(counts).map(([name, count]) => [name, (count - (before.counts[name] ?? 0)) / seconds]),
    );
  }
}

const plus = (a: Rates, b: Rates): Rates =>
  Object.fromEntries([...Object.keys(a), ...Object.keys(b)].map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]));

/** What several clients saw, as if they were one. */
export function addTallies(tallies: readonly Tally[]): Tally {
  const none: Tally = { requests: 0, failed: {}, retried: {}, byServer: {}, bySource: {}, slowestMs: 0 };
  return tallies.reduce(
    (sum, one) => ({
      requests: sum.requests + one.requests,
      failed: plus(sum.failed, one.failed),
      retried: plus(sum.retried, one.retried),
      byServer: plus(sum.byServer, one.byServer),
      bySource: plus(sum.bySource, one.bySource),
      slowestMs: Math.max(sum.slowestMs, one.slowestMs),
    }),
    none,
  );
}

/** How many there are in all. */
export const total = (counts: Rates): number => Object.values(counts).reduce((sum, count) => sum + count, 0);
