/** How many ids that have gone keep their slot, and with it their figures, in case they come back. */
const REMEMBERED = 1024;

/**
 * Which id owns which row of a `CounterTable`. Main thread only.
 *
 * An id that goes is vacated first: it keeps its slot while connections are still counted in it, and for some time
 * after, so that one that comes back (a load balancer switched off and on) goes on counting where it stopped.
 */
export class Slots {
  readonly #slotOf = new Map<string, number>();
  /** Ids that have gone, oldest first. */
  readonly #vacated = new Map<string, number>();
  readonly #inUse: (slot: number) => boolean;
  #free: number[] = [];
  #end = 0;

  /** @param inUse whether connections are counted in a slot right now. */
  constructor(inUse: (slot: number) => boolean) {
    this.#inUse = inUse;
  }

  /** The slot of an id that is in use or remembered. */
  get(id: string): number | undefined {
    return this.#slotOf.get(id) ?? this.#vacated.get(id);
  }

  /**
   * The slot of an id, which it keeps until it is vacated.
   * @param onReuse called with a slot that belonged to another id before it is handed out: to clear it.
   */
  take(id: string, onReuse: (slot: number) => void): number {
    const own = this.#slotOf.get(id);
    if (own !== undefined) return own;
    const slot = this.#vacated.get(id) ?? this.#next(onReuse);
    this.#vacated.delete(id);
    this.#slotOf.set(id, slot);
    return slot;
  }

  /** Lets go of an id; its figures can still be read. Does nothing for an id that has no slot. */
  vacate(id: string): void {
    const slot = this.#slotOf.get(id);
    if (slot === undefined) return;
    this.#slotOf.delete(id);
    this.#vacated.set(id, slot);
    this.#forgetOldest();
  }

  #next(onReuse: (slot: number) => void): number {
    const slot = this.#free.pop();
    if (slot === undefined) return this.#end++;
    onReuse(slot);
    return slot;
  }

  /** One that still has connections keeps its slot however old it is. */
  #forgetOldest(): void {
    let surplus = this.#vacated.size - REMEMBERED;
    for (const [id, slot] of this.#vacated) {
      if (surplus-- <= 0) return;
      if (this.#inUse(slot)) continue;
      this.#vacated.delete(id);
      this.#free.push(slot);
    }
  }
}
