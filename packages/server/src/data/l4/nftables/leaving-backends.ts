import type { Cancel, Clock } from "../../../clock.ts";
import type { PoolUnit } from "../../../snapshot/snapshot.ts";
import { isInService } from "../../rotation.ts";

/** How {@link LeavingBackends} works. */
export interface LeavingBackendsOptions {
  readonly clock: Clock;
  /** The drain time of a backend of this pool is over. */
  readonly onGone: (poolId: string) => void;
}

/** Remembers which backends left a pool, or were taken out of service, until their drain time is over. */
export class LeavingBackends {
  readonly #options: LeavingBackendsOptions;
  readonly #inService = new Map<string, ReadonlySet<string>>();
  readonly #leaving = new Map<string, Map<string, Cancel>>();

  constructor(options: LeavingBackendsOptions) {
    this.#options = options;
  }

  /** A pool as it is from now on. */
  serve(pool: PoolUnit): void {
    const now = new Set(pool.backends.filter(isInService).map(({ address }) => address as string));
    const before = this.#inService.get(pool.id) ?? new Set();
    this.#inService.set(pool.id, now);
    for (const address of now) this.#keep(pool.id, address);
    for (const address of before) if (!now.has(address)) this.#leave(pool, address);
  }

  /** Forgets a pool. */
  remove(poolId: string): void {
    for (const cancel of this.#leaving.get(poolId)?.values() ?? []) cancel();
    this.#leaving.delete(poolId);
    this.#inService.delete(poolId);
  }

  /** Addresses whose drain time is not over. */
  of(poolId: string): readonly string[] {
    return [...(this.#leaving.get(poolId)?.keys() ?? [])];
  }

  /** Ends all waiting. */
  stop(): void {
    for (const poolId of this.#leaving.keys()) this.remove(poolId);
  }

  #keep(poolId: string, address: string): void {
    this.#leaving.get(poolId)?.get(address)?.();
    this.#leaving.get(poolId)?.delete(address);
  }

  #leave({ id, drainTimeoutMs }: PoolUnit, address: string): void {
    if (drainTimeoutMs === 0) return;
    const cancel = this.#options.clock.after(drainTimeoutMs, () => {
      this.#leaving.get(id)?.delete(address);
      this.#options.onGone(id);
    });
    const leaving = this.#leaving.get(id) ?? new Map<string, Cancel>();
    this.#leaving.set(id, leaving.set(address, cancel));
  }
}
