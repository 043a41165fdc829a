/** One backend of a table. */
export interface Backend {
  /** Stable key: the table depends on names and weights alone. An id or `address:port`; not empty, unique. */
  readonly name: string;
  /** Share of the slots in proportion to the others; finite, ≥ 0, default 1. 0 keeps the backend without a slot. */
  readonly weight?: number;
}

/** A backend as a table holds it: its weight always stated. */
export interface WeighedBackend extends Backend {
  readonly weight: number;
}

/** Compares two names; negative if `a` has its turn before `b`. */
export type NameOrder = (a: string, b: string) => number;

/** Moves surrogates above the rest of the BMP, so that UTF-16 units compare as the code points (and UTF-8) do. */
function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

/**
 * Orders names by code point, which is the byte order of their UTF-8: the order in which C++ and Go sort them, so
 * that other implementations give the same turns.
 */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return codePointRank(x) - codePointRank(y);
  }
  return a.length - b.length;
}

/** A character that UTF-16 orders differently from UTF-8: a surrogate, or what stands above them in the BMP. */
const REORDERED = /[\ud800-\uffff]/;

/** The same order as {@link compareNames} among names without {@link REORDERED}, ten times as fast. */
function compareUnits(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/**
 * Checks one backend and states its weight.
 * @throws TypeError without a name, RangeError for a weight that is negative or not finite
 */
export function weighed(backend: Backend): WeighedBackend {
  const { name, weight = 1 } = backend;
  if (typeof name !== "string" || name === "") {
    throw new TypeError("Cannot use a backend without a name: its slots are chosen by hashing the name");
  }
  if (!Number.isFinite(weight) || weight < 0) {
    throw new RangeError(`Cannot use backend "${name}" with weight ${weight}: a weight is a finite number ≥ 0`);
  }
  return Object.freeze({ name, weight });
}

/**
 * The backends checked and in turn order, whatever order they came in.
 * @throws RangeError for two backends of one name
 */
export function inTurnOrder(backends: Iterable<Backend>, nameOrder: NameOrder): WeighedBackend[] {
  const sorted = Array.from(backends, weighed);
  const isPlain = nameOrder === compareNames && !sorted.some(({ name }) => REORDERED.test(name));
  const order = isPlain ? compareUnits : nameOrder;
  let isSorted = true;
  for (let i = 1; i < sorted.length && isSorted; i++) {
    isSorted = order((sorted[i - 1] as Backend).name, (sorted[i] as Backend).name) < 0;
  }
  if (isSorted) return sorted;
  sorted.sort((a, b) => order(a.name, b.name));
  for (let i = 1; i < sorted.length; i++) {
    const { name } = sorted[i] as Backend;
    if (name === (sorted[i - 1] as Backend).name) refuseDuplicate(name);
  }
  return sorted;
}

/** Throws the error for a name that is taken. */
export function refuseDuplicate(name: string): never {
  throw new RangeError(`Cannot use backend "${name}" twice: names must be unique, use the weight for a larger share`);
}
