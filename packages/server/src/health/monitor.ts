import type { HealthCheckType } from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import { probes as realProbes } from "./probes/by-type.ts";
import type { Probe } from "./probes/probe.ts";
import { Slots } from "./slots.ts";
import type { CheckResult, HealthFigures, HealthReport, HealthTarget, Verdict } from "./target.ts";
import { Watch, type WatchContext } from "./watch.ts";

/** Checks backends and tells when their health changes. */
export interface HealthMonitor {
  /**
   * Checks exactly these targets from now on. New ones get their first check at once (many of them spread over a second
   * at most), removed ones are never heard of again, changed ones keep their state unless address, port or type of check
   * changed: then they start again at UNKNOWN. Applying the same set twice does nothing.
   */
  apply(targets: readonly HealthTarget[]): void;
  /**
   * The same for some load balancers, by id: checks exactly these targets of each, with an empty list none, and goes on
   * with those of all others. What it costs depends on these alone.
   */
  applyTo(targetsOf: ReadonlyMap<string, readonly HealthTarget[]>): void;
  /** What is known about one backend; undefined when it is not checked. */
  report(poolId: string, backendId: string): HealthReport | undefined;
  /** The same for all. */
  reports(): HealthReport[];
  /** Totals since start, with those of targets that are gone. */
  figures(): HealthFigures;
  /** Ends all checks, also those that run; nothing is reported afterwards. */
  stop(): void;
}

export interface HealthMonitorOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Called on every transition; the first verdict is one. Must not throw. */
  readonly onVerdict: (verdict: Verdict) => void;
  /** Checks that run at once, over all backends; further ones wait in line. Default 1000. */
  readonly maxConcurrent?: number;
  /** Checks remembered per backend. Default 10. */
  readonly historySize?: number;
  /** For tests. */
  readonly probes?: Readonly<Record<HealthCheckType, Probe>>;
}

/** So many new targets are checked at once; more are spread evenly, lest thousands of connects share one tick. */
const AT_ONCE = 64;
const MAX_SPREAD_MS = 1000;

/** A monitor that checks nothing yet. */
export const createHealthMonitor = (options: HealthMonitorOptions): HealthMonitor => new Monitor(options);

class Monitor implements HealthMonitor {
  readonly #context: WatchContext;
  readonly #watches = new Map<string, Watch>();
  /** Keys of watches by load balancer. */
  readonly #keysOf = new Map<string, ReadonlySet<string>>();
  readonly #checks: Record<CheckResult, number> = { passed: 0, failed: 0, inconclusive: 0 };
  #transitions = 0;

  constructor(options: HealthMonitorOptions) {
    const probes = options.probes ?? realProbes;
    this.#context = {
      clock: options.clock,
      random: options.random,
      slots: new Slots(options.maxConcurrent ?? 1000),
      probeFor: (target) => probes[target.check.type],
      historySize: options.historySize ?? 10,
      onCheck: (result) => void (this.#checks[result] += 1),
      onVerdict: (verdict) => {
        this.#transitions += 1;
        options.onVerdict(verdict);
      },
    };
  }

  apply(targets: readonly HealthTarget[]): void {
    const wanted = new Map<string, readonly HealthTarget[]>(Map.groupBy(targets, (target) => target.loadBalancerId));
    const gone = [...this.#keysOf.keys()].filter((id) => !wanted.has(id));
    this.applyTo(new Map([...gone.map((id) => [id, []] as const), ...wanted]));
  }

  applyTo(targetsOf: ReadonlyMap<string, readonly HealthTarget[]>): void {
    const starting = [...targetsOf].flatMap(([loadBalancerId, targets]) => this.#replace(loadBalancerId, targets));
    const share = starting.length > AT_ONCE ? 1 / starting.length : 0;
    for (const [index, watch] of starting.entries()) {
      watch.start(index * share * Math.min(watch.target.check.intervalMs, MAX_SPREAD_MS));
    }
  }

  report(poolId: string, backendId: string): HealthReport | undefined {
    return this.#watches.get(keyOf(poolId, backendId))?.report();
  }

  reports(): HealthReport[] {
    return [...this.#watches.values()].map((watch) => watch.report());
  }

  figures(): HealthFigures {
    return { checks: { ...this.#checks }, transitions: this.#transitions };
  }

  stop(): void {
    this.apply([]);
  }

  /** Makes these the watches of a load balancer; answers with those that have to be started. */
  #replace(loadBalancerId: string, targets: readonly HealthTarget[]): Watch[] {
    const wanted = new Map(targets.map((target) => [keyOf(target.poolId, target.backendId), target]));
    for (const key of this.#keysOf.get(loadBalancerId) ?? []) {
      if (wanted.has(key)) continue;
      this.#watches.get(key)?.stop();
      this.#watches.delete(key);
    }
    if (wanted.size > 0) this.#keysOf.set(loadBalancerId, new Set(wanted.keys()));
    else this.#keysOf.delete(loadBalancerId);
    return [...wanted].flatMap(([key, target]) => this.#place(key, target) ?? []);
  }

  /** The watch of a target, if it has to be started. */
  #place(key: string, target: HealthTarget): Watch | undefined {
    const known = this.#watches.get(key);
    if (known !== undefined) return known.update(target) ? known : undefined;
    const watch = new Watch(target, this.#context);
    this.#watches.set(key, watch);
    return watch;
  }
}

const keyOf = (poolId: string, backendId: string): string => `${poolId}/${backendId}`;
