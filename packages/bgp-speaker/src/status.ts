import type { IpAddress } from "@fiberlb/types";

/** States of a session by the names of RFC 4271 section 8.2.2; UNKNOWN is what the daemon has not told. */
export type SessionState = "UNKNOWN" | "IDLE" | "CONNECT" | "ACTIVE" | "OPEN_SENT" | "OPEN_CONFIRM" | "ESTABLISHED";

/** How the speaker stands with the daemon. */
export interface DaemonStatus {
  /**
   * - `connecting`: not reached, or lost; tried again until it works.
   * - `ready`: reached, and being kept as desired.
   * - `refused`: reached, but not to be used as it is (other ASN or router id, not started); looked at again until it is.
   */
  readonly state: "connecting" | "ready" | "refused";
  /** Why it is not ready, for a person; empty when it is. */
  readonly reason: string;
  /** Which API the daemon has: 3 is GoBGP 3.x, 4 is GoBGP 4.x. Absent until it has been asked. */
  readonly generation?: 3 | 4;
  /** The daemon's own autonomous system and router id. Absent until known. */
  readonly asn?: number;
  readonly routerId?: IpAddress;
}

/** One session with a router. */
export interface PeerStatus {
  readonly address: IpAddress;
  readonly asn: number;
  readonly state: SessionState;
  /** When it was established; only then. */
  readonly establishedAt?: Date;
  /** Routes sent to this peer, of all programs that use the daemon, IPv4 and IPv6. */
  readonly advertised: number;
  /** State of the BFD session, where there is one. */
  readonly bfd?: "UP" | "DOWN" | "ADMIN_DOWN" | "INIT";
  /** Why the session ended last, where the daemon tells it (4.x). */
  readonly lastError?: string;
  /** What about this peer is not as desired, for a person: no BFD in this daemon, password file unreadable. */
  readonly problem?: string;
}

/** Everything the speaker knows. Of a daemon that is lost, `peers` and `routes.held` are empty. */
export interface SpeakerStatus {
  readonly daemon: DaemonStatus;
  readonly peers: readonly PeerStatus[];
  readonly routes: {
    /** As many as the last `announce` wanted. */
    readonly desired: number;
    /** As many of ours as the daemon holds. */
    readonly held: number;
  };
}
