import type { HealthCheckType } from "@fiberlb/types";

import type { CheckedHealth } from "./health.ts";
import type { ProbeOptions } from "./probes/probe.ts";

/** One backend of one pool, to be checked. */
export interface HealthTarget {
  readonly poolId: string;
  readonly backendId: string;
  readonly loadBalancerId: string;
  readonly poolName: string;
  readonly backendName: string;
  readonly loadBalancerName: string;
  /** The backend as the user wrote it: an IP address or a DNS name. */
  readonly host: string;
  /** Where to knock: canonical IP text. Absent while a DNS name has no answer: the backend is OFFLINE. */
  readonly address?: string;
  /** Why there is no address. */
  readonly addressProblem?: string;
  readonly port: number;
  readonly check: HealthCheckSettings;
}

/** How and how often; effective values, no defaults are added here. */
export interface HealthCheckSettings extends ProbeOptions {
  readonly type: HealthCheckType;
  /** From the start of one check to the start of the next. */
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly rise: number;
  readonly fall: number;
}

/** A backend's health has changed. */
export interface Verdict {
  readonly poolId: string;
  readonly backendId: string;
  readonly loadBalancerId: string;
  readonly target: HealthTarget;
  readonly health: CheckedHealth;
  readonly previous: CheckedHealth;
  /** For people: why OFFLINE or UNKNOWN; empty when ONLINE. */
  readonly reason: string;
  /** Wall clock, milliseconds since 1970. */
  readonly atMs: number;
}

/** One check that was made. */
export interface CheckRecord {
  /** Wall clock when it ended, milliseconds since 1970. */
  readonly atMs: number;
  readonly result: CheckResult;
  /** Set when it passed. */
  readonly latencyMs?: number;
  /** Set when it did not pass. */
  readonly reason?: string;
}

/** Values of the label `result` of `fiberlb_health_checks_total`; inconclusive ones don't count for or against. */
export type CheckResult = "passed" | "failed" | "inconclusive";

/** Checks made and verdicts changed. */
export interface HealthFigures {
  readonly checks: Readonly<Record<CheckResult, number>>;
  readonly transitions: number;
}

/** All that is known about a backend's health, for `describe` and metrics. */
export interface HealthReport extends HealthFigures {
  readonly target: HealthTarget;
  readonly health: CheckedHealth;
  /** Current, also when it changed without a transition. */
  readonly reason: string;
  /** Passes in a row, failures in a row; one of them is 0. */
  readonly passes: number;
  readonly failures: number;
  /** The last checks, newest first. */
  readonly history: readonly CheckRecord[];
}

/** Whether two targets are checked at the same place in the same way, so that a verdict on one holds for the other. */
export const isSameSubject = (a: HealthTarget, b: HealthTarget): boolean =>
  a.address === b.address && a.port === b.port && a.check.type === b.check.type;
