import type { Cancel, Clock } from "../clock.ts";
import type { BackendHealth, PoolUnit, Unit } from "../snapshot/snapshot.ts";
import type { DataPlaneLog, Ejection } from "./data-plane.ts";
import {
  decideEjection,
  type EjectionDecision,
  type EjectionHistory,
  ejectionTimeMs,
  nextInRow,
} from "./outlier-detection.ts";
import { isInService } from "./rotation.ts";

/** That a pool's backends can't be ejected is said so often at most. */
const QUIET_MS = 60_000;
/** After a refusal a pool is not looked at for so long: one that fails as a whole must not keep this thread busy. */
const PAUSE_MS = 100;

/** How the shared memory says what has become of a backend. */
export interface EjectionBoard {
  healthOf(backendId: string): BackendHealth | undefined;
  setEjected(backendId: string, ejected: boolean): void;
}

/** What {@link Ejections} need. */
export interface EjectionsOptions {
  readonly clock: Clock;
  readonly board: EjectionBoard;
  readonly log?: DataPlaneLog | undefined;
  /** Hears of each ejection, and of each return. */
  readonly onEjection?: ((ejection: Ejection) => void) | undefined;
}

interface WatchedPool {
  readonly loadBalancerId: string;
  pool: PoolUnit;
  /** The backends that are ejected, and how to take back that they return. */
  readonly ejected: Map<string, Cancel>;
  readonly histories: Map<string, EjectionHistory>;
  /** When it was said last that no more can be ejected. */
  refusalToldAtMs: number;
  /** When it was so last. */
  refusedAtMs: number;
}

/**
 * Leaves backends out for a while that fail real traffic. Workers tell which; one place decides, so that the pool's share
 * holds over all of them.
 */
export class Ejections {
  readonly #options: EjectionsOptions;
  readonly #pools = new Map<string, WatchedPool>();

  constructor(options: EjectionsOptions) {
    this.#options = options;
  }

  /** Takes a load balancer's pools as they are now; `undefined` for one that is gone. Pools that are not watched any more have all backends back. */
  update(before: Unit | undefined, after: Unit | undefined): void {
    const watched = new Map(after?.pools.filter(isWatched).map((pool) => [pool.id, pool]));
    for (const { id } of before?.pools ?? []) if (!watched.has(id)) this.#forget(id);
    for (const pool of watched.values()) this.#watch(pool, (after as Unit).loadBalancerId);
  }

  /** A worker has seen a backend fail as often in a row as its pool allows. */
  note(poolId: string, backendId: string): void {
    const watched = this.#pools.get(poolId);
    const settings = watched?.pool.outlierDetection;
    if (watched === undefined || settings === undefined) return;
    if (this.#options.clock.nowMs() - watched.refusedAtMs < PAUSE_MS) return;
    const decision = decideEjection(backendId, this.#candidates(watched), settings);
    if (decision === "eject") this.#eject(watched, backendId);
    else this.#refuse(watched, { backendId, decision });
  }

  /** Nobody waits for anything any more. */
  stop(): void {
    for (const { ejected } of this.#pools.values()) for (const cancel of ejected.values()) cancel();
  }

  #watch(pool: PoolUnit, loadBalancerId: string): void {
    const known = this.#pools.get(pool.id);
    if (known === undefined) {
      this.#pools.set(pool.id, {
        loadBalancerId,
        pool,
        ejected: new Map(),
        histories: new Map(),
        refusalToldAtMs: -Infinity,
        refusedAtMs: -Infinity,
      });
      return;
    }
    known.pool = pool;
    const ids = new Set(pool.backends.map(({ id }) => id));
    for (const id of known.ejected.keys()) if (!ids.has(id)) this.#release(known, id);
    for (const id of known.histories.keys()) if (!ids.has(id)) known.histories.delete(id);
  }

  #forget(poolId: string): void {
    const watched = this.#pools.get(poolId);
    if (watched === undefined) return;
    for (const backendId of watched.ejected.keys()) this.#release(watched, backendId);
    this.#pools.delete(poolId);
  }

  #candidates({ pool, ejected }: WatchedPool) {
    return pool.backends.filter(isInService).map(({ id }) => ({
      id,
      isHealthy: this.#options.board.healthOf(id) !== "OFFLINE",
      isEjected: ejected.has(id),
    }));
  }

  #eject(watched: WatchedPool, backendId: string): void {
    const { clock, board, log, onEjection } = this.#options;
    const { consecutiveErrors, ejectionMs } = watched.pool.outlierDetection!;
    const nowMs = clock.nowMs();
    const times = nextInRow(watched.histories.get(backendId), { ejectionMs, nowMs });
    const forMs = ejectionTimeMs(ejectionMs, times);
    watched.histories.set(backendId, { times, endedAtMs: nowMs + forMs });
    board.setEjected(backendId, true);
    watched.ejected.set(
      backendId,
      clock.after(forMs, () => this.#return(watched, backendId)),
    );
    const until = new Date(clock.epochMs() + forMs).toISOString();
    const fields = { ...fieldsOf(watched, backendId), consecutiveErrors, until, timesInRow: times };
    log?.warn("backend is ejected: it fails real traffic", fields);
    onEjection?.({ loadBalancerId: watched.loadBalancerId, backendId, until });
  }

  #release(watched: WatchedPool, backendId: string): void {
    watched.ejected.get(backendId)?.();
    watched.ejected.delete(backendId);
    this.#options.board.setEjected(backendId, false);
    this.#options.onEjection?.({ loadBalancerId: watched.loadBalancerId, backendId });
  }

  #return(watched: WatchedPool, backendId: string): void {
    this.#release(watched, backendId);
    this.#options.log?.info("backend is back after its ejection", fieldsOf(watched, backendId));
  }

  #refuse(watched: WatchedPool, { backendId, decision }: { backendId: string; decision: EjectionDecision }): void {
    const nowMs = this.#options.clock.nowMs();
    // Of one that does not serve workers may tell a moment later.
    if (decision === "not-serving") return;
    watched.refusedAtMs = nowMs;
    if (nowMs - watched.refusalToldAtMs < QUIET_MS) return;
    watched.refusalToldAtMs = nowMs;
    const why =
      decision === "last-one"
        ? "it is the last one that serves"
        : "max_ejected_percent of the pool are ejected already";
    this.#options.log?.warn(`backend fails real traffic and is not ejected: ${why}`, fieldsOf(watched, backendId));
  }
}

const isWatched = ({ outlierDetection }: PoolUnit): boolean => outlierDetection !== undefined;

function fieldsOf({ loadBalancerId, pool }: WatchedPool, backendId: string): Record<string, unknown> {
  const backend = pool.backends.find(({ id }) => id === backendId);
  return {
    loadBalancerId,
    pool: pool.name,
    backendId,
    ...(backend !== undefined && { backend: `${backend.host}:${backend.port}` }),
  };
}
