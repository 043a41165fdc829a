import type { BackendHealth, MaglevTableUnit, Problem, Snapshot, Unit, Units } from "../snapshot/snapshot.ts";
import type { ApplyReport, BackendFigures, DataPlane, DrainOptions, ListenerFigures } from "./data-plane.ts";
import { type Assignment, servedByKernel } from "./l4/nftables/assignment.ts";
import type { KernelForwarder } from "./l4/nftables/forwarder.ts";
import type { KernelFigures } from "./l4/nftables/kernel-figures.ts";

/** What {@link KernelDataPlane} is made of. */
export interface KernelDataPlaneParts {
  /** Serves what the kernel doesn't. */
  readonly workers: DataPlane;
  readonly forwarder: KernelForwarder;
  readonly figures: KernelFigures;
  /** What the kernel can do, as it says when it is asked. */
  readonly probe: () => Promise<readonly string[]>;
  /** Called when the problems change without an `apply`. */
  readonly onReport: (report: ApplyReport) => void;
  /** Whether the table leaves the kernel when this stops. Otherwise traffic goes on without this process. */
  readonly removeOnStop: boolean;
}

const EMPTY: Snapshot = { revision: 0, units: new Map() };

/** A data plane of two halves: listeners that the kernel can serve are its own, workers serve the others. */
export class KernelDataPlane implements DataPlane {
  readonly #parts: KernelDataPlaneParts;
  #snapshot = EMPTY;
  #assignments: ReadonlyMap<string, Assignment> = new Map();
  #isStopping = false;
  /** The end of what is under way: one change is made after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: KernelDataPlaneParts) {
    this.#parts = parts;
  }

  get workerLosses(): number {
    return this.#parts.workers.workerLosses;
  }

  start(): Promise<void> {
    return this.#parts.workers.start();
  }

  apply(snapshot: Snapshot): Promise<ApplyReport> {
    return this.#after(() => this.#settle(snapshot));
  }

  /** Decides anew who serves what of the last snapshot. */
  async resettle(): Promise<void> {
    if (this.#isStopping || this.#snapshot === EMPTY) return;
    const report = await this.#after(() => this.#settle(this.#snapshot));
    this.#parts.onReport(report);
  }

  /** What the workers said of themselves, with what there is to say of the kernel. */
  complete(report: ApplyReport): ApplyReport {
    const served = [...this.#assignments].map(([id, one]) => [id, servedByKernel(one)] as const);
    const inKernel = new Map(served.filter(([, listeners]) => listeners.size > 0));
    return { ...report, problems: [...report.problems, ...this.#problems()], inKernel };
  }

  setHealth(backendId: string, health: BackendHealth): void {
    this.#parts.workers.setHealth(backendId, health);
    this.#parts.forwarder.setHealth(backendId, health);
  }

  setTable(table: MaglevTableUnit): void {
    this.#parts.workers.setTable(table);
    this.#parts.forwarder.setTable(table);
  }

  listenerFigures(listenerId: string): ListenerFigures {
    return this.#parts.figures.ofListener(listenerId, this.#parts.workers.listenerFigures(listenerId));
  }

  backendFigures(backendId: string): BackendFigures {
    return this.#parts.figures.ofBackend(backendId, this.#parts.workers.backendFigures(backendId));
  }

  conntrackEntries(): ReadonlyMap<string, number> {
    return this.#parts.figures.conntrackEntries;
  }

  refreshFigures(): Promise<void> {
    return this.#parts.figures.refresh();
  }

  capabilities(): Promise<readonly string[]> {
    return this.#parts.probe();
  }

  vipsThatStay(): ReadonlySet<string> {
    if (this.#parts.removeOnStop) return new Set();
    const served = [...this.#assignments.values()].filter((one) => servedByKernel(one).size > 0);
    return new Set(served.map(({ unit }) => unit.vip));
  }

  async leaveKernel(): Promise<void> {
    await this.#last;
    await this.#parts.forwarder.leave();
  }

  reclaimKernel(): Promise<void> {
    return this.#parts.forwarder.reclaim();
  }

  async stop(options: DrainOptions): Promise<void> {
    this.#isStopping = true;
    await this.#parts.workers.stop(options);
    await this.#last;
    await this.#parts.forwarder.stop({ remove: this.#parts.removeOnStop });
  }

  async #settle(snapshot: Snapshot): Promise<ApplyReport> {
    let assignments = this.#parts.forwarder.decide(snapshot.units);
    let { report, isLoaded } = await this.#change(snapshot, assignments);
    if (!isLoaded) {
      assignments = this.#parts.forwarder.decide(snapshot.units);
      // What the kernel refuses once more stays with user space.
      ({ report } = await this.#change(snapshot, assignments));
    }
    this.#assignments = assignments;
    this.#snapshot = snapshot;
    this.#parts.figures.serve(
      [...assignments.values()].map((one) => ({ unit: one.unit, inKernel: servedByKernel(one) })),
    );
    return this.complete(report);
  }

  /** A listener that changes sides is served by both for a moment, and never by none. */
  async #change(
    snapshot: Snapshot,
    assignments: ReadonlyMap<string, Assignment>,
  ): Promise<{ readonly report: ApplyReport; readonly isLoaded: boolean }> {
    const { workers, forwarder } = this.#parts;
    const rest = inUserSpace(snapshot, assignments);
    const moves = forwarder.moves(assignments);
    if (!moves.out && !moves.in) {
      // Nobody waits for the other half: loading thousands of listeners takes the kernel seconds.
      const [report, isLoaded] = await Promise.all([workers.apply(rest), forwarder.load(assignments)]);
      return { report, isLoaded };
    }
    if (moves.out) await workers.apply(rest);
    const isLoaded = await forwarder.load(assignments);
    return { report: await workers.apply(rest), isLoaded };
  }

  #problems(): Problem[] {
    return [...this.#assignments.values()].flatMap(({ problems }) => problems);
  }

  #after<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

/** The snapshot without what the kernel serves; the very same when it serves nothing. */
function inUserSpace(snapshot: Snapshot, assignments: ReadonlyMap<string, Assignment>): Snapshot {
  const isWhole = [...assignments.values()].every(({ unit, inUserSpace: rest }) => rest === unit);
  if (isWhole) return snapshot;
  const units: Units = new Map<string, Unit>([...assignments].map(([id, assignment]) => [id, assignment.inUserSpace]));
  return { revision: snapshot.revision, units };
}
