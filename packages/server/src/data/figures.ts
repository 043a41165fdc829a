import type { BackendHealth } from "../snapshot/snapshot.ts";
import type { Row, RowShape, RowSums } from "./counters.ts";
import type { BackendFigures, ListenerFigures, RejectReason } from "./data-plane.ts";

/** The shared tables' columns: which number of a row means what. */
export const BACKEND_ROW: RowShape = { flags: 4, totals: 4 };
export const LISTENER_ROW: RowShape = { flags: 0, totals: 22 };
export const POOL_ROW: RowShape = { flags: 3, totals: 0 };

/** Flags of a backend. */
const HEALTH = 0;
/** Of outlier detection: failures in a row, whether it is ejected, and how often it was. */
const FAILURES = 1;
const EJECTED = 2;
const EJECTIONS = 3;
/** Totals of a backend. */
export const BACKEND_TOTAL = { connections: 0, connectErrors: 1, bytesIn: 2, bytesOut: 3 } as const;
/** Totals of a listener; the reasons of {@link REJECTED} follow. */
export const LISTENER_TOTAL = { connections: 0, bytesIn: 1, bytesOut: 2 } as const;
/** Totals of a listener by the reason a connection was turned away. */
export const REJECTED: Readonly<Record<RejectReason, number>> = {
  acl: 3,
  "connection-limit": 4,
  "no-pool": 5,
  "no-backend": 6,
  "connect-failed": 7,
  "backend-limit": 8,
  "bad-request": 9,
  policy: 10,
  "client-timeout": 11,
  "bad-response": 12,
  "backend-timeout": 13,
  "backend-lost": 14,
  "tls-handshake": 15,
  "flow-limit": 16,
  "send-failed": 17,
  "proxy-protocol": 18,
  "queue-timeout": 19,
  "queue-full": 20,
  "rate-limit": 21,
};

/** Flags of a pool. `generation` moves whenever the health of one of its backends does; `turn` counts its turns, `spareTurn` those in place of another. */
export const POOL_FLAG = { generation: 0, turn: 1, spareTurn: 2 } as const;

const HEALTHS: readonly (BackendHealth | undefined)[] = [undefined, "UNKNOWN", "ONLINE", "OFFLINE", "NO_MONITOR"];

/** What health checks say of a backend; undefined before anything was said. */
export function healthOf(row: RowSums): BackendHealth | undefined {
  return HEALTHS[row.flag(HEALTH)];
}

/** Says what health checks say of a backend, to all threads at once. */
export function setHealth(row: Row, health: BackendHealth): void {
  row.setFlag(HEALTH, HEALTHS.indexOf(health));
}

/** Back to nothing said: the backend has gone. */
export function forgetHealth(row: Row): void {
  row.setFlag(HEALTH, 0);
  row.setFlag(EJECTED, 0);
}

/** Whether a backend is left out because it failed real traffic. */
export const isEjected = (row: RowSums): boolean => row.flag(EJECTED) !== 0;

/** Leaves a backend out, or takes it back, in all threads at once; it begins anew with no failures. */
export function setEjected(row: Row, ejected: boolean): void {
  if (ejected) row.increment(EJECTIONS);
  row.setFlag(FAILURES, 0);
  row.setFlag(EJECTED, ejected ? 1 : 0);
}

/** A failure more in a row, over all workers. @returns whether there are `limit` of them; then counting begins anew. */
export function countFailure(row: Row, limit: number): boolean {
  const failures = row.increment(FAILURES) + 1;
  if (failures < limit) return false;
  row.setFlag(FAILURES, 0);
  return true;
}

/** A success: the row of failures ends. Mostly there is none, and nothing is written. */
export function forgetFailures(row: Row): void {
  if (row.flag(FAILURES) !== 0) row.setFlag(FAILURES, 0);
}

/** The figures in a backend's row. */
export function backendFigures(row: RowSums): BackendFigures {
  return {
    connectionsActive: row.gauge(),
    connectionsTotal: row.total(BACKEND_TOTAL.connections),
    connectErrorsTotal: row.total(BACKEND_TOTAL.connectErrors),
    bytesIn: row.total(BACKEND_TOTAL.bytesIn),
    bytesOut: row.total(BACKEND_TOTAL.bytesOut),
    isEjected: isEjected(row),
    ejectionsTotal: row.flag(EJECTIONS),
  };
}

/** The figures in a listener's row. */
export function listenerFigures(row: RowSums, sourcesForgotten = 0): ListenerFigures {
  const rejected = Object.entries(REJECTED).map(([reason, field]) => [reason, row.total(field)] as const);
  return {
    connectionsActive: row.gauge(),
    connectionsTotal: row.total(LISTENER_TOTAL.connections),
    bytesIn: row.total(LISTENER_TOTAL.bytesIn),
    bytesOut: row.total(LISTENER_TOTAL.bytesOut),
    rejected: Object.fromEntries(rejected) as Record<RejectReason, number>,
    sourcesForgotten,
  };
}

const nothing: RowSums = { gauge: () => 0, total: () => 0, flag: () => 0 };

/** The figures of a backend or listener that never was in a snapshot. */
export const NO_BACKEND_FIGURES = backendFigures(nothing);
export const NO_LISTENER_FIGURES = listenerFigures(nothing);
