/**
 * How long a node may act on its lease. Pure: it is arithmetic with the node's own monotonic clock.
 *
 * The store counts a lease's time from when it receives a keep-alive, which is never before the node sent it. So until
 * `sent + ttl` the store can't have given the lease up. Whoever takes a VIP whose key has vanished waits `GRACE_MS`
 * before acting, so the address of the node before it has to be gone by `sent + ttl + GRACE_MS`, less what the two
 * clocks may differ by in that time. `lastMs` is that moment.
 */

/** Between a claim of a VIP that was not given back by its owner, and acting on it. */
export const GRACE_MS = 200;
/** Two monotonic clocks differ by less than one part in a hundred (NTP slews by one in two thousand). */
const CLOCK_RATE_MARGIN = 0.01;
/**
 * The kernel looks for addresses whose lifetime is over at most once a second, so one of them may live for a second
 * longer than it should: when an address of any interface was added or ended just before.
 */
export const SWEEP_MS = 1000;
/** From reckoning a lifetime until the kernel has it; what took longer is checked afterwards. */
const COMMAND_MS = 50;
/** What taking addresses away may take when the lease was not renewed. */
const REMOVAL_MS = 700;

/** A lease as its holder sees it. */
export interface Tenure {
  /** As granted. */
  readonly ttlMs: number;
  /** When the newest keep-alive that was answered, or the grant, was sent. */
  readonly confirmedAtMs: number;
}

/** The moment by which the address has to be gone, unless another keep-alive is answered. */
export function lastMs({ ttlMs, confirmedAtMs }: Tenure): number {
  return confirmedAtMs + ttlMs + GRACE_MS - ttlMs * CLOCK_RATE_MARGIN;
}

/** When to take the address away by ourselves. The kernel's lifetime is for when we can't. */
export function giveUpAtMs(tenure: Tenure): number {
  return lastMs(tenure) - REMOVAL_MS;
}

/** Whether the VIPs held under this lease may be on the link now. */
export function mayAct(tenure: Tenure | undefined, nowMs: number): boolean {
  return tenure !== undefined && nowMs < giveUpAtMs(tenure);
}

/**
 * For how many whole seconds the kernel may be told to keep an address, so that it is gone in time even if this process
 * never runs again; 0: not at all.
 */
export function lifetimeS(tenure: Tenure, nowMs: number): number {
  return Math.max(0, Math.floor((lastMs(tenure) - SWEEP_MS - COMMAND_MS - nowMs) / 1000));
}

/** Whether a lifetime that began by `doneAtMs` at the latest ends in time. */
export function endsInTime(tenure: Tenure, seconds: number, doneAtMs: number): boolean {
  return doneAtMs + seconds * 1000 + SWEEP_MS <= lastMs(tenure);
}
