import type { PoolUnit } from "../../../snapshot/snapshot.ts";
import type { FlowGroup } from "./flows.ts";

/** How {@link LostBackends} works. */
export interface LostBackendsOptions {
  readonly end: (group: FlowGroup) => void;
  /** Whether new connections may still be sent to a backend. */
  readonly isChosen: (pool: PoolUnit, backendId: string) => boolean;
}

/**
 * Ends the flows of backends that were found down, once the table leads nobody there any more: a flow that ends before
 * would begin anew with the same backend.
 */
export class LostBackends {
  readonly #options: LostBackendsOptions;
  readonly #waiting = new Map<string, { readonly pool: PoolUnit; readonly groups: readonly FlowGroup[] }>();

  constructor(options: LostBackendsOptions) {
    this.#options = options;
  }

  /** A backend is down. @param served all that its load balancer serves */
  add(backendId: string, pool: PoolUnit, served: readonly FlowGroup[]): void {
    const backend = pool.backends.find(({ id }) => id === backendId);
    const groups = served.filter(
      ({ endpoint, address, port }) =>
        address === backend?.address &&
        port === backend.port &&
        // A UDP flow that nobody answers would last as long as the client asks.
        (endpoint.transport === "udp" || pool.onBackendDown === "RESET"),
    );
    if (groups.length > 0) this.#waiting.set(backendId, { pool, groups });
  }

  /** A backend is back, before its flows were ended. */
  remove(backendId: string): void {
    this.#waiting.delete(backendId);
  }

  /** The table is loaded. */
  endWhatIsNotChosen(): void {
    for (const [backendId, { pool, groups }] of this.#waiting) {
      if (this.#options.isChosen(pool, backendId)) continue;
      this.#waiting.delete(backendId);
      for (const group of groups) this.#options.end(group);
    }
  }
}
