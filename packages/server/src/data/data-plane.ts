import type { BackendHealth, MaglevTableUnit, Problem, Snapshot } from "../snapshot/snapshot.ts";

/** How connections may end when a process, or a listener, stops. */
export interface DrainOptions {
  /** What is still there after so long is ended with a reset. */
  readonly drainTimeoutMs: number;
  /**
   * How long HTTP/1 clients that ask nothing keep their connection: a request may be on its way, and would be lost. One
   * that comes is answered, and closes. Default 0.
   */
  readonly idleGraceMs?: number;
}

/** The data plane as the rest of the process sees it: desired state in, figures out. */
export interface DataPlane {
  /** Starts the workers. Resolves when all of them run. @throws Error when one can't start, with its reason. */
  start(): Promise<void>;
  /**
   * Makes the workers serve exactly this. Only units that are another object than before are sent. Resolves when every
   * worker has opened, kept or closed its sockets, or a deadline is over (then that is a problem in the report);
   * applying the same snapshot twice does nothing. Applies run one after the other.
   */
  apply(snapshot: Snapshot): Promise<ApplyReport>;
  /**
   * What health checks say; seen by every worker at once through shared memory. A verdict on a backend that no snapshot
   * has brought so far is kept for the next one.
   */
  setHealth(backendId: string, health: BackendHealth): void;
  /** Replaces a pool's Maglev table in every worker; may come before the pool does. */
  setTable(table: MaglevTableUnit): void;
  /** Figures since start, summed over workers that live and that lived. */
  listenerFigures(listenerId: string): ListenerFigures;
  backendFigures(backendId: string): BackendFigures;
  /** Fetches figures that have to be asked for, before they are read. Absent: there are none. Never rejects. */
  refreshFigures?(): Promise<void>;
  /** Connections that the kernel tracks for listeners that it serves, by conntrack's state. */
  conntrackEntries?(): ReadonlyMap<string, number>;
  /** Workers that died and were replaced, since start. */
  readonly workerLosses: number;
  /** What this host lets it do beside forwarding in user space: `nftables`, `dsr`. Asks the kernel; never rejects. */
  capabilities?(): Promise<readonly string[]>;
  /** VIPs that go on being served after `stop`, and have to stay local. Absent: none. */
  vipsThatStay?(): ReadonlySet<string>;
  /**
   * Leaves the kernel's tables, as they are, to another process: changes them no more, `stop` included. Absent: there
   * are none.
   */
  leaveKernel?(): Promise<void>;
  /** Takes them back, whatever became of them meanwhile: the next apply makes them so. */
  reclaimKernel?(): Promise<void>;
  /** Stops accepting, lets connections finish, ends the rest, stops the workers. */
  stop(options: DrainOptions): Promise<void>;
}

/** Where the data plane's events go: one line an event. */
export interface DataPlaneLog {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** A backend is left out for a while because it failed real traffic, or is back. */
export interface Ejection {
  readonly loadBalancerId: string;
  readonly backendId: string;
  /** ISO 8601; absent: it is back. */
  readonly until?: string;
}

/** What came of an `apply`, or has changed since. */
export interface ApplyReport {
  readonly revision: number;
  /** Everything that does not work now, not only what this apply touched. */
  readonly problems: readonly Problem[];
  /** Ids of listeners that the kernel forwards without this process, by load balancer. Absent: none. */
  readonly inKernel?: ReadonlyMap<string, ReadonlySet<string>>;
  /** Why nobody serves what the kernel does not forward; absent while a worker runs. */
  readonly failure?: string;
}

/** Why a listener turned a connection away, or dropped a datagram, or, from `bad-request` on, an HTTP request alone. */
export type RejectReason =
  | "acl"
  | "connection-limit"
  /** The header of the PROXY protocol is not there, is none, did not come in time, or comes from who is not trusted. */
  | "proxy-protocol"
  /** The client did not come to terms about TLS, or showed no valid certificate where one is required. */
  | "tls-handshake"
  | "no-pool"
  | "no-backend"
  | "connect-failed"
  | "backend-limit"
  /** No backend had a place for it within the pool's queue timeout: 503. */
  | "queue-timeout"
  /** Too many waited for a place already: 503. */
  | "queue-full"
  /** Its source has made too many connections, or requests (429), lately. */
  | "rate-limit"
  /** UDP: a flow was ended before its time, to make room for another; or a datagram found no room even so. */
  | "flow-limit"
  /** UDP: the system did not take a datagram that was to be sent. */
  | "send-failed"
  /** Malformed, too large, or not to be judged by the policies: 4xx. */
  | "bad-request"
  /** By a policy: 403, or a reset where it goes by SNI. */
  | "policy"
  /** The client did not send its request, or take its response, in time: 408; or its TLS hello where that is looked at. */
  | "client-timeout"
  /** The backend broke the protocol or the connection: 502. */
  | "bad-response"
  /** The backend did not answer in time: 504. */
  | "backend-timeout"
  /** The backend was taken away from under the request: 502. */
  | "backend-lost";

/** Figures of a listener. Bytes are those of the client's side. */
export interface ListenerFigures {
  readonly connectionsActive: number;
  readonly connectionsTotal: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly rejected: Readonly<Record<RejectReason, number>>;
  /** Sources that were forgotten before their time, because the table of rates was full. */
  readonly sourcesForgotten: number;
}

/** Figures of a backend. */
export interface BackendFigures {
  readonly connectionsActive: number;
  readonly connectionsTotal: number;
  readonly connectErrorsTotal: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Left out for a while, because it failed real traffic (outlier detection). */
  readonly isEjected: boolean;
  readonly ejectionsTotal: number;
}
