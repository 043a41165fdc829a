/**
 * How long a VIP that comes and goes is kept from being announced again. Pure. Withdrawing is never delayed.
 */

/** What is remembered of a VIP; times are monotonic milliseconds. */
export interface DampingState {
  /** When it was lost, within {@link FLAP_WINDOW_MS}. */
  readonly lossesMs: readonly number[];
  /** Since when it can be served again. */
  readonly ableSinceMs?: number;
}

/** Losses longer ago than this are forgotten. */
export const FLAP_WINDOW_MS = 60_000;
/** For the second loss within the window; doubles with every further one. The first costs nothing. */
export const FIRST_HOLD_MS = 1000;
export const LONGEST_HOLD_MS = 30_000;
/** Beyond these the hold is as long as it gets. */
const MOST_LOSSES = 16;

/** The VIP can't be served any more. */
export function noteLoss({ lossesMs }: DampingState, nowMs: number): DampingState {
  const recent = lossesMs.filter((atMs) => nowMs - atMs < FLAP_WINDOW_MS);
  return { lossesMs: [...recent.slice(-MOST_LOSSES + 1), nowMs] };
}

/** How much longer it has to stay up before it is announced; 0 = not at all. */
export function heldForMs({ lossesMs, ableSinceMs = Number.NEGATIVE_INFINITY }: DampingState, nowMs: number): number {
  const losses = lossesMs.filter((atMs) => ableSinceMs - atMs < FLAP_WINDOW_MS).length;
  if (losses < 2) return 0;
  const holdMs = Math.min(FIRST_HOLD_MS * 2 ** (losses - 2), LONGEST_HOLD_MS);
  return Math.max(0, ableSinceMs + holdMs - nowMs);
}
