import type { Cancel, Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import { type CheckedHealth, type HealthState, observe, unknownHealth } from "./health.ts";
import { History } from "./history.ts";
import type { Probe, ProbeFailure, ProbeResult } from "./probes/probe.ts";
import type { Slots } from "./slots.ts";
import {
  type CheckRecord,
  type CheckResult,
  type HealthReport,
  type HealthTarget,
  isSameSubject,
  type Verdict,
} from "./target.ts";

/** What every watch of a monitor shares. */
export interface WatchContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly slots: Slots;
  readonly probeFor: (target: HealthTarget) => Probe;
  /** Checks remembered per backend. */
  readonly historySize: number;
  readonly onCheck: (result: CheckResult) => void;
  readonly onVerdict: (verdict: Verdict) => void;
}

/** Intervals vary by ±10 %, so that checks that happen to coincide drift apart (HAProxy's spread-checks). */
const JITTER = 0.1;

/** The life of one target's checks. They never overlap: the next is planned when the last has ended. */
export class Watch {
  readonly #context: WatchContext;
  readonly #history: History<CheckRecord>;
  readonly #checks: Record<CheckResult, number> = { passed: 0, failed: 0, inconclusive: 0 };
  #target: HealthTarget;
  #state: HealthState = unknownHealth;
  #reported: CheckedHealth = "UNKNOWN";
  /** Why there is no verdict, while there is none. */
  #unknownReason = "not checked yet";
  #transitions = 0;
  /** When the last check started, on the monotonic clock. */
  #startedMs: number | undefined;
  /** Takes the planned check back: its timer or its place in the line. */
  #cancelPlan: Cancel | undefined;
  #running: AbortController | undefined;
  #stopped = false;

  constructor(target: HealthTarget, context: WatchContext) {
    this.#target = target;
    this.#context = context;
    this.#history = new History(context.historySize);
  }

  get target(): HealthTarget {
    return this.#target;
  }

  /** Plans the first check `delayMs` from now; a target without an address is OFFLINE at once. */
  start(delayMs: number): void {
    if (this.#stopped) return;
    if (this.#target.address === undefined) this.#state = { ...unknownHealth, ...this.#unresolved() };
    this.#reportTransition();
    if (this.#target.address !== undefined && !this.#stopped) this.#plan(delayMs);
  }

  /**
   * Takes over changed settings. State and schedule stay while the subject is the same; else both are dropped.
   *
   * @returns whether {@link start} has to be called again.
   */
  update(target: HealthTarget): boolean {
    const before = this.#target;
    this.#target = target;
    if (!isSameSubject(before, target)) {
      this.#drop();
      this.#state = unknownHealth;
      this.#unknownReason = "changed, not checked yet";
      return true;
    }
    if (target.address === undefined) this.#state = { ...this.#state, ...this.#unresolved() };
    else if (before.check.intervalMs !== target.check.intervalMs) this.#replan();
    return false;
  }

  /** Ends the checks; nothing is reported afterwards. */
  stop(): void {
    this.#stopped = true;
    this.#drop();
  }

  report(): HealthReport {
    const { passes, failures } = this.#state;
    return {
      target: this.#target,
      health: this.#state.health,
      reason: this.#reason(),
      passes,
      failures,
      history: this.#history.newestFirst(),
      checks: { ...this.#checks },
      transitions: this.#transitions,
    };
  }

  #unresolved(): Pick<HealthState, "health" | "lastFailure"> {
    const { host, addressProblem } = this.#target;
    const why = addressProblem === undefined ? "" : `: ${addressProblem}`;
    return { health: "OFFLINE", lastFailure: `name ${host} has no address${why}` };
  }

  #drop(): void {
    this.#cancelPlan?.();
    this.#cancelPlan = undefined;
    this.#running?.abort();
    this.#running = undefined;
    this.#startedMs = undefined;
  }

  #plan(delayMs: number): void {
    this.#cancelPlan = this.#context.clock.after(delayMs, () => {
      // In two steps: `take` may run the check before it returns.
      this.#cancelPlan = undefined;
      const leave = this.#context.slots.take(() => void this.#check());
      if (this.#running === undefined) this.#cancelPlan = leave;
    });
  }

  #planNext(): void {
    const { clock, random } = this.#context;
    const intervalMs = this.#target.check.intervalMs * (1 - JITTER + 2 * JITTER * random());
    this.#plan(Math.max(0, (this.#startedMs ?? clock.nowMs()) + intervalMs - clock.nowMs()));
  }

  /** Fits a planned check to a new interval; a first check and one that runs are let be. */
  #replan(): void {
    if (this.#cancelPlan === undefined || this.#startedMs === undefined) return;
    this.#cancelPlan();
    this.#planNext();
  }

  async #check(): Promise<void> {
    const running = new AbortController();
    this.#running = running;
    this.#cancelPlan = undefined;
    this.#startedMs = this.#context.clock.nowMs();
    const result = await this.#probe(running.signal);
    this.#context.slots.give();
    if (running.signal.aborted) return;
    this.#running = undefined;
    this.#planNext();
    this.#record(result);
  }

  async #probe(signal: AbortSignal): Promise<ProbeResult> {
    const { clock, probeFor } = this.#context;
    const { address = "", port, host, check } = this.#target;
    try {
      return await probeFor(this.#target)({ address, port, host }, check, {
        clock,
        timeoutMs: check.timeoutMs,
        signal,
      });
    } catch (error) {
      return brokenProbe(check.type, error);
    }
  }

  #record(result: ProbeResult): void {
    const kind = kindOf(result);
    this.#checks[kind] += 1;
    const facts = result.passed ? { latencyMs: result.latencyMs } : { reason: result.reason };
    this.#history.add({ atMs: this.#context.clock.epochMs(), result: kind, ...facts });
    if (!result.passed && result.inconclusive === true) this.#unknownReason = result.reason;
    else this.#state = observe(this.#state, result, this.#target.check);
    this.#context.onCheck(kind);
    this.#reportTransition();
  }

  #reason(): string {
    const { health, lastFailure } = this.#state;
    if (health === "UNKNOWN") return this.#unknownReason;
    return health === "ONLINE" ? "" : lastFailure;
  }

  #reportTransition(): void {
    const { health } = this.#state;
    const previous = this.#reported;
    if (health === previous) return;
    this.#reported = health;
    this.#transitions += 1;
    const { poolId, backendId, loadBalancerId } = this.#target;
    const ids = { poolId, backendId, loadBalancerId };
    const atMs = this.#context.clock.epochMs();
    this.#context.onVerdict({ ...ids, target: this.#target, health, previous, reason: this.#reason(), atMs });
  }
}

const kindOf = (result: ProbeResult): CheckResult =>
  result.passed ? "passed" : result.inconclusive === true ? "inconclusive" : "failed";

/** A probe that throws is a defect of ours, not of the backend. */
const brokenProbe = (type: string, error: unknown): ProbeFailure => ({
  passed: false,
  inconclusive: true,
  reason: `${type} check could not be made: ${Error.isError(error) ? error.message : String(error)}`,
});
