/**
 * The hand-over from the control path to the data path: what a load balancer is to the code that forwards its traffic.
 *
 * A {@link Unit} is immutable and plain (structured-cloneable), holds effective values only and refers to nothing
 * outside itself. `compile.ts` makes it, `publisher.ts` hands it over, `data/` reads it and nothing else.
 */

/** Everything the data plane serves at one revision of the store. A unit that did not change is the same object. */
export interface Snapshot {
  /** Store revision that this state shows. */
  readonly revision: number;
  readonly units: Units;
}

/** Units by load balancer id. Never changed after the hand-over. */
export interface Units extends ReadonlyMap<string, Unit> {
  /**
   * The same units in parts. A load balancer is always in the part of the same index, and a part in which nothing changed
   * is the same object in the next snapshot. Absent: compare all of them.
   */
  readonly parts?: readonly ReadonlyMap<string, Unit>[];
}

/** One load balancer: the unit of configuration. A change compiles and ships one of these. */
export interface Unit {
  readonly loadBalancerId: string;
  readonly name: string;
  readonly orgId: string;
  readonly projectId: string;
  /** The VIP, canonical text, IPv4 or IPv6. */
  readonly vip: string;
  /** Listeners that should be open; one that is administratively down is not in here. */
  readonly listeners: readonly ListenerUnit[];
  readonly pools: readonly PoolUnit[];
}

/** What a listener speaks with clients. */
export type ListenerUnitProtocol = "TCP" | "UDP" | "TLS" | "HTTP" | "HTTPS";

/** A port to open on the VIP. Later listeners (TLS, HTTP, UDP) add their own optional parts. */
export interface ListenerUnit {
  readonly id: string;
  readonly name: string;
  readonly protocol: ListenerUnitProtocol;
  readonly port: number;
  /** Connections open at once, over all workers of the node; 0 = no limit. */
  readonly connectionLimit: number;
  /** A connection without a byte in either direction for so long is closed. */
  readonly clientIdleTimeoutMs: number;
  readonly backendConnectTimeoutMs: number;
  /** CIDRs that clients must come from; empty = everybody. */
  readonly allowedCidrs: readonly string[];
  /** Absent: every connection is refused, with a reset. */
  readonly defaultPoolId?: string;
}

/** How a pool chooses. */
export type Algorithm = "ROUND_ROBIN" | "LEAST_CONNECTIONS" | "IP_HASH" | "WEIGHTED_ROUND_ROBIN" | "RANDOM" | "MAGLEV";

/** Backends that serve the same thing. */
export interface PoolUnit {
  readonly id: string;
  readonly name: string;
  readonly protocol: "TCP" | "UDP" | "HTTP" | "HTTPS" | "H2C";
  readonly algorithm: Algorithm;
  /** SOURCE_IP is Maglev on the client's address, whatever the algorithm. */
  readonly sourceIpPersistence: boolean;
  /** How long a backend that leaves (weight 0, removed, administratively down) keeps its connections. */
  readonly drainTimeoutMs: number;
  /** A backend that came back gets its full share only after so long; 0 = at once. */
  readonly slowStartMs: number;
  /** Below this share of usable backends all of them get traffic; 0 = off. */
  readonly panicThresholdPercent: number;
  /** RESET ends the connections of a backend that is found down. */
  readonly onBackendDown: "RESET" | "KEEP";
  /** Set when the pool needs a Maglev table: its algorithm is MAGLEV, or clients stay by source address. */
  readonly maglev?: MaglevUnit;
  /** Ordered by id, so that every worker and node sees the same order. */
  readonly backends: readonly BackendUnit[];
}

/** How a pool's Maglev table is made and asked. */
export interface MaglevUnit {
  /** Slots; a prime. */
  readonly tableSize: number;
  /** What is hashed on L4. */
  readonly hashKey: "FIVE_TUPLE" | "SOURCE_IP";
  /** Seed of the flow hash (the kernel's jhash), from the pool's id. */
  readonly seed: number;
}

/** One server of a pool. */
export interface BackendUnit {
  readonly id: string;
  readonly name: string;
  /** As the user wrote it: an IP address or a DNS name. */
  readonly host: string;
  /** Where to connect: canonical IP text. Absent while a DNS name has no answer: unusable. */
  readonly address?: string;
  readonly port: number;
  /** 0 to 256; 0 = drain. */
  readonly weight: number;
  /** Gets traffic only when no other backend of the pool is usable. */
  readonly backup: boolean;
  /** 0 = no limit; over all workers, exact within one each. */
  readonly maxConnections: number;
  /** False: administratively down, or draining after DeregisterBackend. */
  readonly enabled: boolean;
  /** True when the pool has a health check: until its first verdict the backend is UNKNOWN. */
  readonly monitored: boolean;
}

/**
 * What health checks say of a backend. UNKNOWN (no verdict so far) gets traffic only while nothing of the pool is
 * ONLINE. Backends without a health check are NO_MONITOR, which counts as ONLINE.
 */
export type BackendHealth = "UNKNOWN" | "ONLINE" | "OFFLINE" | "NO_MONITOR";

/** Why something of a load balancer does not work on this node. */
export interface Problem {
  readonly loadBalancerId: string;
  /** Absent when it concerns the whole load balancer. */
  readonly listenerId?: string;
  /** For people: what failed, why, what to do. */
  readonly reason: string;
}

/** How a pool chooses among its backends: a Maglev table, shared by all workers, replaced whole. */
export interface MaglevTableUnit {
  readonly poolId: string;
  /** Slots hold indices into this list. */
  readonly backendIds: readonly string[];
  /** One index per slot, in shared memory; empty when no backend is usable. Never written after the hand-over. */
  readonly slots: Uint16Array<SharedArrayBuffer>;
}
