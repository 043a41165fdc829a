/** The backends that take part in a fill, one entry each, in turn order. */
export interface Contenders {
  readonly offsets: Int32Array;
  readonly skips: Int32Array;
  /** Modular inverse of the skip ÷ size, 0 where not computed yet; filled in as needed. */
  readonly inverses: Float64Array;
  /** What a claimed slot is set to. */
  readonly values: Int32Array;
}

/** The number x below `modulus` with `skip × x ≡ 1`, by Euclid's extended algorithm. */
export function modularInverse(skip: number, modulus: number): number {
  let remainder = modulus | 0;
  let divisor = skip | 0;
  let previous = 0;
  let current = 1;
  while (divisor > 0) {
    const quotient = (remainder / divisor) | 0;
    const rest = remainder - quotient * divisor;
    remainder = divisor;
    divisor = rest;
    const next = previous - quotient * current;
    previous = current;
    current = next;
  }
  return previous < 0 ? previous + modulus : previous;
}

/** {@link Contenders.inverses} of one contender, computed if it is missing. */
export function inverseOf({ inverses, skips }: Contenders, position: number, size: number): number {
  if (inverses[position] === 0) inverses[position] = modularInverse(skips[position] as number, size) / size;
  return inverses[position] as number;
}
