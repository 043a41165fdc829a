import type { ListenerUnit, Problem, Unit } from "../snapshot/snapshot.ts";
import { bindProblem, servingProblem } from "./bind-problem.ts";
import type { Admission } from "./listener-gate.ts";
import type { BindFailure } from "./worker-protocol.ts";

/** A change that a worker has not confirmed in time. */
export interface Lag {
  readonly sequence: number;
  readonly loadBalancerIds: readonly string[];
  readonly deadlineMs: number;
}

/** A listener that should be open and is not, in some worker or in all. */
export interface Unbound {
  readonly unit: Unit;
  readonly listener: ListenerUnit;
  readonly isOpenSomewhere: boolean;
}

/** Everything that does not work right now, from whoever noticed it. */
export class Problems {
  /** By load balancer: listeners that workers were not told to open. */
  readonly #held = new Map<string, readonly Problem[]>();
  /** By worker: listeners that it could not open. */
  readonly #failures: (readonly BindFailure[])[];
  readonly #lags = new Map<number, Lag>();
  #taken = "[]";

  /** @param workers how many there are. */
  constructor(workers: number) {
    this.#failures = Array.from({ length: workers }, () => []);
  }

  /** Replaces what is held back of a load balancer. */
  hold(loadBalancerId: string, problems: readonly Problem[]): void {
    if (problems.length > 0) this.#held.set(loadBalancerId, problems);
    else this.#held.delete(loadBalancerId);
  }

  /** Whether telling the workers again may change anything: more is admitted than before, or some had failed. */
  mayHelp({ unit: { loadBalancerId }, problems }: Admission): boolean {
    const held = this.#held.get(loadBalancerId) ?? [];
    return problems.length < held.length || this.#failures.flat().some((one) => one.loadBalancerId === loadBalancerId);
  }

  /** A load balancer has gone. */
  forget(loadBalancerId: string): void {
    this.#held.delete(loadBalancerId);
  }

  /** A worker did not confirm in time. */
  lag(worker: number, lag: Lag): void {
    const { loadBalancerIds = [] } = this.#lags.get(worker) ?? {};
    this.#lags.set(worker, { ...lag, loadBalancerIds: [...new Set([...loadBalancerIds, ...lag.loadBalancerIds])] });
  }

  /** A worker has confirmed; `failures` are all its listeners that aren't open. */
  note(worker: number, said: { readonly sequence: number; readonly failures: readonly BindFailure[] }): void {
    this.#failures[worker] = said.failures;
    const lag = this.#lags.get(worker);
    if (lag !== undefined && lag.sequence <= said.sequence) this.#lags.delete(worker);
  }

  /** Listeners whose endpoint could not be bound; worth another try. */
  unbound(units: ReadonlyMap<string, Unit>): Unbound[] {
    const held = [...this.#held.values()].flat().flatMap(({ loadBalancerId, listenerId = "" }) => {
      const found = find(units, { loadBalancerId, listenerId });
      return found !== undefined ? [{ ...found, isOpenSomewhere: false }] : [];
    });
    const failed = [...this.#failuresByListener(units).values()].map(({ unit, listener, workers }) => ({
      unit,
      listener,
      isOpenSomewhere: workers < this.#failures.length,
    }));
    return [...held, ...failed];
  }

  /** Whether the problems differ from those taken last. */
  haveChanged(units: ReadonlyMap<string, Unit>): boolean {
    return JSON.stringify(this.#all(units)) !== this.#taken;
  }

  /** All problems, to be reported. */
  take(units: ReadonlyMap<string, Unit>): readonly Problem[] {
    const problems = this.#all(units);
    this.#taken = JSON.stringify(problems);
    return problems;
  }

  #all(units: ReadonlyMap<string, Unit>): Problem[] {
    const bind = [...this.#failuresByListener(units).values()].map(({ unit, listener, code, said, workers }) => {
      const problem = said === undefined ? bindProblem(unit, listener, code) : servingProblem(unit, listener, said);
      const total = this.#failures.length;
      if (workers === total) return problem;
      const { isClosed: _, ...open } = problem;
      return { ...open, reason: `${problem.reason} (${workers} of ${total} workers)` };
    });
    const lags = [...this.#lags].flatMap(([worker, { loadBalancerIds, deadlineMs }]) =>
      loadBalancerIds.filter((id) => units.has(id)).map((id) => lagProblem(id, worker, deadlineMs)),
    );
    return [...[...this.#held.values()].flat(), ...bind, ...lags];
  }

  #failuresByListener(units: ReadonlyMap<string, Unit>): Map<string, Failed> {
    const failed = new Map<string, Failed>();
    for (const failure of this.#failures.flat()) {
      const found = find(units, failure);
      if (found === undefined) continue;
      const workers = (failed.get(failure.listenerId)?.workers ?? 0) + 1;
      failed.set(failure.listenerId, { ...found, code: failure.code, said: failure.problem, workers });
    }
    return failed;
  }
}

interface Failed {
  readonly unit: Unit;
  readonly listener: ListenerUnit;
  readonly code: string;
  /** See {@link BindFailure.problem}. */
  readonly said: string | undefined;
  /** In how many workers. */
  readonly workers: number;
}

function find(
  units: ReadonlyMap<string, Unit>,
  { loadBalancerId, listenerId }: { readonly loadBalancerId: string; readonly listenerId: string },
): { readonly unit: Unit; readonly listener: ListenerUnit } | undefined {
  const unit = units.get(loadBalancerId);
  const listener = unit?.listeners.find(({ id }) => id === listenerId);
  return unit === undefined || listener === undefined ? undefined : { unit, listener };
}

function lagProblem(loadBalancerId: string, worker: number, deadlineMs: number): Problem {
  const reason =
    `Data plane worker ${worker} has not confirmed the last change within ${deadlineMs} ms and may still serve the ` +
    "configuration before it; this clears by itself when the worker catches up, restart the node if it doesn't";
  return { loadBalancerId, reason };
}
