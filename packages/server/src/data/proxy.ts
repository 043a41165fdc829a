import type { ListenerUnit } from "../snapshot/snapshot.ts";
import type { RevokeReason } from "./balancer.ts";
import type { Connection } from "./transport/transport.ts";

/** What serves one listener's connections in one worker, whatever the protocol. */
export interface Proxy {
  /** Connections being served. */
  readonly active: number;
  /** Lets an accepted connection in, or turns it away, and serves it. */
  readonly accept: (client: Connection) => void;
  /** Serves a connection that was let in already: its place in the listener's account is taken, and given back in the end. */
  serve(client: Connection): void;
  /** Takes the listener's new configuration; nothing is closed. */
  update(listener: ListenerUnit): void;
  /** The listener goes: connections on which nothing is under way end now, where the protocol tells. */
  drain(): void;
  /** Ends every connection. */
  closeAll(reason: RevokeReason): void;
}
