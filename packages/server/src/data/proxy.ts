import type { ListenerUnit } from "../snapshot/snapshot.ts";
import type { RevokeReason } from "./balancer.ts";
import type { BoundSocket, DatagramEndpoint } from "./transport/datagram.ts";
import type { Connection, TransportError } from "./transport/transport.ts";

/** What serves one listener in one worker, whatever it carries. */
export interface ListenerProxy {
  /** Connections, or flows of datagrams, being served. */
  readonly active: number;
  /** Why it serves nobody, or not as it should, for people; absent while all is well. */
  readonly problem?: string | undefined;
  /** Takes the listener's new configuration; what goes on is left alone, as far as the protocol has beginnings. */
  update(listener: ListenerUnit): void;
  /**
   * The listener goes: connections on which nothing is under way end now, where the protocol tells.
   * @param idleGraceMs see `DrainOptions`; default 0.
   */
  drain(idleGraceMs?: number): void;
  /** Ends every connection. */
  closeAll(reason: RevokeReason): void;
}

/** What serves one listener's connections in one worker, whatever the protocol. */
export interface Proxy extends ListenerProxy {
  /** Lets an accepted connection in, or turns it away, and serves it. */
  readonly accept: (client: Connection) => void;
  /**
   * Serves a connection that was let in already: its place in the listener's account is taken, and given back in the end.
   * @param received what has come of it already; valid until this returns.
   */
  serve(client: Connection, received?: Uint8Array): void;
}

/** What serves one listener's datagrams in one worker. */
export interface DatagramProxy extends ListenerProxy {
  /** Takes a datagram, and answers through the socket that it came by. */
  receive(bytes: Uint8Array, from: DatagramEndpoint, socket: BoundSocket): void;
  /** A datagram to a client could not be sent, and is lost. */
  onLoss(error: TransportError): void;
}
