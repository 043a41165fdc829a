/** Options of {@link FlowTable}. */
export interface FlowTableOptions {
  /** The most flows that are remembered; memory for them is reserved at once. 1 – 2^24. */
  readonly capacity: number;
  /** A flow unused for this long is forgotten, in milliseconds. */
  readonly idleTimeoutMs: number;
  /** Current time in milliseconds, monotonic, of any origin. */
  readonly now: () => number;
}

/** What a flow table did since it was made. */
export interface FlowTableCounters {
  readonly hits: number;
  readonly misses: number;
  /** Live flows that were forgotten for lack of room: above 0 the capacity is too small. */
  readonly evicted: number;
  readonly expired: number;
}

const NONE = -1;
const MAX_CAPACITY = 2 ** 24;

/**
 * Remembers which backend a flow went to (§3.3, connection tracking), so that it stays there while tables change.
 * Bounded: at the capacity the least recently used flow gives way; a flow idle for longer than the timeout is gone.
 * Every operation takes constant time, expiry aside, which takes constant time per expired flow.
 */
export class FlowTable<Key, Value> {
  readonly capacity: number;
  readonly idleTimeoutMs: number;
  readonly #now: () => number;
  readonly #places = new Map<Key, number>();
  readonly #keys: (Key | undefined)[];
  readonly #values: (Value | undefined)[];
  readonly #usedAt: Float64Array;
  // A doubly linked list over places, most recently used first; free places are chained through #older.
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  #newest = NONE;
  #oldest = NONE;
  #free = 0;
  #hits = 0;
  #misses = 0;
  #evicted = 0;
  #expired = 0;

  /** @throws RangeError if capacity or timeout is no positive number in range */
  constructor({ capacity, idleTimeoutMs, now }: FlowTableOptions) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > MAX_CAPACITY) {
      throw new RangeError(`Cannot track ${capacity} flows: the capacity is a whole number from 1 to ${MAX_CAPACITY}`);
    }
    if (!(idleTimeoutMs > 0)) {
      throw new RangeError(`Cannot track flows with an idle timeout of ${idleTimeoutMs} ms: it must be above 0`);
    }
    this.capacity = capacity;
    this.idleTimeoutMs = idleTimeoutMs;
    this.#now = now;
    this.#keys = Array.from<Key | undefined>({ length: capacity });
    this.#values = Array.from<Value | undefined>({ length: capacity });
    this.#usedAt = new Float64Array(capacity);
    this.#newer = new Int32Array(capacity);
    this.#older = Int32Array.from({ length: capacity }, (_, place) => (place + 1 < capacity ? place + 1 : NONE));
  }

  /** Flows remembered, idle ones that were not met yet included. */
  get size(): number {
    return this.#places.size;
  }

  get counters(): FlowTableCounters {
    return { hits: this.#hits, misses: this.#misses, evicted: this.#evicted, expired: this.#expired };
  }

  /** The value of a flow, which counts as used now; undefined if it is unknown or was idle for too long. */
  get(key: Key): Value | undefined {
    const now = this.#now();
    const place = this.#livePlace(key, now);
    if (place === NONE) {
      this.#misses++;
      return undefined;
    }
    this.#hits++;
    this.#touch(place, now);
    return this.#values[place];
  }

  /** Remembers a flow, or gives a known one another value; it counts as used now. */
  set(key: Key, value: Value): void {
    const now = this.#now();
    let place = this.#livePlace(key, now);
    if (place === NONE) place = this.#occupy(key, now);
    else this.#touch(place, now);
    this.#values[place] = value;
  }

  /**
   * The value of a flow, chosen and remembered if it has none: the first packet chooses, the later ones follow.
   * A choice of undefined (no backend is usable) is not remembered.
   */
  track<Chosen extends Value | undefined>(key: Key, choose: () => Chosen): Value | Chosen {
    const known = this.get(key);
    if (known !== undefined) return known;
    const chosen = choose();
    if (chosen !== undefined) this.set(key, chosen);
    return chosen;
  }

  /** Forgets a flow; whether it was known. */
  delete(key: Key): boolean {
    const place = this.#places.get(key);
    if (place === undefined) return false;
    this.#release(place);
    return true;
  }

  /** Forgets every flow whose value matches, for example those of a backend that is gone; how many there were. */
  deleteWhere(matches: (value: Value, key: Key) => boolean): number {
    let deleted = 0;
    for (const [key, place] of this.#places) {
      if (!matches(this.#values[place] as Value, key)) continue;
      this.#release(place);
      deleted++;
    }
    return deleted;
  }

  /** Forgets the flows that were idle for too long; how many there were. Call it now and then to free their keys. */
  expire(): number {
    const idleSince = this.#now() - this.idleTimeoutMs;
    let expired = 0;
    while (this.#oldest !== NONE && (this.#usedAt[this.#oldest] as number) <= idleSince) {
      this.#release(this.#oldest);
      expired++;
    }
    this.#expired += expired;
    return expired;
  }

  #livePlace(key: Key, now: number): number {
    const place = this.#places.get(key);
    if (place === undefined) return NONE;
    if (now - (this.#usedAt[place] as number) < this.idleTimeoutMs) return place;
    this.#release(place);
    this.#expired++;
    return NONE;
  }

  #occupy(key: Key, now: number): number {
    if (this.#free === NONE) this.#makeRoom(now);
    const place = this.#free;
    this.#free = this.#older[place] as number;
    this.#keys[place] = key;
    this.#places.set(key, place);
    this.#pushNewest(place, now);
    return place;
  }

  #makeRoom(now: number): void {
    if (now - (this.#usedAt[this.#oldest] as number) < this.idleTimeoutMs) this.#evicted++;
    else this.#expired++;
    this.#release(this.#oldest);
  }

  #release(place: number): void {
    this.#places.delete(this.#keys[place] as Key);
    this.#unlink(place);
    this.#keys[place] = undefined;
    this.#values[place] = undefined;
    this.#older[place] = this.#free;
    this.#free = place;
  }

  #touch(place: number, now: number): void {
    if (place === this.#newest) {
      this.#usedAt[place] = now;
      return;
    }
    this.#unlink(place);
    this.#pushNewest(place, now);
  }

  #pushNewest(place: number, now: number): void {
    this.#usedAt[place] = now;
    this.#newer[place] = NONE;
    this.#older[place] = this.#newest;
    if (this.#newest === NONE) this.#oldest = place;
    else this.#newer[this.#newest] = place;
    this.#newest = place;
  }

  #unlink(place: number): void {
    const newer = this.#newer[place] as number;
    const older = this.#older[place] as number;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
  }
}
