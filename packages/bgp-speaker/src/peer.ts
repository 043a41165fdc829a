/** Bidirectional Forwarding Detection (RFC 5880) beside a BGP session: a dead path is noticed in `intervalMs * multiplier`. */
export interface PeerBfd {
  /** Between control packets, in both directions; 10 to 60,000. Default 100. */
  readonly intervalMs?: number;
  /** Missing packets after which the path counts as dead; 2 to 255. Default 3. */
  readonly multiplier?: number;
}

/** Keeps routes over a restart of the daemon (RFC 4724): also those of a node that is dead, which is why it is off by default. */
export interface PeerGracefulRestart {
  /** How long the router keeps routes of a session that is gone, in seconds; 1 to 4095. */
  readonly restartTimeS: number;
}

/** A router that the daemon speaks BGP with. IPv4 and IPv6 unicast routes go over the one session. */
export interface Peer {
  readonly address: string;
  /** The router's autonomous system, 1 to 4294967295; the daemon's own makes it iBGP. */
  readonly asn: number;
  /** Of the router. Default 179. */
  readonly port?: number;
  /** TCP MD5 (RFC 2385). At most one of `password` and `passwordFile`. */
  readonly password?: string;
  /** File with the password, read again at every reconciliation; one newline at its end is not part of it. */
  readonly passwordFile?: string;
  /** Silence after which the session counts as dead: 3 to 65535 seconds. Default 9. The lower of both sides holds. */
  readonly holdTimeS?: number;
  /** Between keepalives. Default a third of `holdTimeS`. */
  readonly keepaliveS?: number;
  /** Between attempts to connect, 1 to 65535 seconds. Default 5. */
  readonly connectRetryS?: number;
  /** TTL for an eBGP router that is more than one hop away, 2 to 255. Absent: it must be a neighbour. */
  readonly multihopTtl?: number;
  /** Address to connect from; the system chooses when absent. */
  readonly localAddress?: string;
  /** Waits for the router to connect; needs a listening daemon. Default false. */
  readonly passive?: boolean;
  /** Off when absent. Needs GoBGP 4.5 or newer: an older one holds the session without it, and the peer's `problem` says so. */
  readonly bfd?: PeerBfd;
  /** Off when absent. */
  readonly gracefulRestart?: PeerGracefulRestart;
}

/** What the daemon itself should be. */
export interface ManagedBgp {
  /** Own autonomous system, 1 to 4294967295. */
  readonly asn: number;
  /** An IPv4 address that is unique among the routers (RFC 4271 section 1.1). */
  readonly routerId: string;
  /** Port for routers that connect to us; -1 does not listen. Default 179, which needs the right to bind it. */
  readonly listenPort?: number;
  /** All addresses when absent. */
  readonly listenAddresses?: readonly string[];
  /** Exactly these: the daemon's other peers are removed. */
  readonly peers: readonly Peer[];
}
