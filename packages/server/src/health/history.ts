/** The last `size` things, newest first; a ring, so that a long life costs no copying. */
export class History<T> {
  readonly #size: number;
  readonly #ring: T[] = [];
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  add(item: T): void {
    if (this.#size === 0) return;
    this.#ring[this.#next] = item;
    this.#next = (this.#next + 1) % this.#size;
  }

  newestFirst(): T[] {
    const oldestFirst = [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
    return oldestFirst.toReversed();
  }
}
