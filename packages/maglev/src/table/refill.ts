import type { Contenders } from "./contenders.ts";
import { FreeSlots } from "./free-slots.ts";
import { findInsertions, positionAt } from "./insertions.ts";
import type { Fill, Gain, Insertions } from "./insertions.ts";

/** A slot that is taken earlier than it was claimed before. */
const TAKEN = -1;

/**
 * Above this number of insertions per contender a full fill is faster: each shifts the later claims of whoever lost a
 * slot to it, so that of 65,537 turns two thirds change.
 */
const WORTHWHILE_INSERTIONS = 1.5;

/** What {@link refill} makes of a previous fill. */
export interface Refill {
  /** Whose each turn is now; undefined where every contender has one a round. */
  readonly turns: Int32Array | undefined;
  readonly contenders: Contenders;
  readonly gain: Gain;
}

/**
 * The claims of a fill in which one contender has more turns than in a previous one: slot by slot what a full fill
 * gives, but only the claims that differ are searched for.
 *
 * @returns undefined where a full fill is needed or faster: the turns of the previous fill come in another order, or not
 * all, or so many are inserted that most claims change
 */
export function refill(previous: Fill, { turns, contenders, gain }: Refill): Int32Array | undefined {
  const size = previous.claims.length;
  const end = size - Math.floor(Math.sqrt(size));
  const insertions = findInsertions(previous, turns, { gain, limit: end });
  const count = contenders.offsets.length;
  if (insertions === undefined || insertions.before.length > WORTHWHILE_INSERTIONS * count) return undefined;
  const cascade = new Cascade(previous, insertions, { contenders, gain });
  const claims = cascade.run();
  const free = new FreeSlots(cascade.collectFree(), contenders, size);
  for (let turn = end; turn < size; turn++) claims[turn] = free.take(turns?.[turn] ?? turn % count);
  return claims;
}

/**
 * Inserts turns into a fill. One use.
 *
 * At every turn, only what was free is free, less as many slots as turns have been inserted. So a turn takes its old
 * slot, unless that is taken; then it walks on from there to a slot that was claimed later, whose turn loses it.
 */
class Cascade {
  readonly #previous: Fill;
  readonly #insertions: Insertions;
  readonly #contenders: Contenders;
  readonly #gain: Gain;
  /** For each slot the kept turn that claims it in the previous fill; `kept` if none did, {@link TAKEN} if lost. */
  readonly #claimedAt: Int32Array;
  /** The claims of all turns to come. */
  readonly #claims: Int32Array;
  /** 1 for each kept turn that lost its slot. */
  readonly #lost: Uint8Array;
  /** For each contender the last slot it took in place of a lost one, and the kept turn that lost it then. */
  readonly #taken: Int32Array;
  readonly #takenFrom: Int32Array;
  #nextLost: number;

  constructor(previous: Fill, insertions: Insertions, { contenders, gain }: Omit<Refill, "turns">) {
    this.#previous = previous;
    this.#insertions = insertions;
    this.#contenders = contenders;
    this.#gain = gain;
    this.#claims = spreadClaims(previous.claims, insertions);
    this.#claimedAt = indexClaims(previous.claims, insertions.kept);
    this.#lost = new Uint8Array(insertions.kept);
    this.#nextLost = insertions.kept;
    this.#taken = new Int32Array(contenders.offsets.length);
    this.#takenFrom = new Int32Array(contenders.offsets.length);
  }

  /** The claims of kept and inserted turns, in an array for all turns. */
  run(): Int32Array {
    const { before, kept } = this.#insertions;
    const { position } = this.#gain;
    let cursor = this.#contenders.offsets[position] as number;
    for (const [inserted, turn] of before.entries()) {
      this.#settle(turn, inserted);
      cursor = this.#take(cursor, position, turn);
      this.#claims[turn + inserted] = cursor;
    }
    this.#settle(kept, before.length);
    return this.#claims;
  }

  /** After {@link run}, the slots that no turn has. */
  collectFree(): Float64Array {
    const { kept, before } = this.#insertions;
    const size = this.#claimedAt.length;
    const free = new Float64Array(size - kept - before.length);
    let count = 0;
    // A slot that was free after the kept turns is one that a later turn claimed.
    for (let turn = kept; turn < size; turn++) {
      const slot = this.#previous.claims[turn] as number;
      if (this.#claimedAt[slot] !== TAKEN) free[count++] = slot;
    }
    return free;
  }

  /** Gives new slots to the kept turns below `end` that lost theirs; so many turns are inserted before these. */
  #settle(end: number, inserted: number): void {
    while (this.#nextLost < end) {
      const turn = this.#nextLost;
      this.#claims[turn + inserted] = this.#replace(turn);
      const next = this.#lost.indexOf(1, turn + 1);
      this.#nextLost = next < 0 ? this.#lost.length : next;
    }
  }

  /** The slot of a kept turn that lost its own. */
  #replace(turn: number): number {
    const position = positionAt(this.#previous, turn, this.#gain);
    // What it took since, and was free until this turn, is further down its list than the slot that it lost.
    const isBehind = (this.#takenFrom[position] as number) > turn;
    const start = isBehind ? this.#taken[position] : this.#previous.claims[turn];
    return this.#take(start as number, position, turn + 1);
  }

  /** Walks from a slot to the first that is free before `turn`, and takes it. */
  #take(start: number, position: number, turn: number): number {
    const claimedAt = this.#claimedAt;
    const size = claimedAt.length;
    const step = (this.#contenders.skips[position] as number) - size;
    let slot = start;
    while ((claimedAt[slot] as number) < turn) {
      slot += step;
      slot += (slot >> 31) & size;
    }
    const loser = claimedAt[slot] as number;
    claimedAt[slot] = TAKEN;
    if (loser < this.#lost.length) this.#lost[loser] = 1;
    if (loser < this.#nextLost) this.#nextLost = loser;
    this.#taken[position] = slot;
    this.#takenFrom[position] = loser;
    return slot;
  }
}

/** Copies the claims of kept turns, with gaps for the inserted ones, into an array for all turns. */
function spreadClaims(previous: Int32Array, { kept, before }: Insertions): Int32Array {
  const claims = new Int32Array(previous.length);
  let from = 0;
  for (const [inserted, to] of before.entries()) {
    claims.set(previous.subarray(from, to), from + inserted);
    from = to;
  }
  claims.set(previous.subarray(from, kept), from + before.length);
  return claims;
}

/** For each slot the kept turn that claims it, or `kept` where none does. */
function indexClaims(claims: Int32Array, kept: number): Int32Array {
  const claimedAt = new Int32Array(claims.length);
  for (let turn = 0; turn < kept; turn++) claimedAt[claims[turn] as number] = turn;
  for (let turn = kept; turn < claims.length; turn++) claimedAt[claims[turn] as number] = kept;
  return claimedAt;
}
