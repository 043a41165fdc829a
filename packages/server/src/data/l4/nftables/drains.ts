import type { Cancel, Clock } from "../../../clock.ts";
import { type FlowGroup, flowKey } from "./flows.ts";

/** Flows that the kernel forwards, and how long they may go on when they are no longer wanted. */
export interface ServedFlows extends FlowGroup {
  readonly drainTimeoutMs: number;
}

/** How {@link Drains} ends flows. */
export interface DrainsOptions {
  readonly clock: Clock;
  /** The drain time of these is over. */
  readonly onOver: (group: FlowGroup) => void;
}

/** Lets connections of what left (a backend that is drained or removed, a listener) finish, for the pool's drain time. */
export class Drains {
  readonly #options: DrainsOptions;
  readonly #served = new Map<string, ReadonlyMap<string, ServedFlows>>();
  readonly #ending = new Map<string, Cancel>();

  constructor(options: DrainsOptions) {
    this.#options = options;
  }

  /** How many groups are draining. */
  get pending(): number {
    return this.#ending.size;
  }

  /** What of a load balancer is served from now on. What was before and isn't now drains; what came back no longer does. */
  serve(loadBalancerId: string, groups: readonly ServedFlows[]): void {
    const now = new Map(groups.map((group) => [flowKey(group), group]));
    for (const key of now.keys()) this.#keep(key);
    for (const [key, group] of this.#served.get(loadBalancerId) ?? []) if (!now.has(key)) this.#drain(key, group);
    if (now.size > 0) this.#served.set(loadBalancerId, now);
    else this.#served.delete(loadBalancerId);
  }

  /** Ends nothing any more; connections stay. */
  stop(): void {
    for (const cancel of this.#ending.values()) cancel();
    this.#ending.clear();
  }

  #keep(key: string): void {
    this.#ending.get(key)?.();
    this.#ending.delete(key);
  }

  #drain(key: string, group: ServedFlows): void {
    const cancel = this.#options.clock.after(group.drainTimeoutMs, () => {
      this.#ending.delete(key);
      this.#options.onOver(group);
    });
    this.#ending.set(key, cancel);
  }
}
