/**
 * Addresses of one family as sorted numbers. Finding the first address that is free takes O(log n): in a sorted list
 * without duplicates a stretch has no gap exactly when its values are as far apart as its indices.
 */
export class AddressSet {
  readonly #sorted: bigint[];

  constructor(addresses: Iterable<bigint> = []) {
    this.#sorted = [...new Set(addresses)].toSorted((a, b) => (a < b ? -1 : 1));
  }

  get size(): number {
    return this.#sorted.length;
  }

  has(address: bigint): boolean {
    return this.#sorted[this.#indexOf(address)] === address;
  }

  add(address: bigint): void {
    const index = this.#indexOf(address);
    if (this.#sorted[index] !== address) this.#sorted.splice(index, 0, address);
  }

  delete(address: bigint): void {
    const index = this.#indexOf(address);
    if (this.#sorted[index] === address) this.#sorted.splice(index, 1);
  }

  /** The lowest address from `first` to `last` that is not in the set. */
  firstGap(first: bigint, last: bigint): bigint | undefined {
    if (first > last) return undefined;
    const start = this.#indexOf(first);
    let low = start;
    let high = this.#sorted.length;
    // Invariant: everything before `low` is part of the unbroken run that begins at `first`.
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sorted[middle] === first + BigInt(middle - start)) low = middle + 1;
      else high = middle;
    }
    const gap = first + BigInt(low - start);
    return gap > last ? undefined : gap;
  }

  /** How many addresses of the set lie from `first` to `last`. */
  countWithin(first: bigint, last: bigint): number {
    return first > last ? 0 : this.#indexOf(last + 1n) - this.#indexOf(first);
  }

  /** Index of the first element that is not below `address`. */
  #indexOf(address: bigint): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] as bigint) < address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
