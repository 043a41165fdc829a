import { describeError, type FiberlbClient } from "@fiberlb/api";

import { type Cancel, type Clock, delay, systemClock } from "./clock.ts";
import { failureOf } from "./failure.ts";
import type { Log } from "./log.ts";
import { describeKey, keyText, type ObjectKey, type Tenant } from "./objects.ts";
import { ownerOf } from "./ownership.ts";
import { type Random, systemRandom } from "./random.ts";
import { type Outcome, Reconciler } from "./reconciler.ts";
import type { ServiceSource } from "./source.ts";
import { describeSweep, sweep, type Sweep } from "./sweep.ts";
import { type RunResult, WorkQueue } from "./work-queue.ts";

/** How a controller behaves. */
export interface ControllerSettings {
  /** Tells the load balancers of controllers that share a FiberLB apart. Never change it: what was made under another name is not touched. Default `default`. */
  readonly clusterName?: string;
  /** Serves Services of this class, beside those that name none. Default `fiberlb.io/fiberlb`. */
  readonly loadBalancerClass?: string;
  /** Time between looks at everything. Default 10000. */
  readonly resyncIntervalMs?: number;
  /** Services worked on at once. Default 8. */
  readonly concurrency?: number;
  /** Pause after a first failure of a Service, and the longest one. Default 200 and 30000. */
  readonly retryMs?: { readonly min: number; readonly max: number };
  /** Tenants to look for load balancers of, beside those that Services belong to: what a tenant without Services left behind. */
  readonly tenants?: readonly Tenant[];
  /** Called after each run, for metrics. */
  readonly onReconciled?: (run: {
    readonly key: ObjectKey;
    readonly result: Outcome["result"];
    readonly seconds: number;
  }) => void;
}

/** What a controller is made of. */
export interface ControllerOptions {
  readonly source: ServiceSource;
  /** Its credentials must allow to act for the tenants of all Services. Stays its owner's: `stop` leaves it open. */
  readonly fiberlb: FiberlbClient;
  /** Default: the machine's own. */
  readonly clock?: Clock;
  /** Default: the machine's own. */
  readonly random?: Random;
  /** Default: says nothing. */
  readonly logger?: Log;
  readonly options?: ControllerSettings;
}

/** Keeps FiberLB as the Services of a host want it. */
export interface Controller {
  /** Follows changes and looks at everything now and again. Returns at once. */
  start(): void;
  /** Ends calls that are under way and resolves when nothing runs any more. What was begun goes on with the next start. */
  stop(): Promise<void>;
  /** Looks at one Service and does what has to be done, once. Never rejects. */
  reconcile(key: ObjectKey): Promise<Outcome>;
  /** Looks at everything once, and resolves when each Service that something was due for has been tried. */
  reconcileAll(): Promise<Sweep>;
}

const DEFAULTS = {
  clusterName: "default",
  loadBalancerClass: "fiberlb.io/fiberlb",
  resyncIntervalMs: 10_000,
  concurrency: 8,
  retryMs: { min: 200, max: 30_000 },
  tenants: [],
  onReconciled: () => undefined,
} as const satisfies ControllerSettings;

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };
/** Pause before a watch that ended, or a look that failed, is begun again. */
const RESTART_MS = 1000;

/** Puts a controller together; nothing runs before `start`. */
export function createController(options: ControllerOptions): Controller {
  return new ServiceController(options);
}

class ServiceController implements Controller {
  readonly #settings: Required<ControllerSettings>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #ending = new AbortController();
  readonly #reconciler: Reconciler;
  readonly #queue: WorkQueue<ObjectKey>;
  #loops: Promise<void>[] = [];
  #cancelPause: Cancel | undefined;

  constructor({ source, fiberlb, clock, random, logger, options }: ControllerOptions) {
    this.#settings = { ...DEFAULTS, ...options };
    this.#clock = clock ?? systemClock;
    this.#random = random ?? systemRandom;
    this.#log = logger ?? SILENT;
    const { clusterName, loadBalancerClass, concurrency, retryMs } = this.#settings;
    this.#reconciler = new Reconciler({
      source,
      fiberlb,
      owner: ownerOf(clusterName),
      loadBalancerClass,
      uuid: () => this.#random.uuid(),
      signal: this.#ending.signal,
    });
    this.#queue = new WorkQueue({
      clock: this.#clock,
      fraction: () => this.#random.fraction(),
      concurrency,
      retryMs,
      textOf: keyText,
      run: (key) => this.#run(key),
    });
  }

  start(): void {
    if (this.#loops.length > 0) return;
    this.#loops = [this.#follow(), this.#sweepForever()];
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    this.#cancelPause?.();
    await Promise.all([this.#queue.stop(), ...this.#loops]);
  }

  reconcile(key: ObjectKey): Promise<Outcome> {
    return this.#reconciler.reconcile(key);
  }

  async reconcileAll(): Promise<Sweep> {
    const found = await this.#sweep();
    await this.#queue.idle();
    return found;
  }

  async #run(key: ObjectKey): Promise<RunResult> {
    const startMs = this.#clock.nowMs();
    const outcome = await this.#reconciler.reconcile(key);
    const seconds = (this.#clock.nowMs() - startMs) / 1000;
    if (this.#ending.signal.aborted) return { kind: "done" };
    this.#settings.onReconciled({ key, result: outcome.result, seconds });
    this.#tell(key, outcome);
    if (outcome.result === "failed") return { kind: "failed" };
    return { kind: outcome.result === "waiting" ? "wait" : "done" };
  }

  #tell(key: ObjectKey, { result, operations, failure }: Outcome): void {
    const fields = { service: describeKey(key), org: key.orgId, project: key.projectId };
    if (failure !== undefined) {
      const { reason, message } = failure;
      this.#log.warn("service not reconciled", { ...fields, reason, message });
    } else if (operations > 0) {
      this.#log.info("service reconciled", { ...fields, operations, result });
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      try {
        for await (const key of this.#reconciler.options.source.watch(signal)) this.#queue.add(key);
        if (!signal.aborted) this.#log.debug("watch of Services ended; beginning it again");
      } catch (error) {
        if (!signal.aborted)
          this.#log.warn("watch of Services failed; beginning it again", { error: describeError(error) });
      }
      await this.#pause(RESTART_MS);
    }
  }

  async #sweepForever(): Promise<void> {
    const { signal } = this.#ending;
    let wasLost = false;
    while (!signal.aborted) {
      const isLost = !(await this.#trySweep());
      // What failed meanwhile need not wait until the end of its pause.
      if (wasLost && !isLost) this.#queue.retryAll();
      wasLost = isLost;
      await this.#pause(isLost ? RESTART_MS : this.#settings.resyncIntervalMs);
    }
  }

  async #trySweep(): Promise<boolean> {
    try {
      const { failures } = await this.#sweep();
      return failures.length === 0;
    } catch (error) {
      if (!this.#ending.signal.aborted)
        this.#log.warn("Services not listed; trying again", { error: describeError(error) });
      return false;
    }
  }

  async #sweep(): Promise<Sweep> {
    const found = await sweep(this.#reconciler, this.#settings.tenants);
    for (const { tenant, error } of found.failures) {
      if (this.#ending.signal.aborted) break;
      const { orgId: org, projectId: project } = tenant;
      this.#log.warn("load balancers of a tenant not listed; trying again", {
        org,
        project,
        error: failureOf(error).message,
      });
    }
    if (found.due.length > 0) this.#log.debug("looked at all Services", describeSweep(found));
    for (const key of found.due) this.#queue.suggest(key);
    return found;
  }

  /** Up to a tenth longer, so that controllers that began together don't stay together. */
  #pause(pauseMs: number): Promise<void> {
    return delay(this.#clock, pauseMs * (1 + this.#random.fraction() / 10), this.#ending.signal);
  }
}
