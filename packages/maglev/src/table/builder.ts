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

/** The last table that was filled turn by turn: the start of an incremental fill. */
interface LastFill {
  readonly names: readonly string[];
  readonly claims: Int32Array;
}

/**
 * Builds one table after the other while backends come, go and change weight. Every table equals the one that
 * {@link buildTable} makes from the same backends; the builder only saves work: names are hashed once, and where one
 * backend joins a set of equal weights only the slots that move are searched for.
 */
export class TableBuilder {
  readonly #size: number;
  readonly #permutation: PermutationOf;
  readonly #weighting: Weighting;
  readonly #order: NameOrder;
  readonly #allocate: AllocateSlots | undefined;
  #backends: readonly WeighedBackend[] = [];
  #preferences = new Map<string, Preferences>();
  #lastFill: LastFill | undefined;

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
    const usable = backends.flatMap(({ name, weight }, index) => (weight > 0 ? [{ name, weight, index }] : []));
    const contenders = this.#contendersOf(usable);
    const filler = new Filler(slots, contenders);
    if (usable.length > 0) this.#fill(filler, usable);
    for (let i = 0; i < usable.length; i++)
      this.#keepInverse(usable[i]?.name as string, contenders.inverses[i] as number);
    this.#forgetAllBut(backends);
    return new MaglevTable(slots, (this.#backends = backends));
  }

  #fill(filler: Filler, usable: readonly WeighedBackend[]): void {
    const weight = usable[0]?.weight;
    const isEven = usable.every((backend) => backend.weight === weight);
    const inTurns = isEven && (this.#weighting.equalWeightsTakeTurns || weight === 1);
    const last = this.#lastFill;
    this.#lastFill = undefined;
    if (!inTurns) {
      this.#weighting.giveTurns(
        Float64Array.from(usable, (backend) => backend.weight),
        filler.claim,
      );
      return;
    }
    const names = usable.map(({ name }) => name);
    const added = last === undefined ? -1 : positionOfAdded(last.names, names);
    if (last !== undefined && added >= 0) filler.fillAfterAdding(added, last.claims);
    else filler.fillInTurns();
    this.#lastFill = { names, claims: filler.claims };
  }

  #contendersOf(usable: readonly { readonly name: string; readonly index: number }[]): Contenders {
    const count = usable.length;
    const contenders = {
      offsets: new Int32Array(count),
      skips: new Int32Array(count),
      inverses: new Float64Array(count),
      values: new Int32Array(count),
    };
    for (let i = 0; i < count; i++) {
      const { name, index } = usable[i] as { name: string; index: number };
      const { offset, skip, inverse } = this.#preferencesOf(name);
      contenders.offsets[i] = offset;
      contenders.skips[i] = skip;
      contenders.inverses[i] = inverse;
      contenders.values[i] = index;
    }
    return contenders;
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

  #keepInverse(name: string, inverse: number): void {
    const preferences = this.#preferences.get(name);
    if (preferences !== undefined) preferences.inverse = inverse;
  }

  /** Keeps memory bounded by the current set. */
  #forgetAllBut(backends: readonly WeighedBackend[]): void {
    if (this.#preferences.size <= backends.length) return;
    const kept = new Set(backends.map(({ name }) => name));
    for (const name of this.#preferences.keys()) if (!kept.has(name)) this.#preferences.delete(name);
  }
}

/** The position in `names` that `previous` lacks, if that is the only difference; else -1. */
function positionOfAdded(previous: readonly string[], names: readonly string[]): number {
  if (names.length !== previous.length + 1) return -1;
  let added = 0;
  while (added < previous.length && names[added] === previous[added]) added++;
  for (let i = added; i < previous.length; i++) if (names[i + 1] !== previous[i]) return -1;
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
