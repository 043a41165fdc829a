/** The largest table size: the largest prime below 2^24, so that 64-bit hashes reduce exactly in doubles. */
export const MAX_TABLE_SIZE = 16_777_213;

/** The smallest table size: a permutation needs a skip between 1 and size − 1. */
export const MIN_TABLE_SIZE = 2;

/** Whether `value` is a prime number. Trial division: at most 2,048 steps at {@link MAX_TABLE_SIZE}. */
export function isPrime(value: number): boolean {
  if (!Number.isSafeInteger(value) || value < 2) return false;
  if (value % 2 === 0) return value === 2;
  for (let divisor = 3; divisor * divisor <= value; divisor += 2) {
    if (value % divisor === 0) return false;
  }
  return true;
}

/** The primes next to a number: the number itself on both sides if it is one, `below` absent under 2. */
export interface NearestPrimes {
  readonly below?: number;
  readonly above: number;
}

/** The nearest prime at or below `value` and at or above it. */
export function nearestPrimes(value: number): NearestPrimes {
  let above = Math.max(2, Math.ceil(value));
  while (!isPrime(above)) above++;
  let below = Math.floor(value);
  while (below >= 2 && !isPrime(below)) below--;
  return below >= 2 ? { below, above } : { above };
}

/**
 * Checks a table size.
 * @throws RangeError if it is no prime between {@link MIN_TABLE_SIZE} and {@link MAX_TABLE_SIZE}; the message names
 * the nearest primes
 */
export function checkTableSize(size: number): void {
  if (!Number.isFinite(size) || size < MIN_TABLE_SIZE || size > MAX_TABLE_SIZE) {
    throw new RangeError(
      `Cannot build a Maglev table of size ${size}: the size must be a prime from ${MIN_TABLE_SIZE} to ${MAX_TABLE_SIZE}`,
    );
  }
  if (isPrime(size)) return;
  const { below, above } = nearestPrimes(size);
  throw new RangeError(
    `Cannot build a Maglev table of size ${size}: the size must be a prime, or a permutation would not visit every ` +
      `slot; nearest primes: ${below} and ${above}`,
  );
}

// Primes near powers of two, each about a hundred times the largest backend count it serves (the paper's M > 100 N).
const SIZE_STEPS = [
  { maxBackends: 10, size: 1021 },
  { maxBackends: 160, size: 16_381 },
  { maxBackends: 655, size: 65_537 },
] as const;
const LARGEST_CHOSEN_SIZE = 655_373;

/**
 * The table size for a number of backends that keeps shares within 1 % of each other: 1021 up to 10 backends, 16381
 * up to 160, 65537 up to 655, else 655373. Small by default because the kernel's copy of a table costs about 100
 * bytes a slot.
 */
export function chooseTableSize(backendCount: number): number {
  return SIZE_STEPS.find((step) => backendCount <= step.maxBackends)?.size ?? LARGEST_CHOSEN_SIZE;
}
