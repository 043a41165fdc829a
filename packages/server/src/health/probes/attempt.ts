import { failureOf, type Phase, timeoutReason } from "./failure.ts";
import type { ProbeContext, ProbeResult, ProbeTarget } from "./probe.ts";

/** What a probe reports to while it runs. Only the first verdict counts, so late events need no guard. */
export interface Attempt {
  /** What the probe waits for; names what is missing when time is up. */
  awaiting: Phase;
  /** True: hearing nothing until the time is up is a pass. */
  silencePasses: boolean;
  pass(): void;
  fail(reason: string): void;
  /** Fails with an explanation of a socket's, TLS's or parser's error. */
  error(error: unknown): void;
}

/** Closes everything that a probe has opened. Called once, whatever the verdict. */
export type Release = () => void;

/** A timer that comes later shows that this process stood still, and that the silence may be its own. */
const MAX_LATE_MS = 250;

/**
 * The frame around every probe: deadline, cancellation, one verdict, release of all sockets on every path.
 *
 * @param start opens sockets, wires their events to the attempt, and answers how to close them. It may throw.
 */
export function attempt(
  target: ProbeTarget,
  context: ProbeContext,
  start: (attempt: Attempt) => Release,
): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const running = new RunningAttempt(target, context, resolve);
    running.begin(start);
  });
}

class RunningAttempt implements Attempt {
  awaiting: Phase = "connection";
  silencePasses = false;
  readonly #target: ProbeTarget;
  readonly #context: ProbeContext;
  readonly #resolve: (result: ProbeResult) => void;
  readonly #startedMs: number;
  #stopWaiting: () => void = () => {};
  #release: Release | undefined;
  #settled = false;

  constructor(target: ProbeTarget, context: ProbeContext, resolve: (result: ProbeResult) => void) {
    this.#target = target;
    this.#context = context;
    this.#resolve = resolve;
    this.#startedMs = context.clock.nowMs();
  }

  begin(start: (attempt: Attempt) => Release): void {
    const { clock, timeoutMs, signal } = this.#context;
    const abort = (): void => this.#settle({ passed: false, reason: "check cancelled", inconclusive: true });
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    // After a stall of our own, timers run before the sockets are read: what has come meanwhile gets its turn first.
    let cancelTimeout = clock.after(timeoutMs, () => {
      cancelTimeout = clock.after(0, () => this.#timeOut());
    });
    this.#stopWaiting = () => {
      cancelTimeout();
      signal.removeEventListener("abort", abort);
    };
    this.#open(start);
  }

  pass(): void {
    this.#settle({ passed: true, latencyMs: this.#context.clock.nowMs() - this.#startedMs });
  }

  fail(reason: string): void {
    this.#settle({ passed: false, reason });
  }

  error(error: unknown): void {
    this.#settle(failureOf(error, this.#target, this.awaiting));
  }

  #open(start: (attempt: Attempt) => Release): void {
    try {
      const release = start(this);
      // The verdict may have come before there was anything to release.
      if (this.#settled) release();
      else this.#release = release;
    } catch (error) {
      this.error(error);
    }
  }

  #timeOut(): void {
    const { clock, timeoutMs } = this.#context;
    const lateMs = Math.round(clock.nowMs() - this.#startedMs - timeoutMs);
    if (this.silencePasses) return this.pass();
    if (lateMs <= MAX_LATE_MS) return this.fail(timeoutReason(this.#target, this.awaiting, timeoutMs));
    const reason = `cannot check from here: this process was too busy, its timer came ${lateMs} ms late`;
    this.#settle({ passed: false, reason, inconclusive: true });
  }

  #settle(result: ProbeResult): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#stopWaiting();
    this.#release?.();
    this.#resolve(result);
  }
}
