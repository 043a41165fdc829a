import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";

import type { Cancel, Clock } from "../clock.ts";
import type { BackendHealth, MaglevTableUnit, Snapshot, Unit, Units } from "../snapshot/snapshot.ts";
import type {
  ApplyReport,
  BackendFigures,
  DataPlane,
  DataPlaneLog,
  DrainOptions,
  Ejection,
  ListenerFigures,
} from "./data-plane.ts";
import { Ejections } from "./ejections.ts";
import { Ledger } from "./ledger.ts";
import { type Admission, ListenerGate } from "./listener-gate.ts";
import { Problems } from "./problems.ts";
import type { DatagramTransport } from "./transport/datagram.ts";
import { createNodeDatagrams } from "./transport/node-datagrams.ts";
import { createNodeTransport } from "./transport/node-transport.ts";
import type { Transport } from "./transport/transport.ts";
import { diffUnits } from "./unit-diff.ts";
import { type SpawnWorker, spawnWorker, WorkerHandle } from "./worker-handle.ts";
import type { ApplyMessage, BindFailure, ToWorker, UnitAssignment, WorkerStart } from "./worker-protocol.ts";

/** Listeners that could not be opened are tried again after so long. */
export const RETRY_INTERVAL_MS = 3000;
/** A worker that has not confirmed a change by then is a problem, and no longer waited for. */
export const APPLY_DEADLINE_MS = 5000;
const SECRET_BYTES = 32;
/** Beyond the drain time, for the last resets to leave. */
const STOP_GRACE_MS = 2000;

/** How {@link createDataPlane} makes a data plane. */
export interface DataPlaneOptions {
  /** Threads that carry traffic. `auto`, the default: one a core; what else this process does is short work. */
  readonly workers?: number | "auto";
  readonly clock: Clock;
  /** Default: nothing is logged. */
  readonly log?: DataPlaneLog;
  /** Called when the problems change without an `apply`: a port became free, a worker caught up. */
  readonly onReport?: (report: ApplyReport) => void;
  /** Hears of each backend that is left out because it fails real traffic, and of each return. */
  readonly onEjection?: (ejection: Ejection) => void;
  /** True for as long as listeners may be open in another process of ours, and are joined (takeover). Default: never. */
  readonly joinListeners?: () => boolean;
  /** At least 32 secret bytes that session cookies are signed with. Default: by chance, so that a restart ends sessions. */
  readonly sessionKey?: Uint8Array;
  /** At least 32 secret bytes that keys of TLS session tickets are derived from. Default: by chance, so that a restart ends resumption. */
  readonly ticketSecret?: Uint8Array;
  /** Binds endpoints for a look before workers open them; default node:net. */
  readonly transport?: Transport;
  /** The same for UDP; default node:dgram. */
  readonly datagrams?: DatagramTransport;
  /** Starts a worker thread; default {@link spawnWorker}. */
  readonly spawn?: SpawnWorker;
}

/** A data plane of worker threads. @throws RangeError for a number of workers that is none. */
export function createDataPlane(options: DataPlaneOptions): DataPlane {
  return new WorkerPool(options);
}

/**
 * The main thread's side: hands units, tables and health to the workers and reads what they count.
 *
 * Every worker opens every listener, so the kernel spreads connections, and one that dies takes only its own along.
 */
class WorkerPool implements DataPlane {
  readonly #options: DataPlaneOptions;
  readonly #ledger: Ledger;
  readonly #gate: ListenerGate;
  readonly #problems: Problems;
  readonly #ejections: Ejections;
  readonly #handles: readonly WorkerHandle[];
  readonly #secrets: Pick<WorkerStart, "sessionKey" | "ticketSecret">;
  #units: Units = new Map();
  /** What workers have been told: what one that starts is told at once. */
  readonly #assignments = new Map<string, UnitAssignment>();
  readonly #tables = new Map<string, MaglevTableUnit>();
  /** Units as they were before changes that not every worker has confirmed. */
  #outdated: Unit[] = [];
  #revision = 0;
  #sequence = 0;
  #workerLosses = 0;
  #cancelRetry: Cancel | undefined;
  #isShipping = false;
  /** Why no worker serves; see {@link ApplyReport.failure}. */
  #failure: string | undefined;
  #isStopping = false;
  /** The end of what is under way: one change is made after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: DataPlaneOptions) {
    const { workers = "auto", clock, joinListeners = () => false } = options;
    const { transport = createNodeTransport({ clock }), datagrams = createNodeDatagrams() } = options;
    const count = workers === "auto" ? availableParallelism() : workers;
    if (!Number.isInteger(count) || count < 1) {
      throw new RangeError(`Cannot start ${count} data plane workers: dataPlane.workers is "auto" or a number from 1`);
    }
    this.#options = options;
    this.#secrets = {
      sessionKey: options.sessionKey ?? randomBytes(SECRET_BYTES),
      ticketSecret: options.ticketSecret ?? randomBytes(SECRET_BYTES),
    };
    this.#ledger = new Ledger(count);
    this.#gate = new ListenerGate({ transport, datagrams, join: joinListeners });
    this.#problems = new Problems(count);
    this.#ejections = new Ejections({ clock, board: this.#ledger, log: options.log, onEjection: options.onEjection });
    this.#handles = Array.from({ length: count }, (_, index) => this.#createHandle(index));
  }

  get workerLosses(): number {
    return this.#workerLosses;
  }

  async start(): Promise<void> {
    try {
      await Promise.all(this.#handles.map((handle) => handle.start()));
    } catch (error) {
      // Without the others, which would keep the process alive.
      await this.stop({ drainTimeoutMs: 0 });
      throw error;
    }
  }

  apply(snapshot: Snapshot): Promise<ApplyReport> {
    return this.#after(async () => {
      if (this.#isStopping) throw new Error(`Cannot apply revision ${snapshot.revision}: the data plane is stopped`);
      const before = this.#units;
      const diff = diffUnits(before, snapshot.units);
      this.#units = snapshot.units;
      try {
        if (diff.changed.length + diff.removed.length > 0) {
          const admissions = await this.#gate.admit(diff.changed);
          const touched = [...diff.changed.map(({ loadBalancerId }) => loadBalancerId), ...diff.removed];
          this.#outdated.push(...touched.flatMap((id) => before.get(id) ?? []));
          await this.#ship(admissions, diff.removed);
          for (const id of touched) this.#ejections.update(before.get(id), snapshot.units.get(id));
        }
      } catch (error) {
        // What was not shipped must differ next time.
        this.#units = before;
        throw error;
      }
      this.#revision = snapshot.revision;
      return this.#report();
    });
  }

  setHealth(backendId: string, health: BackendHealth): void {
    const change = this.#ledger.setHealth(backendId, health);
    if (change === undefined || change.before === health || health !== "OFFLINE") return;
    this.#broadcast({ kind: "backend-down", poolId: change.poolId, backendId });
  }

  setTable(table: MaglevTableUnit): void {
    this.#tables.set(table.poolId, table);
    this.#broadcast({ kind: "table", table });
  }

  listenerFigures(listenerId: string): ListenerFigures {
    return this.#ledger.listenerFigures(listenerId);
  }

  backendFigures(backendId: string): BackendFigures {
    return this.#ledger.backendFigures(backendId);
  }

  async stop(drain: DrainOptions): Promise<void> {
    this.#isStopping = true;
    this.#cancelRetry?.();
    this.#ejections.stop();
    await Promise.all(this.#handles.map((handle) => handle.stop(drain, drain.drainTimeoutMs + STOP_GRACE_MS)));
  }

  #after<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  /** Tells the workers what changed and waits until they have done it. */
  async #ship(admissions: readonly Admission[], removed: readonly string[]): Promise<void> {
    for (const { unit, problems } of admissions) {
      this.#problems.hold(unit.loadBalancerId, problems);
      this.#assignments.set(unit.loadBalancerId, this.#ledger.assign(unit));
    }
    for (const id of removed) {
      this.#problems.forget(id);
      this.#assignments.delete(id);
    }
    this.#ledger.dropEarly();
    const ids = admissions.map(({ unit }) => unit.loadBalancerId);
    const message = this.#message(ids, removed);
    this.#isShipping = true;
    this.#broadcast(message);
    if (await this.#confirm(message.sequence, [...ids, ...removed])) this.#release();
    this.#isShipping = false;
    this.#retryLater();
  }

  #message(ids: Iterable<string>, removed: readonly string[]): ApplyMessage {
    const assignments = [...ids].map((id) => this.#assignments.get(id) as UnitAssignment);
    return { kind: "apply", sequence: ++this.#sequence, memory: this.#ledger.memory, assignments, removed };
  }

  #broadcast(message: ToWorker): void {
    for (const handle of this.#handles) handle.post(message);
  }

  /** Whether every worker has confirmed in time; those that have not become a problem of what was changed. */
  async #confirm(sequence: number, touched: readonly string[]): Promise<boolean> {
    const waiting = new Set(this.#handles.keys());
    const confirmations = [...this.#handles.entries()].map(async ([index, handle]) => {
      await handle.applied(sequence);
      waiting.delete(index);
    });
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(APPLY_DEADLINE_MS, resolve);
      void Promise.all(confirmations).then(() => {
        cancel();
        resolve();
      });
    });
    for (const worker of waiting) {
      this.#problems.lag(worker, { sequence, loadBalancerIds: touched, deadlineMs: APPLY_DEADLINE_MS });
      this.#options.log?.error("data plane worker does not confirm", { worker, deadlineMs: APPLY_DEADLINE_MS });
    }
    return waiting.size === 0;
  }

  /** Lets go of what no worker serves any more. */
  #release(): void {
    for (const before of this.#outdated) {
      const now = this.#units.get(before.loadBalancerId);
      this.#ledger.release(before, now);
      for (const listener of before.listeners) {
        const stays = now?.vip === before.vip && now.listeners.some(({ id }) => id === listener.id);
        if (!stays) this.#gate.release(before, listener);
      }
      for (const { id } of before.pools) if (!now?.pools.some((pool) => pool.id === id)) this.#tables.delete(id);
    }
    this.#outdated = [];
  }

  #retryLater(): void {
    const isNeeded = this.#problems.unbound(this.#units).length > 0 && !this.#isStopping;
    if (!isNeeded || this.#cancelRetry !== undefined) return;
    this.#cancelRetry = this.#options.clock.after(RETRY_INTERVAL_MS, () => {
      this.#cancelRetry = undefined;
      this.#after(() => this.#retry()).catch((error: unknown) => {
        this.#options.log?.error("cannot retry listeners", { error });
        this.#retryLater();
      });
    });
  }

  /** Once more for load balancers with listeners that are not open. */
  async #retry(): Promise<void> {
    const unbound = this.#problems.unbound(this.#units);
    for (const { unit, listener, isOpenSomewhere } of unbound) {
      if (!isOpenSomewhere) this.#gate.release(unit, listener);
    }
    const admissions = await this.#gate.admit([...new Set(unbound.map(({ unit }) => unit))]);
    const worthwhile = admissions.filter((admission) => this.#problems.mayHelp(admission));
    if (worthwhile.length > 0 && !this.#isStopping) await this.#ship(worthwhile, []);
    this.#retryLater();
    this.#reportChange();
  }

  #report(): ApplyReport {
    const problems = this.#problems.take(this.#units);
    return { revision: this.#revision, problems, ...(this.#failure !== undefined && { failure: this.#failure }) };
  }

  #reportChange(): void {
    if (this.#problems.haveChanged(this.#units)) this.#options.onReport?.(this.#report());
  }

  /** Tells when the last worker dies, and when one serves again. */
  #noteFailure(failure: string | undefined): void {
    if ((failure === undefined) === (this.#failure === undefined) || this.#isStopping) return;
    this.#failure = failure;
    this.#options.onReport?.(this.#report());
  }

  #createHandle(index: number): WorkerHandle {
    const { clock, spawn = spawnWorker } = this.#options;
    return new WorkerHandle({
      clock,
      spawn,
      start: () => ({ index, memory: this.#ledger.memory, ...this.#secrets }),
      onReady: () => this.#bringUp(index),
      onLost: (reason, pauseMs) => this.#lose(index, { reason, pauseMs }),
      onAcceptFailed: (failure) =>
        this.#options.log?.error("listener cannot accept connections", { ...failure, worker: index }),
      onConnectFailed: (failure) =>
        this.#options.log?.warn("backend cannot be connected to", { ...failure, worker: index }),
      onOutlier: (poolId, backendId) => this.#ejections.note(poolId, backendId),
      onApplied: (sequence, failures) => this.#noteApplied(index, { sequence, failures }),
    });
  }

  /** A worker that starts is told everything. Its answer counts for what its predecessor left unanswered. */
  #bringUp(index: number): void {
    const handle = this.#handles[index] as WorkerHandle;
    for (const table of this.#tables.values()) handle.post({ kind: "table", table });
    if (this.#sequence === 0) return;
    handle.post(this.#message(this.#assignments.keys(), []));
  }

  #lose(worker: number, { reason, pauseMs }: { readonly reason: string; readonly pauseMs: number }): void {
    this.#workerLosses++;
    this.#ledger.fold(worker);
    this.#options.log?.error("data plane worker died, its connections are lost; starting another", {
      worker,
      reason,
      restartInMs: pauseMs,
      lossesTotal: this.#workerLosses,
    });
    if (!this.#handles.some((handle) => handle.isReady))
      this.#noteFailure(`no data plane worker runs: ${firstLine(reason)}`);
  }

  #noteApplied(worker: number, said: { readonly sequence: number; readonly failures: readonly BindFailure[] }): void {
    this.#problems.note(worker, said);
    this.#noteFailure(undefined);
    // While a change is under way its report tells; this is about workers that are late, or were replaced.
    if (this.#isShipping) return;
    this.#retryLater();
    this.#reportChange();
  }
}

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";
