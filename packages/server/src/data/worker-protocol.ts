/** What the main thread and its workers say to each other. Everything here is structured-cloneable. */
import type { MaglevTableUnit, Unit } from "../snapshot/snapshot.ts";
import type { TableMemory } from "./counters.ts";
import type { DrainOptions } from "./data-plane.ts";
import type { ConnectFailure } from "./l7/connect-failures.ts";
import type { RateMemory } from "./rate/source-rates.ts";

/** The shared tables, to be opened in another thread. */
export interface SharedMemory {
  readonly backends: TableMemory;
  readonly listeners: TableMemory;
  readonly pools: TableMemory;
}

/** Which row of the shared tables belongs to whom, by id. */
export interface UnitSlots {
  readonly backends: Readonly<Record<string, number>>;
  readonly listeners: Readonly<Record<string, number>>;
  readonly pools: Readonly<Record<string, number>>;
}

/** One load balancer as a worker gets it: only listeners that it should open are in the unit. */
export interface UnitAssignment {
  readonly unit: Unit;
  readonly slots: UnitSlots;
  /** By listener: where the rates of its sources are kept; only of those that have a limit. */
  readonly rates: Readonly<Record<string, RateMemory>>;
}

/** A listener that a worker could not open, or that can't accept. */
export interface BindFailure {
  readonly loadBalancerId: string;
  readonly listenerId: string;
  /** The system's error name: EADDRINUSE, EADDRNOTAVAIL, EACCES…; `EINVAL` with a problem. */
  readonly code: string;
  /** Set when it is open and can't serve: why, for people. */
  readonly problem?: string;
}

/** `workerData` of a worker thread. */
export interface WorkerStart {
  /** 0 to workers − 1: whose part of the shared tables it writes. */
  readonly index: number;
  readonly memory: SharedMemory;
  /** What session cookies are signed with; the same in every worker, and on every node that should know them. */
  readonly sessionKey: Uint8Array;
  /** What the keys of TLS session tickets are derived from; the same in every worker, and on every node that should resume sessions. */
  readonly ticketSecret: Uint8Array;
}

/** Load balancers to serve from now on, as they say, and those to stop serving. Others stay as they are. */
export interface ApplyMessage {
  readonly kind: "apply";
  /** Grows from message to message; the answer repeats it. */
  readonly sequence: number;
  /** Segments that were added since come along. */
  readonly memory: SharedMemory;
  readonly assignments: readonly UnitAssignment[];
  /** Load balancer ids. */
  readonly removed: readonly string[];
}

/** From the main thread. */
export type ToWorker =
  | ApplyMessage
  | { readonly kind: "table"; readonly table: MaglevTableUnit }
  | { readonly kind: "backend-down"; readonly poolId: string; readonly backendId: string }
  | { readonly kind: "stop"; readonly drain: DrainOptions };

/** From a worker. */
export type FromWorker =
  | { readonly kind: "ready" }
  /** `failures`: every listener that is not open in this worker, not only what this message touched. */
  | { readonly kind: "applied"; readonly sequence: number; readonly failures: readonly BindFailure[] }
  /** An open listener turned a connection away for lack of something; told at times, not each time. */
  | { readonly kind: "accept-failed"; readonly failure: BindFailure }
  /** A backend could not be connected to; told at times, not each time. */
  | { readonly kind: "connect-failed"; readonly failure: ConnectFailure }
  /** A backend has failed as often in a row as its pool allows, over all workers. */
  | { readonly kind: "outlier"; readonly poolId: string; readonly backendId: string }
  | { readonly kind: "stopped" };
