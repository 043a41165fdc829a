/**
 * The verdict on one backend, as a pure machine: one result in, the next state out.
 *
 * The first result decides at once, either way, so that traffic flows as soon as a backend is seen to work. After that
 * `rise` passes in a row bring a backend back and `fall` failures in a row take it out; a result in between starts the
 * count anew.
 */

/** What checks say of a backend; UNKNOWN before the first result. */
export type CheckedHealth = "UNKNOWN" | "ONLINE" | "OFFLINE";

export interface HealthState {
  readonly health: CheckedHealth;
  /** Passes in a row up to now; 0 after a failure. */
  readonly passes: number;
  /** Failures in a row up to now; 0 after a pass. */
  readonly failures: number;
  /** Why the last failed check failed, for people; kept after later passes, empty when none has failed. */
  readonly lastFailure: string;
}

/** What one check showed. */
export type Observation = { readonly passed: true } | { readonly passed: false; readonly reason: string };

/** How many results in a row change a verdict; both at least 1. */
export interface Thresholds {
  /** Passes that bring an OFFLINE backend back. */
  readonly rise: number;
  /** Failures that take an ONLINE backend out. */
  readonly fall: number;
}

/** Before any result. */
export const unknownHealth: HealthState = { health: "UNKNOWN", passes: 0, failures: 0, lastFailure: "" };

/** The state after one more result. */
export function observe(state: HealthState, seen: Observation, thresholds: Thresholds): HealthState {
  return seen.passed ? afterPass(state, thresholds.rise) : afterFailure(state, seen.reason, thresholds.fall);
}

function afterPass(state: HealthState, rise: number): HealthState {
  const passes = state.passes + 1;
  const health = state.health !== "OFFLINE" || passes >= rise ? "ONLINE" : "OFFLINE";
  return { health, passes, failures: 0, lastFailure: state.lastFailure };
}

function afterFailure(state: HealthState, reason: string, fall: number): HealthState {
  const failures = state.failures + 1;
  const health = state.health !== "ONLINE" || failures >= fall ? "OFFLINE" : "ONLINE";
  return { health, passes: 0, failures, lastFailure: reason };
}
