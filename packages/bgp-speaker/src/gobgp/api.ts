import type { Cidr, IpAddress } from "@fiberlb/types";

import type { RouteChanges } from "../routes/diff.ts";
import type { Path } from "../routes/path.ts";
import type { SessionState } from "../status.ts";

/** The daemon itself; `asn` 0 means that it was not started. */
export interface BgpGlobal {
  readonly asn: number;
  readonly routerId: string;
  readonly listenPort: number;
  readonly listenAddresses: readonly string[];
}

/** What the speaker sets of a peer, complete with defaults, in the daemon's units. */
export interface PeerSettings {
  readonly address: IpAddress;
  readonly asn: number;
  readonly port: number;
  readonly password: string;
  readonly holdTimeS: number;
  readonly keepaliveS: number;
  readonly connectRetryS: number;
  /** 0: the router must be a neighbour. */
  readonly multihopTtl: number;
  /** Empty: the system chooses. */
  readonly localAddress: string;
  readonly passive: boolean;
  readonly bfd?: BfdSettings;
  /** Seconds; 0 is off. */
  readonly restartTimeS: number;
}

/** BFD's settings, as the daemon has them. */
export interface BfdSettings {
  readonly intervalUs: number;
  readonly multiplier: number;
}

/** A peer that the daemon has. */
export interface HeldPeer {
  readonly settings: PeerSettings;
  readonly state: SessionState;
  readonly establishedAt?: Date;
  readonly advertised: number;
  readonly bfd?: "UP" | "DOWN" | "ADMIN_DOWN" | "INIT";
  /** Whether this daemon knows BFD at all. */
  readonly bfdSupported: boolean;
  /** Why the session ended last, where the daemon tells it (4.x). */
  readonly lastError: string;
}

/** What the daemon tells by itself. */
export type GobgpEvent =
  /** It has told of all peers that it had when we asked: the stream works. */
  | { readonly kind: "ready" }
  /** The state of a session changed. */
  | { readonly kind: "peer" }
  /** One of our routes is gone from the table. */
  | { readonly kind: "withdrawn"; readonly prefix: Cidr };

/** How long a call may take; closing the connection ends it before. */
export interface CallLimits {
  readonly timeoutMs?: number;
}

/**
 * GoBGP's API as far as the speaker needs it, the same over both generations. Every call may throw a ConnectError. Paths are
 * always our own: those that carry our mark and came from no peer.
 */
export interface GobgpApi {
  readonly generation: 3 | 4;
  getBgp(limits: CallLimits): Promise<BgpGlobal>;
  startBgp(global: BgpGlobal, limits: CallLimits): Promise<void>;
  /** Ends with an error when the connection does; the daemon ends it by itself when it stops. */
  watch(): AsyncIterable<GobgpEvent>;
  /** IPv4 and IPv6. */
  listPaths(limits: CallLimits): Promise<Path[]>;
  /** All in one call, withdrawals first. When it fails, some may have been taken. */
  apply(changes: RouteChanges, limits: CallLimits): Promise<void>;
  listPeers(limits: CallLimits): Promise<HeldPeer[]>;
  addPeer(peer: PeerSettings, limits: CallLimits): Promise<void>;
  deletePeer(address: string, limits: CallLimits): Promise<void>;
}
