import type { Row } from "./counters.ts";
import type { RejectReason } from "./data-plane.ts";
import { LISTENER_TOTAL, REJECTED } from "./figures.ts";
import type { ListenerAccount } from "./l4/tcp-proxy.ts";
import type { SourceRates } from "./rate/source-rates.ts";

/** A listener's account in its row of the shared table. */
export class ListenerCounter implements ListenerAccount {
  rates: SourceRates | undefined;
  readonly #row: Row;
  readonly #onClose: () => void;

  /** @param onClose called after each connection that ended. */
  constructor(row: Row, onClose: () => void) {
    this.#row = row;
    this.#onClose = onClose;
  }

  /** Exact within one a worker: two workers may look at the same moment. */
  open(limit: number): boolean {
    if (limit > 0 && this.#row.gauge() >= limit) return false;
    this.#row.addToGauge(1);
    this.#row.add(LISTENER_TOTAL.connections, 1);
    return true;
  }

  close(): void {
    this.#row.addToGauge(-1);
    this.#onClose();
  }

  reject(reason: RejectReason): void {
    this.#row.add(REJECTED[reason], 1);
  }

  count(bytesIn: number, bytesOut: number): void {
    if (bytesIn !== 0) this.#row.add(LISTENER_TOTAL.bytesIn, bytesIn);
    if (bytesOut !== 0) this.#row.add(LISTENER_TOTAL.bytesOut, bytesOut);
  }
}
