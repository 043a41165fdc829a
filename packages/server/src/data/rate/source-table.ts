/**
 * When each source may come again, in memory that all workers share: a limit is per source, whatever worker its
 * connections come to.
 *
 * The generic cell rate algorithm (ITU-T I.371): of each source one moment is kept, up to which it has used up its rate.
 * The table has a fixed size; a source lies in one of the four slots of its bucket, and one that finds them taken has the
 * place of the one that is nearest to being forgiven. Counting is exact over workers, but for moments in which sources
 * push each other out of a bucket, or a sweep comes.
 */
import { hashSource, sourceHash } from "./source-hash.ts";

/** Sources that are remembered, for one limit of one listener. */
export const MAX_SOURCES = 65_536;
const WAYS = 4;
const BUCKETS = MAX_SOURCES / WAYS;
const US_PER_S = 1_000_000;
/** What is over must be gone before the clock of 32 bits comes round, after 71 minutes. */
const SWEEP_EVERY_US = 600 * US_PER_S;

/** Words at the beginning. */
const SEED = 0;
/** 0 = not yet. */
const SWEPT_AT = 1;
const FORGOTTEN = 2;
const HEADER_WORDS = 4;
/** Of a slot: who, and the moment up to which its rate is used. */
const SLOT_WORDS = 2;

/** The sources of one limit, in shared memory. */
export class SourceTable {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array<SharedArrayBuffer>;

  private constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  /** @param seed by chance: nobody outside may know it. */
  static create(seed: number): SourceTable {
    const table = new SourceTable(
      new SharedArrayBuffer((HEADER_WORDS + MAX_SOURCES * SLOT_WORDS) * Int32Array.BYTES_PER_ELEMENT),
    );
    table.#words[SEED] = seed;
    return table;
  }

  /** The same table, seen from another thread. */
  static open(memory: SharedArrayBuffer): SourceTable {
    return new SourceTable(memory);
  }

  /** Sources that had to go before their time: the table is too small for what comes. Wraps around. */
  get forgotten(): number {
    return Atomics.load(this.#words, FORGOTTEN) >>> 0;
  }

  /**
   * Whether a source may come now; if so, that is counted.
   * @param ratePerS at least 1; so many may come at once after a second of silence.
   * @param epochMs wall-clock time, because it is the same in all threads. One that jumps only makes a new beginning.
   */
  admits(address: string, ratePerS: number, epochMs: number): boolean {
    const nowUs = (epochMs * 1000) | 0;
    this.#sweepAtTimes(nowUs);
    hashSource(address, this.#words[SEED] as number);
    return this.#charge(this.#find(nowUs), Math.max(1, Math.round(US_PER_S / ratePerS)), nowUs);
  }

  #charge(slot: number, intervalUs: number, nowUs: number): boolean {
    const words = this.#words;
    for (;;) {
      const used = Atomics.load(words, slot + 1);
      const debtUs = debtOf(used, nowUs);
      if (debtUs > US_PER_S - intervalUs) return false;
      const next = (nowUs + debtUs + intervalUs) | 0;
      if (Atomics.compareExchange(words, slot + 1, used, next) === used) return true;
    }
  }

  /** The slot of the source in {@link sourceHash}, taken for it if it has none. */
  #find(nowUs: number): number {
    const words = this.#words;
    const { tag } = sourceHash;
    const first = HEADER_WORDS + (sourceHash.place % BUCKETS) * WAYS * SLOT_WORDS;
    for (;;) {
      let place = first;
      let ownerThere = 0;
      let usedThere = 0;
      let leastDebtUs = Infinity;
      for (let way = 0, slot = first; way < WAYS; way++, slot += SLOT_WORDS) {
        // In this order: what a new owner uses from now on must not be taken for what the old one left.
        const used = Atomics.load(words, slot + 1);
        const owner = Atomics.load(words, slot);
        if (owner === tag) return slot;
        const debtUs = owner === 0 ? -1 : debtOf(used, nowUs);
        if (debtUs >= leastDebtUs) continue;
        place = slot;
        ownerThere = owner;
        usedThere = used;
        leastDebtUs = debtUs;
      }
      // Whoever is beaten by another worker looks again: that one may have come for the same source.
      if (Atomics.compareExchange(words, place + 1, usedThere, nowUs) !== usedThere) continue;
      if (Atomics.compareExchange(words, place, ownerThere, tag) !== ownerThere) continue;
      if (leastDebtUs > 0) Atomics.add(words, FORGOTTEN, 1);
      return place;
    }
  }

  /** Frees what is over. Whichever worker is the first to see that it is time does it: a fifth of a millisecond. */
  #sweepAtTimes(nowUs: number): void {
    const words = this.#words;
    const sweptAt = Atomics.load(words, SWEPT_AT);
    if (Math.abs((nowUs - sweptAt) | 0) < SWEEP_EVERY_US && sweptAt !== 0) return;
    if (Atomics.compareExchange(words, SWEPT_AT, sweptAt, nowUs | 1) !== sweptAt || sweptAt === 0) return;
    for (let slot = HEADER_WORDS; slot < words.length; slot += SLOT_WORDS) {
      const owner = Atomics.load(words, slot);
      if (owner !== 0 && debtOf(Atomics.load(words, slot + 1), nowUs) === 0) {
        Atomics.compareExchange(words, slot, owner, 0);
      }
    }
  }
}

/** What a source has used of the time to come. More than there can be is from a clock that was put back: nothing. */
function debtOf(used: number, nowUs: number): number {
  const debtUs = (used - nowUs) | 0;
  return debtUs > 0 && debtUs <= US_PER_S ? debtUs : 0;
}
