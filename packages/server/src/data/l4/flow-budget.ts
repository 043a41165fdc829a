/** Somebody who has flows, each of which takes a socket. */
export interface FlowHolder {
  readonly size: number;
  /** Ends the flow without a datagram for the longest time, and counts that; there is at least one. */
  evictOldest(): void;
}

/**
 * How many flows of datagrams one worker keeps, over all its listeners. Anybody can open flows, with forged addresses
 * even, and each takes a file descriptor and a local port that others need too. When there are as many as may be, the
 * listener with the most flows gives up its oldest: a flood on one listener takes nothing from the others.
 */
export class FlowBudget {
  readonly #limit: number;
  readonly #holders = new Set<FlowHolder>();
  #total = 0;

  /** @param limit flows at once, at least 1. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Flows that are kept now. */
  get total(): number {
    return this.#total;
  }

  /** Makes room if there is none, and takes a place for a flow of this holder. */
  take(holder: FlowHolder): void {
    if (this.#total >= this.#limit) this.evictFor(holder);
    this.#total += 1;
    this.#holders.add(holder);
  }

  /** A flow of this holder has ended. */
  give(holder: FlowHolder): void {
    this.#total -= 1;
    if (holder.size === 0) this.#holders.delete(holder);
  }

  /** Ends one flow, wherever the most are; one of the asking holder's own if it has more than its share. */
  evictFor(holder: FlowHolder): void {
    const isOverShare = holder.size * this.#holders.size >= this.#total;
    const from = isOverShare && holder.size > 0 ? holder : this.#largest();
    from?.evictOldest();
  }

  #largest(): FlowHolder | undefined {
    let largest: FlowHolder | undefined;
    for (const holder of this.#holders) if (holder.size > (largest?.size ?? 0)) largest = holder;
    return largest;
  }
}
