import { compareNames, inTurnOrder, refuseDuplicate, weighed } from "../backend.ts";
import type { Backend, NameOrder, WeighedBackend } from "../backend.ts";
import { checkTableSize, chooseTableSize } from "../primes.ts";
import { envoyPermutation, envoyWeighting } from "../schemes/envoy.ts";
import type { PermutationOf, TableScheme, Weighting } from "../schemes/scheme.ts";
import { Filler } from "./filler.ts";
import type { Contenders } from "./filler.ts";
import { createSlots } from "./slots.ts";
import type { AllocateSlots } from "./slots.ts";
import { MaglevTable } from "./table.ts";

/** How a builder makes tables. Two builders with equal options and backends make equal tables. */
export interface BuilderOptions extends Partial<TableScheme> {
  /** Number of slots: a prime, about 100 times the number of backends or more. */
  readonly size: number;
  /** Memory for each table's slots; default a private ArrayBuffer. */
  readonly allocate?: AllocateSlots;
}

/** Options of {@link buildTable}. */
export interface TableOptions extends Partial<BuilderOptions> {
  /** Number of slots: a prime. Default {@link chooseTableSize} of the number of backends. */
  readonly size?: number;
}

/** What is remembered of a backend between builds. */
interface Preferences {
  readonly offset: number;
  readonly skip: number;
  inverse: number;
}

/** A fill turn by turn: it depends on these names alone, so that it can be repeated or started from. */
interface Fill {
  readonly names: readonly string[];
  readonly claims: Int32Array;
}

/** Two, so that a backend that flaps costs one fill: the set with it and the set without it are both remembered. */
const REMEMBERED_FILLS = 2;

/**
 * Builds one table after the other while backends come, go and change weight. Every table equals the one that
 * {@link buildTable} makes from the same backends; the builder only saves work: names are hashed once, where one backend
 * joins a set of equal weights only the slots that move are searched for, and a set that was there a moment ago (a
 * backend that flaps) is not searched at all.
 */
export class TableBuilder {
  readonly #size: number;
  readonly #permutation: PermutationOf;
  readonly #weighting: Weighting;
  readonly #order: NameOrder;
  readonly #allocate: AllocateSlots | undefined;
  #backends: readonly WeighedBackend[] = [];
  #preferences = new Map<string, Preferences>();
  #fills: readonly Fill[] = [];

  /** @throws RangeError if the size is no prime in range; the message names the nearest primes */
  constructor(options: BuilderOptions) {
    checkTableSize(options.size);
    this.#size = options.size;
    this.#permutation = options.permutation ?? envoyPermutation;
    this.#weighting = options.weighting ?? envoyWeighting;
    this.#order = options.order ?? compareNames;
    this.#allocate = options.allocate;
  }

  /**
   * The table of exactly these backends, in whatever order they come. What is remembered of others is dropped.
   * @throws TypeError or RangeError for a backend without a name, a bad weight, or a name given twice
   */
  build(backends: Iterable<Backend>): MaglevTable {
    return this.#assemble(inTurnOrder(backends, this.#order));
  }

  /**
   * The table with one more backend.
   * @throws RangeError if there is one of this name
   */
  add(backend: Backend): MaglevTable {
    const added = weighed(backend);
    const at = this.#backends.findIndex(({ name }) => this.#order(name, added.name) >= 0);
    if (this.#backends[at]?.name === added.name) refuseDuplicate(added.name);
    return this.#assemble(this.#backends.toSpliced(at < 0 ? this.#backends.length : at, 0, added));
  }

  /**
   * The table without the backend of that name.
   * @throws RangeError if there is none
   */
  remove(name: string): MaglevTable {
    return this.#assemble(this.#backends.toSpliced(this.#indexOf(name), 1));
  }

  /**
   * The table in which the backend of that name has another weight; 0 takes its slots away.
   * @throws RangeError if there is none, or for a bad weight
   */
  reweigh(name: string, weight: number): MaglevTable {
    return this.#assemble(this.#backends.with(this.#indexOf(name), weighed({ name, weight })));
  }

  #indexOf(name: string): number {
    const index = this.#backends.findIndex((backend) => backend.name === name);
    if (index >= 0) return index;
    throw new RangeError(`Cannot change backend "${name}": it is not among the ${this.#backends.length} of this table`);
  }

  #assemble(backends: readonly WeighedBackend[]): MaglevTable {
    const slots = createSlots(this.#size, backends.length, this.#allocate);
    const usable = usableOf(backends);
    const preferences = usable.backends.map(({ name }) => this.#preferencesOf(name));
    const contenders = contendersOf(preferences, usable.indexes);
    if (preferences.length > 0) this.#fill(new Filler(slots, contenders), usable.backends);
    for (const [i, each] of preferences.entries()) each.inverse = contenders.inverses[i] as number;
    this.#forgetAllBut(backends);
    this.#backends = backends;
    return new MaglevTable(slots, backends);
  }

  #fill(filler: Filler, usable: readonly WeighedBackend[]): void {
    const weight = usable[0]?.weight;
    const isEven = usable.every((backend) => backend.weight === weight);
    const inTurns = isEven && (this.#weighting.equalWeightsTakeTurns || weight === 1);
    if (!inTurns) {
      const weights = Float64Array.from(usable, (backend) => backend.weight);
      filler.fillInSequence(sequenceOf(this.#weighting, weights, this.#size));
      return;
    }
    this.#fillInTurns(
      filler,
      usable.map(({ name }) => name),
    );
  }

  #fillInTurns(filler: Filler, names: readonly string[]): void {
    const same = this.#fills.find((fill) => equalNames(fill.names, names));
    const smaller = this.#fills.find((fill) => positionOfAdded(fill.names, names) >= 0);
    if (same !== undefined) filler.repeat(same.claims);
    else if (smaller !== undefined) filler.fillAfterAdding(positionOfAdded(smaller.names, names), smaller.claims);
    else filler.fillInTurns();
    const others = this.#fills.filter((fill) => fill !== same);
    this.#fills = [{ names, claims: filler.claims }, ...others].slice(0, REMEMBERED_FILLS);
  }

  #preferencesOf(name: string): Preferences {
    const known = this.#preferences.get(name);
    if (known !== undefined) return known;
    const { offset, skip } = this.#permutation(name, this.#size);
    const isInside = Number.isInteger(offset) && offset >= 0 && offset < this.#size;
    if (!isInside || !Number.isInteger(skip) || skip < 1 || skip >= this.#size) {
      throw new RangeError(
        `Cannot use the permutation of backend "${name}": offset ${offset} must be 0–${this.#size - 1} and ` +
          `skip ${skip} must be 1–${this.#size - 1}`,
      );
    }
    const preferences = { offset, skip, inverse: 0 };
    this.#preferences.set(name, preferences);
    return preferences;
  }

  /** Keeps memory bounded by the current set. */
  #forgetAllBut(backends: readonly WeighedBackend[]): void {
    if (this.#preferences.size <= backends.length) return;
    const kept = new Set(backends.map(({ name }) => name));
    for (const name of this.#preferences.keys()) if (!kept.has(name)) this.#preferences.delete(name);
  }
}

interface Usable {
  readonly backends: readonly WeighedBackend[];
  /** Their indexes in the whole list: what the slots hold. */
  readonly indexes: Int32Array;
}

/** The backends with a weight. */
function usableOf(backends: readonly WeighedBackend[]): Usable {
  const usable = backends.filter(({ weight }) => weight > 0);
  const indexes = new Int32Array(usable.length);
  let count = 0;
  for (const [index, { weight }] of backends.entries()) if (weight > 0) indexes[count++] = index;
  return { backends: usable, indexes };
}

function contendersOf(preferences: readonly Preferences[], values: Int32Array): Contenders {
  const offsets = new Int32Array(preferences.length);
  const skips = new Int32Array(preferences.length);
  const inverses = new Float64Array(preferences.length);
  for (const [i, { offset, skip, inverse }] of preferences.entries()) {
    offsets[i] = offset;
    skips[i] = skip;
    inverses[i] = inverse;
  }
  return { offsets, skips, inverses, values };
}

/** Whose turn each of `size` turns is, asked of a weighting that may be a caller's own. */
function sequenceOf(weighting: Weighting, weights: Float64Array, size: number): Int32Array {
  const sequence = new Int32Array(size);
  let turn = 0;
  weighting.giveTurns(weights, (position) => {
    if (!(position >= 0 && position < weights.length)) {
      throw new RangeError(
        `Cannot give a turn to position ${position}: the weighting "${weighting.name}" has ${weights.length} backends`,
      );
    }
    if (turn < size) sequence[turn++] = position;
    return turn < size;
  });
  if (turn === size) return sequence;
  throw new RangeError(
    `Cannot fill ${size} slots: the weighting "${weighting.name}" stopped after ${turn} turns; it must go on until ` +
      "claim returns false",
  );
}

function equalNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}

/** The position in `names` that `fewer` lacks, if that is the only difference; else -1. */
function positionOfAdded(fewer: readonly string[], names: readonly string[]): number {
  if (names.length !== fewer.length + 1) return -1;
  let added = 0;
  while (added < fewer.length && names[added] === fewer[added]) added++;
  for (let i = added; i < fewer.length; i++) if (names[i + 1] !== fewer[i]) return -1;
  return added;
}

/** A builder for a table that will change; see {@link TableBuilder}. */
export function createBuilder(options: BuilderOptions): TableBuilder {
  return new TableBuilder(options);
}

/**
 * Builds a Maglev lookup table (Eisenbud et al., NSDI 2016, §3.4). The result depends on names, weights and options
 * alone, never on the order of `backends`; an empty set gives a table whose lookup returns -1.
 *
 * @param backends names, unique, with weights (default 1; 0 gets no slot)
 * @throws TypeError or RangeError for a backend without a name, a bad weight, a name given twice, a size that is no
 * prime (the message names the nearest), or a permutation outside the table
 */
export function buildTable(backends: Iterable<Backend>, options: TableOptions = {}): MaglevTable {
  const list = [...backends];
  return new TableBuilder({ ...options, size: options.size ?? chooseTableSize(list.length) }).build(list);
}
