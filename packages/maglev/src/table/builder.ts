import { compareNames, inTurnOrder, refuseDuplicate, weighed } from "../backend.ts";
import type { Backend, NameOrder, WeighedBackend } from "../backend.ts";
import { checkTableSize, chooseTableSize } from "../primes.ts";
import { envoyPermutation, envoyWeighting } from "../schemes/envoy.ts";
import type { PermutationOf, TableScheme, Weighting } from "../schemes/scheme.ts";
import type { Contenders } from "./contenders.ts";
import { FillMemory } from "./fill-memory.ts";
import { Filler, placeClaims } from "./filler.ts";
import { refill } from "./refill.ts";
import { createSlots } from "./slots.ts";
import type { AllocateSlots, SlotArray } from "./slots.ts";
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

/**
 * Builds one table after the other while backends come, go and change weight. Every table equals the one that
 * {@link buildTable} makes from the same backends; the builder only saves work: names are hashed once, where one backend
 * joins or gains weight only the slots that move are searched for, and a set that was there a moment ago (a backend that
 * flaps) is not searched at all. For this it keeps the last two fills: 8 bytes a slot, 16 where weights differ.
 */
export class TableBuilder {
  readonly #size: number;
  readonly #permutation: PermutationOf;
  readonly #weighting: Weighting;
  readonly #order: NameOrder;
  readonly #allocate: AllocateSlots | undefined;
  #backends: readonly WeighedBackend[] = [];
  #preferences = new Map<string, Preferences>();
  readonly #memory = new FillMemory();

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
    if (preferences.length > 0) this.#fill(slots, contenders, usable.backends);
    for (const [i, each] of preferences.entries()) each.inverse = contenders.inverses[i] as number;
    this.#forgetAllBut(backends);
    this.#backends = backends;
    return new MaglevTable(slots, backends);
  }

  #fill(slots: SlotArray, contenders: Contenders, backends: readonly WeighedBackend[]): void {
    const isEven = this.#takeTurns(backends);
    const same = this.#memory.same(backends, isEven);
    const turns = isEven ? undefined : (same?.turns ?? this.#sequenceOf(backends));
    const known = same?.claims ?? this.#refill(backends, turns, contenders);
    if (known !== undefined) placeClaims(slots, contenders.values, { turns, claims: known });
    const claims = known ?? new Filler(slots, contenders).fill(turns);
    this.#memory.remember(same ?? { backends, turns, claims, contenderCount: backends.length });
  }

  /** The claims that follow from a remembered fill, if there is one to start from. */
  #refill(
    backends: readonly WeighedBackend[],
    turns: Int32Array | undefined,
    contenders: Contenders,
  ): Int32Array | undefined {
    for (const { fill, gain } of this.#memory.similar(backends)) {
      const claims = refill(fill, { turns, contenders, gain });
      if (claims !== undefined) return claims;
    }
    return undefined;
  }

  /** Whether each backend has one turn a round. */
  #takeTurns(backends: readonly WeighedBackend[]): boolean {
    const weight = backends[0]?.weight;
    const isEven = backends.every((backend) => backend.weight === weight);
    return isEven && (this.#weighting.equalWeightsTakeTurns || weight === 1);
  }

  #sequenceOf(backends: readonly WeighedBackend[]): Int32Array {
    const weights = Float64Array.from(backends, ({ weight }) => weight);
    return sequenceOf(this.#weighting, weights, this.#size);
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
  const count = weights.length;
  if (weighting.writeTurns !== undefined) {
    weighting.writeTurns(weights, sequence);
    checkPositions(sequence, weighting, count);
    return sequence;
  }
  let turn = 0;
  weighting.giveTurns(weights, (position) => {
    if (!(position >= 0 && position < count)) refusePosition(position, weighting, count);
    if (turn < size) sequence[turn++] = position;
    return turn < size;
  });
  if (turn === size) return sequence;
  throw new RangeError(
    `Cannot fill ${size} slots: the weighting "${weighting.name}" stopped after ${turn} turns; it must go on until ` +
      "claim returns false",
  );
}

function checkPositions(sequence: Int32Array, weighting: Weighting, count: number): void {
  // Negative as soon as one is out of range; a comparison a turn takes twice as long.
  let signs = 0;
  for (let turn = 0; turn < sequence.length; turn++) {
    const position = sequence[turn] as number;
    signs |= position | (count - 1 - position);
  }
  if (signs >= 0) return;
  const wrong = sequence.find((position) => position < 0 || position >= count);
  refusePosition(wrong as number, weighting, count);
}

function refusePosition(position: number, { name }: Weighting, count: number): never {
  throw new RangeError(`Cannot give a turn to position ${position}: the weighting "${name}" has ${count} backends`);
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
