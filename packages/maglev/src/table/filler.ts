import type { SlotArray } from "./slots.ts";

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
function modularInverse(skip: number, modulus: number): number {
  let [remainder, divisor, previous, current] = [modulus, skip, 0, 1];
  while (divisor > 0) {
    const quotient = Math.floor(remainder / divisor);
    [remainder, divisor] = [divisor, remainder - quotient * divisor];
    [previous, current] = [current, previous - quotient * current];
  }
  return previous < 0 ? previous + modulus : previous;
}

/**
 * Fills slots by turns (§3.4, pseudocode 1). One use each.
 *
 * Three things make it about a third faster than the plain loop: what is taken is a bit set, which stays in the
 * first-level cache; a cursor wraps without a branch; and the last √size slots, which take a third of all probes, are
 * found by arithmetic: with the inverse of its skip, a backend's distance to each free slot is one multiplication.
 */
export class Filler {
  /** The slot that each turn took, by turn number. */
  readonly claims: Int32Array;
  readonly #size: number;
  readonly #slots: SlotArray;
  readonly #contenders: Contenders;
  readonly #cursors: Int32Array;
  /** skip − size: a step that wraps when the sum is negative. */
  readonly #steps: Int32Array;
  readonly #taken: Int32Array;
  readonly #searchBelow: number;
  #free: Float64Array | undefined;
  #turn = 0;

  constructor(slots: SlotArray, contenders: Contenders) {
    this.#size = slots.length;
    this.#slots = slots;
    this.#contenders = contenders;
    this.#cursors = contenders.offsets.slice();
    this.#steps = contenders.skips.map((skip) => skip - slots.length);
    this.#taken = new Int32Array((slots.length >> 5) + 1);
    this.#searchBelow = Math.floor(Math.sqrt(slots.length));
    this.claims = new Int32Array(slots.length);
  }

  /** Every contender takes one slot a round until all are taken. */
  fillInTurns(): void {
    this.#walkInTurns();
    this.#searchInTurns();
  }

  /** As {@link fillInTurns}, from the claims of a fill with the same contenders: nothing is searched for. */
  repeat(previousClaims: Int32Array): void {
    const { size, slots, values, claims } = this.#locals();
    claims.set(previousClaims);
    for (let turn = 0, position = 0; turn < size; turn++) {
      slots[claims[turn] as number] = values[position] as number;
      position = position + 1 === values.length ? 0 : position + 1;
    }
  }

  /** Each turn goes to the position that `sequence` holds for it; it is as long as there are slots. */
  fillInSequence(sequence: Int32Array): void {
    const { size, slots, values, cursors, steps, taken, claims } = this.#locals();
    const end = size - this.#searchBelow;
    for (let turn = 0; turn < end; turn++) {
      const position = sequence[turn] as number;
      const step = steps[position] as number;
      let slot = cursors[position] as number;
      while (((taken[slot >> 5] as number) >> slot) & 1) {
        slot += step;
        slot += (slot >> 31) & size;
      }
      taken[slot >> 5] = (taken[slot >> 5] as number) | (1 << slot);
      slots[slot] = values[position] as number;
      claims[turn] = slot;
      slot += step;
      cursors[position] = slot + ((slot >> 31) & size);
    }
    for (this.#turn = end; this.#turn < size;) this.#claimBySearch(sequence[this.#turn] as number);
  }

  /**
   * As {@link fillInTurns}, from the claims of the same contenders without the one at `added`.
   *
   * A further contender only ever takes slots away: at every turn of an old one, all that was taken then is taken
   * now. So nothing that the turn passed over can be free, and it starts at the slot that it took before. Only
   * contenders that lost a slot walk on, until they meet their old slots again.
   */
  fillAfterAdding(added: number, previousClaims: Int32Array): void {
    const { size, slots, values, cursors, steps, taken, claims } = this.#locals();
    const count = cursors.length;
    const end = size - this.#searchBelow;
    // 1 where the cursor counts, because the last slot was not that of the previous fill.
    const displaced = new Uint8Array(count);
    displaced[added] = 1;
    for (let turn = 0, position = 0, old = 0; turn < end; turn++) {
      const previous = position === added ? -1 : (previousClaims[old++] as number);
      let slot = previous;
      if (displaced[position] === 1 || ((taken[slot >> 5] as number) >> slot) & 1) {
        const step = steps[position] as number;
        if (displaced[position] === 1) slot = cursors[position] as number;
        while (((taken[slot >> 5] as number) >> slot) & 1) {
          slot += step;
          slot += (slot >> 31) & size;
        }
        displaced[position] = slot === previous ? 0 : 1;
        const next = slot + step;
        cursors[position] = next + ((next >> 31) & size);
      }
      taken[slot >> 5] = (taken[slot >> 5] as number) | (1 << slot);
      slots[slot] = values[position] as number;
      claims[turn] = slot;
      position = position + 1 === count ? 0 : position + 1;
    }
    this.#resumeCursors({ displaced, end });
    this.#turn = end;
    this.#searchInTurns();
  }

  /** Contenders that took all their previous slots kept no cursor: it stands after the last of these. */
  #resumeCursors({ displaced, end }: { readonly displaced: Uint8Array; readonly end: number }): void {
    const count = displaced.length;
    for (let turn = Math.max(0, end - count); turn < end; turn++) {
      const position = turn % count;
      if (displaced[position] === 1) continue;
      const next = (this.claims[turn] as number) + (this.#steps[position] as number);
      this.#cursors[position] = next + ((next >> 31) & this.#size);
    }
  }

  /** The fields as locals: the hot loops run a third slower over private fields. */
  #locals() {
    return {
      size: this.#size,
      slots: this.#slots,
      values: this.#contenders.values,
      cursors: this.#cursors,
      steps: this.#steps,
      taken: this.#taken,
      claims: this.claims,
    };
  }

  /** Walks until √size slots are left. */
  #walkInTurns(): void {
    const { size, slots, values, cursors, steps, taken, claims } = this.#locals();
    const count = cursors.length;
    const end = size - this.#searchBelow;
    for (let turn = 0, position = 0; turn < end; turn++) {
      let slot = cursors[position] as number;
      const step = steps[position] as number;
      while (((taken[slot >> 5] as number) >> slot) & 1) {
        slot += step;
        slot += (slot >> 31) & size;
      }
      taken[slot >> 5] = (taken[slot >> 5] as number) | (1 << slot);
      slots[slot] = values[position] as number;
      claims[turn] = slot;
      slot += step;
      cursors[position] = slot + ((slot >> 31) & size);
      position = position + 1 === count ? 0 : position + 1;
    }
    this.#turn = end;
  }

  /** Goes on in turns to the last slot. */
  #searchInTurns(): void {
    const count = this.#cursors.length;
    for (let position = this.#turn % count; this.#turn < this.#size; position++) {
      if (position === count) position = 0;
      this.#claimBySearch(position);
    }
  }

  /** Measures the distance from the cursor to each free slot along the preference list and takes the nearest. */
  #claimBySearch(position: number): void {
    const free = (this.#free ??= this.#collectFree());
    const count = this.#size - this.#turn;
    const cursor = this.#cursors[position] as number;
    const inverse = this.#inverseOf(position);
    let nearest = 0;
    let shortest = 2;
    for (let i = 0; i < count; i++) {
      // (slot − cursor) ÷ skip modulo size, as a fraction of size: distances differ by 1 ÷ size, far above rounding.
      const distance = ((free[i] as number) - cursor) * inverse;
      const fraction = distance - Math.floor(distance);
      if (fraction < shortest) {
        shortest = fraction;
        nearest = i;
      }
    }
    const slot = free[nearest] as number;
    free[nearest] = free[count - 1] as number;
    this.#slots[slot] = this.#contenders.values[position] as number;
    this.claims[this.#turn++] = slot;
    const next = slot + (this.#steps[position] as number);
    this.#cursors[position] = next + ((next >> 31) & this.#size);
  }

  #collectFree(): Float64Array {
    const free = new Float64Array(this.#size - this.#turn);
    let count = 0;
    for (const [index, word] of this.#taken.entries()) {
      for (let open = ~word; open !== 0; open &= open - 1) {
        const slot = index * 32 + 31 - Math.clz32(open & -open);
        if (slot < this.#size) free[count++] = slot;
      }
    }
    return free;
  }

  #inverseOf(position: number): number {
    const { inverses, skips } = this.#contenders;
    if (inverses[position] === 0)
      inverses[position] = modularInverse(skips[position] as number, this.#size) / this.#size;
    return inverses[position] as number;
  }
}
