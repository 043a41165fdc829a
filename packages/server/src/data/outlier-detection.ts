/**
 * Passive health checking: which backend may be left out because it fails real traffic, and for how long. The rules are
 * those of Envoy's outlier detection with consecutive errors. Pure.
 */
import type { OutlierUnit } from "../snapshot/snapshot.ts";

/** Ejections in a row take longer and longer, up to this; or as long as one does, if that is more. */
export const LONGEST_EJECTION_MS = 300_000;

/** A backend that is in service: enabled, with a weight and an address. */
export interface OutlierCandidate {
  readonly id: string;
  /** As health checks see it. */
  readonly isHealthy: boolean;
  readonly isEjected: boolean;
}

/** What becomes of a backend that has failed often enough; everything but `eject` leaves it where it is. */
export type EjectionDecision = "eject" | "not-serving" | "too-many-ejected" | "last-one";

/**
 * Decides on a backend that has failed often enough in a row. Always one may be ejected; of more, not more than the pool's
 * share; and never the last one that serves.
 */
export function decideEjection(
  backendId: string,
  pool: readonly OutlierCandidate[],
  { maxEjectedPercent }: Pick<OutlierUnit, "maxEjectedPercent">,
): EjectionDecision {
  const serving = pool.filter(({ isHealthy, isEjected }) => isHealthy && !isEjected);
  if (!serving.some(({ id }) => id === backendId)) return "not-serving";
  if (serving.length === 1) return "last-one";
  const ejected = pool.filter(({ isEjected }) => isEjected).length;
  const isOverShare = (ejected + 1) * 100 > maxEjectedPercent * pool.length;
  return ejected > 0 && isOverShare ? "too-many-ejected" : "eject";
}

/** How often a backend was ejected lately. */
export interface EjectionHistory {
  /** In a row. */
  readonly times: number;
  /** Monotonic milliseconds at which the last one ended. */
  readonly endedAtMs: number;
}

/**
 * The number of the next ejection in a row: each time as long as an ejection that it has served since the last one takes
 * one from the row.
 */
export function nextInRow(
  history: EjectionHistory | undefined,
  { ejectionMs, nowMs }: { readonly ejectionMs: number; readonly nowMs: number },
): number {
  if (history === undefined) return 1;
  const forgiven = Math.floor((nowMs - history.endedAtMs) / ejectionMs);
  return Math.max(0, history.times - forgiven) + 1;
}

/** How long the ejection of that number in a row takes. */
export function ejectionTimeMs(ejectionMs: number, numberInRow: number): number {
  return Math.min(ejectionMs * numberInRow, Math.max(LONGEST_EJECTION_MS, ejectionMs));
}
