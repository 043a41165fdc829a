import type { Balancer, Lease } from "../balancer.ts";
import type { BackendProtocol } from "./backend-protocol.ts";
import type { PoolSessions, SessionDecision } from "./session.ts";

/** A balancer that can also give one certain backend, for the sake of a session. */
export interface SessionBalancer extends Balancer {
  /** The backend of a session, or what becomes of the session without it. */
  resume(backendId: string): Lease | Exclude<SessionDecision, "keep">;
}

/** A pool as HTTP sees it. */
export interface HttpPool {
  readonly balancer: SessionBalancer;
  /** Set when cookies keep clients with their backends. */
  readonly sessions: PoolSessions | undefined;
  /** How its backends are spoken to. */
  readonly protocol: BackendProtocol;
  /** Set when requests are told apart by one of their headers or cookies. */
  readonly hashKey?: HashKey | undefined;
}

/** What of a request is hashed; the name of a header is in lower case. */
export interface HashKey {
  readonly type: "HEADER" | "COOKIE";
  readonly name: string;
}

/** The pool of that id as of now; undefined when there is none that speaks HTTP. */
export type FindHttpPool = (poolId: string) => HttpPool | undefined;
