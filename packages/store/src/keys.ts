/** Keys from `start` on, up to but without `end`; {@link END_OF_KEYS} as end for no bound. */
export interface KeyRange {
  readonly start: string;
  readonly end: string;
}

/** As a range's end: no upper bound (etcd's convention). */
export const END_OF_KEYS = "\0";

/** Every key. */
export const ALL_KEYS: KeyRange = { start: "", end: END_OF_KEYS };

const LAST_CODE_POINT = 0x10_ff_ff;

/** The range of all keys that begin with `prefix`; the empty prefix is every key. */
export function prefixRange(prefix: string): KeyRange {
  const codePoints = Array.from(prefix, (char) => char.codePointAt(0) ?? 0);
  while (codePoints.at(-1) === LAST_CODE_POINT) codePoints.pop();
  const last = codePoints.pop();
  if (last === undefined) return { start: prefix, end: END_OF_KEYS };
  // Surrogates (U+D800 to U+DFFF) are no characters of UTF-8.
  const next = last === 0xd7_ff ? 0xe0_00 : last + 1;
  return { start: prefix, end: String.fromCodePoint(...codePoints, next) };
}

/** The first possible key after `key`, to begin the next page of a range. */
export function keyAfter(key: string): string {
  return `${key}\0`;
}

/** Whether `key` lies in the range. */
export function inRange(key: string, range: KeyRange): boolean {
  return compareKeys(key, range.start) >= 0 && (range.end === END_OF_KEYS || compareKeys(key, range.end) < 0);
}

/**
 * The order of keys: that of their UTF-8 bytes, which SQLite and etcd use. JavaScript's `<` differs where a surrogate
 * pair meets U+E000 to U+FFFF.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const unitA = a.charCodeAt(index);
    const unitB = b.charCodeAt(index);
    if (unitA !== unitB) return codePointRank(unitA) - codePointRank(unitB);
  }
  return a.length - b.length;
}

/** Moves surrogates above U+FFFF, where the code points that they encode belong. */
function codePointRank(unit: number): number {
  return unit >= 0xd8_00 && unit <= 0xdf_ff ? unit + 0x1_00_00 : unit;
}
