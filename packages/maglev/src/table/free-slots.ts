import { inverseOf } from "./contenders.ts";
import type { Contenders } from "./contenders.ts";

/**
 * The last free slots of a fill. A walk to one of k takes size ÷ k probes. With the inverse of a skip, the distance to
 * each of them is one multiplication: less, where k is below √size.
 */
export class FreeSlots {
  readonly #size: number;
  readonly #contenders: Contenders;
  readonly #free: Float64Array;
  #count: number;

  constructor(free: Float64Array, contenders: Contenders, size: number) {
    this.#free = free;
    this.#count = free.length;
    this.#contenders = contenders;
    this.#size = size;
  }

  /** Takes out the slot that this contender prefers. There must be one. */
  take(position: number): number {
    const free = this.#free;
    const count = this.#count;
    const offset = this.#contenders.offsets[position] as number;
    const inverse = inverseOf(this.#contenders, position, this.#size);
    let nearest = 0;
    let shortest = 2;
    for (let i = 0; i < count; i++) {
      // (slot − offset) ÷ skip modulo size, as a fraction of size: these differ by 1 ÷ size, far above rounding.
      const distance = ((free[i] as number) - offset) * inverse;
      const fraction = distance - Math.floor(distance);
      if (fraction < shortest) {
        shortest = fraction;
        nearest = i;
      }
    }
    const slot = free[nearest] as number;
    free[nearest] = free[--this.#count] as number;
    return slot;
  }
}
