import type { Cancel, Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import type { BackendHealth, BackendUnit, MaglevTableUnit, PoolUnit } from "../snapshot/snapshot.ts";
import { BackendAccount } from "./backend-account.ts";
import type { Lease, Refusal } from "./balancer.ts";
import type { Row } from "./counters.ts";
import { healthOf, isEjected, POOL_FLAG } from "./figures.ts";
import type { SessionBalancer } from "./l7/http-pools.ts";
import { decideSession } from "./l7/session.ts";
import { isInService, type Rotation, rotation } from "./rotation.ts";
import { createSelector, type SelectorSources } from "./select/create-selector.ts";
import type { Candidate, Flow, Selector } from "./select/selector.ts";
import { type OnTurn, WaitQueue } from "./wait-queue.ts";

const FULL: Refusal = { kind: "refusal", reason: "backend-limit" };

/** The row of one of the pool's backends, by its id. */
export type RowOf = (backendId: string) => Row;

/** What a {@link PoolBalancer} needs of its worker. */
export interface PoolBalancerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The pool's row in the shared table. */
  readonly row: Row;
  readonly rowOf: RowOf;
  /** The pool's Maglev table as of now. */
  readonly table: () => MaglevTableUnit | undefined;
  /** A backend has failed as often in a row as the pool's outlier detection says. */
  readonly onOutlier?: (backendId: string) => void;
}

/** The selectors of a pool. Two, because a selector remembers one set of candidates. */
interface Selectors {
  /** Among all that are in rotation. */
  readonly among: Selector;
  /** Among what is left of them when the first choice can't be had. */
  readonly elsewhere: Selector;
}

/**
 * Balances one pool in one worker. Who is in rotation is worked out anew only when the configuration or the health of
 * a backend changes; a pick then is one selector call and one look at the chosen backend's limit.
 */
export class PoolBalancer implements SessionBalancer {
  readonly #options: Omit<PoolBalancerOptions, "rowOf">;
  readonly #accounts = new Map<string, BackendAccount>();
  #pool: PoolUnit;
  #selectors: Selectors;
  /** The pool's generation that `#active` and `#standby` show; undefined = to be worked out. */
  #generation: number | undefined;
  #active: readonly BackendAccount[] = [];
  #standby: readonly BackendAccount[] = [];
  /** What was left when the first choice couldn't be had last time: the same array while it holds the same. */
  #left: readonly BackendAccount[] = [];
  readonly #queue: WaitQueue;
  #nobody: Refusal = { kind: "refusal", reason: "no-backend" };
  #hasServed = false;
  readonly #onRelease = (): void => this.#queue.wake();

  constructor(pool: PoolUnit, { rowOf, ...options }: PoolBalancerOptions) {
    this.#options = options;
    this.#pool = pool;
    this.#selectors = this.#createSelectors();
    this.#queue = new WaitQueue({
      clock: options.clock,
      pick: (flow) => this.#pick(flow, undefined),
      onLength: (change) => options.row.addToGauge(change),
    });
    this.#openAccounts(rowOf);
  }

  get sendProxyProtocol(): "V1" | "V2" | undefined {
    return this.#pool.sendProxyProtocol;
  }

  pick(flow: Flow, exclude?: ReadonlySet<string>): Lease | Refusal {
    // Nobody passes those who wait, in whatever worker; one who has been let in may try another backend.
    if (this.#pool.queueTimeoutMs !== undefined && exclude === undefined && this.#options.row.gauge() > 0) return FULL;
    return this.#pick(flow, exclude);
  }

  wait(flow: Flow, onTurn: OnTurn): Cancel | Refusal {
    const { queueTimeoutMs } = this.#pool;
    if (queueTimeoutMs === undefined) return FULL;
    return this.#queue.join(flow, queueTimeoutMs, onTurn) ?? { kind: "refusal", reason: "queue-full" };
  }

  #pick(flow: Flow, exclude: ReadonlySet<string> | undefined): Lease | Refusal {
    const generation = this.#options.row.flag(POOL_FLAG.generation);
    if (generation !== this.#generation) this.#refresh(generation);
    if (this.#active.length === 0) return this.#nobody;
    const account = this.#active[this.#selectors.among.pick(this.#active, flow)] as BackendAccount;
    if (!account.isFull && exclude?.has(account.backend.id) !== true) return account.lease();
    return this.#pickElsewhere(flow, exclude);
  }

  resume(backendId: string): Lease | "detour" | "end" {
    const account = this.#accounts.get(backendId);
    if (account === undefined || account.backend.address === undefined) return "end";
    const { backend, isDraining, isFull } = account;
    const decision = decideSession({
      health: this.#healthOf(backend),
      isLeaving: !backend.enabled || backend.weight === 0,
      hasLeft: !isDraining,
      isFull,
    });
    return decision === "keep" ? account.lease() : decision;
  }

  /**
   * Takes the pool's new configuration. Connections to backends that left (removed, weight 0, disabled) may finish
   * within the drain time; all others stay as they are.
   */
  update(pool: PoolUnit, rowOf: RowOf): void {
    const old = this.#pool;
    this.#pool = pool;
    if (!selectsAlike(old, pool)) this.#selectors = this.#createSelectors();
    this.#openAccounts(rowOf);
    this.#drainLeaving();
    this.#generation = undefined;
  }

  /** The pool is gone: all its connections may finish within the drain time. */
  retire(): void {
    this.update({ ...this.#pool, backends: [] }, noRow);
    this.#queue.dissolve({ kind: "refusal", reason: "no-backend" });
  }

  /** A backend was found down: ends its connections, if the pool says so. */
  backendDown(backendId: string): void {
    const account = this.#accounts.get(backendId);
    if (account === undefined) return;
    account.isCold = true;
    if (this.#pool.onBackendDown === "RESET") account.revokeAll("backend-down");
  }

  #pickElsewhere(flow: Flow, exclude: ReadonlySet<string> | undefined): Lease | Refusal {
    const refused = (account: BackendAccount): boolean => exclude?.has(account.backend.id) === true;
    for (const tier of [this.#active, this.#standby]) {
      const left = tier.filter((account) => !refused(account) && !account.isFull);
      if (left.length === 0) continue;
      if (!holdsSame(left, this.#left)) this.#left = left;
      return (this.#left[this.#selectors.elsewhere.pick(this.#left, flow)] as BackendAccount).lease();
    }
    const isLimited = [...this.#active, ...this.#standby].some((account) => !refused(account));
    return isLimited ? FULL : { kind: "refusal", reason: "no-healthy-backend" };
  }

  #refresh(generation: number): void {
    const { active, standby, anyInService } = this.#rotation();
    this.#warmUp();
    const accountsOf = (backends: readonly BackendUnit[]): readonly BackendAccount[] =>
      backends.map(({ id }) => this.#accounts.get(id) as BackendAccount);
    const next = accountsOf(active);
    // After a new configuration the array is always a new one: weights may differ though the members are the same.
    if (this.#generation === undefined || !holdsSame(next, this.#active)) this.#active = next;
    if (this.#generation === undefined) this.#left = [];
    this.#standby = accountsOf(standby);
    this.#nobody = { kind: "refusal", reason: anyInService ? "no-healthy-backend" : "no-backend" };
    this.#generation = generation;
    this.#hasServed = true;
  }

  /** Without those that are ejected, unless nobody else is left: one that may fail is better than none. */
  #rotation(): Rotation {
    const among = rotation(this.#pool, (backend) => this.#healthOf(backend));
    if (among.active.length > 0 || this.#pool.outlierDetection === undefined) return among;
    return rotation(this.#pool, (backend) => this.#checkedHealthOf(backend));
  }

  /** Backends that come back, or are new to a pool that has served before, begin their slow start. */
  #warmUp(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const { id } of this.#pool.backends) {
      const account = this.#accounts.get(id) as BackendAccount;
      const health = this.#healthOf(account.backend);
      if (!isInService(account.backend) || health === "OFFLINE") {
        account.isCold = true;
      } else if (account.isCold && health !== "UNKNOWN") {
        account.isCold = false;
        account.slowStartSinceMs = nowMs;
      }
    }
  }

  /** What health checks and real traffic say. */
  #healthOf(backend: BackendUnit): BackendHealth {
    const account = this.#accounts.get(backend.id) as BackendAccount;
    return isEjected(account.row) ? "OFFLINE" : this.#checkedHealthOf(backend);
  }

  /** Before anything was said, one that is monitored is unknown. */
  #checkedHealthOf(backend: BackendUnit): BackendHealth {
    const account = this.#accounts.get(backend.id) as BackendAccount;
    return healthOf(account.row) ?? (backend.monitored ? "UNKNOWN" : "NO_MONITOR");
  }

  #openAccounts(rowOf: RowOf): void {
    for (const backend of this.#pool.backends) {
      const account = this.#accounts.get(backend.id);
      if (account === undefined) {
        const opened = new BackendAccount(backend, rowOf(backend.id));
        opened.isCold = this.#hasServed;
        this.#accounts.set(backend.id, opened);
      } else {
        account.backend = backend;
        // One that was gone long enough may have another row now; while it has connections it keeps the old one.
        if (account.isIdle) account.row = rowOf(backend.id);
      }
      this.#watch(this.#accounts.get(backend.id) as BackendAccount);
    }
  }

  #watch(account: BackendAccount): void {
    account.failureLimit = this.#pool.outlierDetection?.consecutiveErrors ?? 0;
    account.onOutlier = this.#options.onOutlier;
    account.onRelease = this.#onRelease;
  }

  #drainLeaving(): void {
    const { backends, drainTimeoutMs } = this.#pool;
    const staying = new Map(backends.map((backend) => [backend.id, backend.enabled && backend.weight > 0]));
    for (const [id, account] of this.#accounts) {
      if (staying.get(id) === true) account.stopDraining();
      else account.drain(this.#options.clock, drainTimeoutMs);
      if (!staying.has(id) && account.isIdle) this.#accounts.delete(id);
    }
  }

  #createSelectors(): Selectors {
    const { row, random, table } = this.#options;
    const sources: SelectorSources = {
      next: () => row.increment(POOL_FLAG.turn),
      nextSpare: () => row.increment(POOL_FLAG.spareTurn),
      random,
      table,
      progress: (candidate) => this.#slowStartProgress(candidate as BackendAccount),
    };
    const elsewhere = { ...sources, next: sources.nextSpare };
    return { among: createSelector(this.#pool, sources), elsewhere: createSelector(this.#pool, elsewhere) };
  }

  #slowStartProgress(account: BackendAccount & Candidate): number {
    if (account.slowStartSinceMs === undefined) return 1;
    const progress = (this.#options.clock.nowMs() - account.slowStartSinceMs) / this.#pool.slowStartMs;
    if (progress >= 1) account.slowStartSinceMs = undefined;
    return progress;
  }
}

const noRow: RowOf = (backendId) => {
  throw new Error(`Cannot count for backend ${backendId}: its pool is gone`);
};

function holdsSame<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((element, index) => element === b[index]);
}

/** Whether two versions of a pool ask for the same selector. */
function selectsAlike(a: PoolUnit, b: PoolUnit): boolean {
  return (
    a.algorithm === b.algorithm &&
    a.sourceIpPersistence === b.sourceIpPersistence &&
    a.slowStartMs > 0 === b.slowStartMs > 0 &&
    a.maglev?.hashKey === b.maglev?.hashKey &&
    a.maglev?.hashKeyName === b.maglev?.hashKeyName &&
    a.maglev?.seed === b.maglev?.seed
  );
}
