/** Sub-ranges of a view as pairs of offsets, in order; neighbours are joined. Reused; grows when it must. */
export class ByteRanges {
  count = 0;
  #offsets = new Int32Array(8);

  clear(): void {
    this.count = 0;
  }

  /** Adds `[start, end)`, which begins where the last range ends or later. Empty ranges are left out. */
  add(start: number, end: number): void {
    if (start === end) return;
    const last = this.count * 2 - 1;
    if (last > 0 && this.#offsets[last] === start) {
      this.#offsets[last] = end;
      return;
    }
    if (last + 1 === this.#offsets.length) this.#grow();
    this.#offsets[last + 1] = start;
    this.#offsets[last + 2] = end;
    this.count++;
  }

  start(index: number): number {
    return this.#offsets[index * 2] as number;
  }

  end(index: number): number {
    return this.#offsets[index * 2 + 1] as number;
  }

  #grow(): void {
    const larger = new Int32Array(this.#offsets.length * 2);
    larger.set(this.#offsets);
    this.#offsets = larger;
  }
}
