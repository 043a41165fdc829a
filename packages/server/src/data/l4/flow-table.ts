import type { Cancel, Clock } from "../../clock.ts";

/** A flow of datagrams as the table keeps it; the fields are the table's own. */
export interface TabledFlow<F> {
  /** Who it belongs to. */
  readonly key: string;
  /** Monotonic milliseconds of its last datagram. */
  usedAtMs: number;
  newer: F | undefined;
  older: F | undefined;
}

/** What ends late is late by at most a sixteenth of the timeout. */
const SWEEPS_PER_TIMEOUT = 16;
/** Closing a socket takes microseconds; datagrams must not wait until thousands are closed. */
const MOST_AT_ONCE = 256;
const NEXT_PART_MS = 1;

/**
 * The flows of one listener in one worker, in the order of their last datagrams. With one timeout for all of them the
 * first to expire is always the oldest, so one timer that looks at that end of the list serves them all.
 *
 * A flow is expired one timeout after its last datagram, never earlier and at most a sixteenth later.
 */
export class FlowTable<F extends TabledFlow<F>> {
  readonly #clock: Clock;
  readonly #expire: (flow: F) => void;
  readonly #flows = new Map<string, F>();
  #newest: F | undefined;
  #oldest: F | undefined;
  #timeoutMs: number;
  #cancel: Cancel | undefined;

  /**
   * @param timeoutMs 0 = never.
   * @param expire must end the flow, which {@link remove}s it.
   */
  constructor(clock: Clock, timeoutMs: number, expire: (flow: F) => void) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#expire = expire;
  }

  get size(): number {
    return this.#flows.size;
  }

  /** The flow without a datagram for the longest time. */
  get oldest(): F | undefined {
    return this.#oldest;
  }

  /** Replaces the timeout, also for the flows that are there. */
  set timeoutMs(timeoutMs: number) {
    if (timeoutMs === this.#timeoutMs) return;
    this.#timeoutMs = timeoutMs;
    this.#disarm();
    this.#arm();
  }

  get(key: string): F | undefined {
    return this.#flows.get(key);
  }

  /** All flows; those that end meanwhile are not met any more. */
  values(): IterableIterator<F> {
    return this.#flows.values();
  }

  add(flow: F): void {
    this.#flows.set(flow.key, flow);
    this.#append(flow);
    this.#arm();
  }

  /** It has had a datagram just now. Does nothing to a flow that was removed. */
  touch(flow: F): void {
    if (flow === this.#newest) flow.usedAtMs = this.#clock.nowMs();
    else if (this.#flows.get(flow.key) === flow) {
      this.#unlink(flow);
      this.#append(flow);
    }
  }

  /** @returns whether it was there. */
  remove(flow: F): boolean {
    if (this.#flows.get(flow.key) !== flow) return false;
    this.#flows.delete(flow.key);
    this.#unlink(flow);
    if (this.#flows.size === 0) this.#disarm();
    return true;
  }

  #append(flow: F): void {
    flow.usedAtMs = this.#clock.nowMs();
    flow.older = this.#newest;
    flow.newer = undefined;
    if (this.#newest === undefined) this.#oldest = flow;
    else this.#newest.newer = flow;
    this.#newest = flow;
  }

  #unlink(flow: F): void {
    const { newer, older } = flow;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    flow.newer = undefined;
    flow.older = undefined;
  }

  #arm(atLeastMs = this.#timeoutMs / SWEEPS_PER_TIMEOUT): void {
    if (this.#cancel !== undefined || this.#oldest === undefined || this.#timeoutMs === 0) return;
    const remainingMs = this.#oldest.usedAtMs + this.#timeoutMs - this.#clock.nowMs();
    this.#cancel = this.#clock.after(Math.max(remainingMs, atLeastMs), () => this.#sweep());
  }

  #disarm(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #sweep(): void {
    this.#disarm();
    const idleSinceMs = this.#clock.nowMs() - this.#timeoutMs;
    let ended = 0;
    for (; ended < MOST_AT_ONCE; ended++) {
      const flow = this.#oldest;
      if (flow === undefined || flow.usedAtMs > idleSinceMs) break;
      this.#expire(flow);
    }
    this.#arm(ended === MOST_AT_ONCE ? NEXT_PART_MS : undefined);
  }
}
