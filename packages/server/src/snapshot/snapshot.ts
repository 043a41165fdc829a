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
  /** Listeners that should be open; one that is administratively down, or has no certificate to use, is not in here. */
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
  /** New connections (flows, with UDP) that one source may make in a second; absent = any number. */
  readonly newConnectionsPerSPerSource?: number;
  /** Absent: every connection is refused, with a reset; a request that no policy takes, with 503. */
  readonly defaultPoolId?: string;
  /** Set when every connection must begin with a header of the PROXY protocol. */
  readonly proxyProtocol?: ProxyProtocolUnit;
  /** What TLS and HTTPS listeners have besides; absent with every other protocol. */
  readonly tls?: TlsUnit;
  /** What HTTP and HTTPS listeners have besides; absent with every other protocol. */
  readonly http?: HttpUnit;
  /**
   * What chooses by the name that a client's TLS hello shows, without TLS being ended here: on TCP listeners that have
   * policies, in order of their positions, without those that are administratively down.
   */
  readonly sniPolicies?: readonly PolicyUnit[];
}

/** How a listener takes the PROXY protocol, version 1 or 2. */
export interface ProxyProtocolUnit {
  /** CIDRs that peers must come from to be believed; empty = nobody. */
  readonly trustedCidrs: readonly string[];
}

/** How a listener speaks TLS with clients. */
export interface TlsUnit {
  /** At least one; the first is for clients that name no server, or one that none of them is for. */
  readonly certificates: readonly CertificateUnit[];
  readonly minVersion: "TLS_1_2" | "TLS_1_3";
  readonly clientAuth: "NONE" | "OPTIONAL" | "REQUIRED";
  /** In order of preference; empty = none is negotiated. */
  readonly alpnProtocols: readonly ("h2" | "http/1.1")[];
  /** What certificates of clients are verified with; absent only when none is asked for. */
  readonly clientCaPem?: string;
}

/** A certificate and its key. Secret: never logged, never answered. */
export interface CertificateUnit {
  readonly id: string;
  /** The certificate and those that it was issued with, in PEM. */
  readonly chainPem: string;
  readonly privateKeyPem: string;
  /** Names it is for, in lower case, `*.` for one label; IP addresses among them are of no use to SNI. */
  readonly names: readonly string[];
}

/** How a listener treats requests. Timeouts of 0 are off. */
export interface HttpUnit {
  /** Without a byte from the backend for so long the request ends with 504. */
  readonly backendIdleTimeoutMs: number;
  /** From the end of the request's headers to the response's headers. */
  readonly requestTimeoutMs: number;
  /** For the whole head of a request, from its first byte. */
  readonly requestHeaderTimeoutMs: number;
  /** Whole head: request line and all headers. */
  readonly maxRequestHeaderBytes: number;
  readonly maxUriBytes: number;
  readonly maxHeaderCount: number;
  /** 0 = no limit. */
  readonly maxRequestBodyBytes: number;
  /** Requests that one source may make in a second, over all its connections; absent = any number. */
  readonly requestsPerSPerSource?: number;
  /** What happens to X-Forwarded-* and Forwarded that the client sent. */
  readonly forwardedHeaders: "APPEND" | "PRESERVE" | "REMOVE";
  /** Gives a request without X-Request-Id one. */
  readonly addRequestId: boolean;
  /** `max-age` of Strict-Transport-Security; 0 = not sent. */
  readonly hstsMaxAgeS: number;
  /** OFF lets ambiguous paths pass although policies look at the path. */
  readonly pathNormalization: "ON" | "OFF";
  /** Says in a header of its own why a request got 503. */
  readonly exposeReasonHeader: boolean;
  /** In order of their positions, without those that are administratively down. */
  readonly policies: readonly PolicyUnit[];
}

/** What happens to requests that all of the rules match. */
export interface PolicyUnit {
  readonly id: string;
  readonly name: string;
  /**
   * Without those that are administratively down. None: the policy takes no request, since a policy is made before its
   * rules and would take every request until the first one stands.
   */
  readonly rules: readonly RuleUnit[];
  readonly action: ActionUnit;
  readonly setResponseHeaders: readonly HeaderEditUnit[];
}

/** One condition of a policy; fields as in the API. */
export interface RuleUnit {
  readonly id: string;
  readonly type:
    | "HOST_NAME"
    | "PATH"
    | "FILE_TYPE"
    | "METHOD"
    | "QUERY"
    | "HEADER"
    | "COOKIE"
    | "SOURCE_IP"
    | "SNI"
    | "SSL_CONN_HAS_CERT"
    | "SSL_DN_FIELD";
  readonly compareType: "EQUAL_TO" | "STARTS_WITH" | "ENDS_WITH" | "CONTAINS" | "REGEX";
  /** Header, cookie, query parameter or field of the subject's distinguished name. */
  readonly key?: string;
  readonly value: string;
  readonly invert: boolean;
}

/** What a policy does. */
export type ActionUnit =
  | {
      readonly type: "REDIRECT_TO_POOL";
      /** At least one; a single one has all requests whatever its weight. */
      readonly pools: readonly WeightedPoolUnit[];
      /** Authority that the backend gets instead of the client's. */
      readonly rewriteHost?: string;
      readonly rewritePath?: PathRewriteUnit;
      readonly setRequestHeaders: readonly HeaderEditUnit[];
    }
  | {
      readonly type: "REDIRECT_TO_URL" | "REDIRECT_PREFIX";
      /** Absolute URL in which placeholders such as `#{host}` may stand. */
      readonly url: string;
      readonly code: number;
    }
  | {
      readonly type: "FIXED_RESPONSE";
      readonly code: number;
      readonly contentType: string;
      readonly body: string;
    }
  | { readonly type: "REJECT" };

/** One of several pools that share requests. */
export interface WeightedPoolUnit {
  readonly poolId: string;
  /** 0 to 256. */
  readonly weight: number;
}

/** The beginning of the path, and what stands there when the backend gets it. */
export interface PathRewriteUnit {
  readonly from: string;
  readonly to: string;
}

/** Sets a header, or removes it when the value is empty. */
export interface HeaderEditUnit {
  readonly name: string;
  readonly value: string;
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
  /** Set when a cookie keeps clients with their backend. */
  readonly session?: SessionUnit;
  /**
   * Set when backends are spoken to over TLS. Absent on an HTTPS pool: what they are verified with, or shown, cannot be had;
   * then none of them has an address, because they must not be spoken to in any other way.
   */
  readonly backendTls?: BackendTlsUnit;
  /** Every connection to a backend, or datagram, begins with this header that says who its client is; absent: none. */
  readonly sendProxyProtocol?: "V1" | "V2";
  /** How long a backend that leaves (weight 0, removed, administratively down) keeps its connections. */
  readonly drainTimeoutMs: number;
  /** A backend that came back gets its full share only after so long; 0 = at once. */
  readonly slowStartMs: number;
  /** Below this share of usable backends all of them get traffic; 0 = off. */
  readonly panicThresholdPercent: number;
  /** RESET ends the connections of a backend that is found down. */
  readonly onBackendDown: "RESET" | "KEEP";
  /**
   * How the kernel sends packets on. NAT: backends see the client's address, and their way back must lead over this
   * node. DSR: backends answer clients themselves. Absent: backends see this node's address.
   */
  readonly forwarding?: "NAT" | "DSR";
  /** Set when backends that fail real traffic are left out for a while. */
  readonly outlierDetection?: OutlierUnit;
  /** How long a connection or request waits for a place while every backend has all it may have; absent = not at all. */
  readonly queueTimeoutMs?: number;
  /** Set when the pool needs a Maglev table: its algorithm is MAGLEV, or clients stay by source address. */
  readonly maglev?: MaglevUnit;
  /** Ordered by id, so that every worker and node sees the same order. */
  readonly backends: readonly BackendUnit[];
}

/** Cookies that keep a client with its backend. */
export interface SessionUnit {
  /** LB_COOKIE: the listener's own cookie. APP_COOKIE: one beside the cookie that the backend sets. */
  readonly type: "LB_COOKIE" | "APP_COOKIE";
  /** The listener's own cookie, or the backend's. */
  readonly cookieName: string;
  /** How long the listener's cookie lives after a response; 0 = until the client ends its session. */
  readonly timeoutS: number;
}

/** When a backend that fails real traffic is left out, and for how long (passive health checking). */
export interface OutlierUnit {
  /** Failures in a row, over all workers, that have it ejected. */
  readonly consecutiveErrors: number;
  /** The first ejection; further ones in a row take longer. */
  readonly ejectionMs: number;
  /** Of the pool's backends no more are ejected at once, but always one may be. */
  readonly maxEjectedPercent: number;
}

/** How a pool speaks TLS with its backends. */
export interface BackendTlsUnit {
  /** What backends are verified with; absent = the system's authorities. */
  readonly caPem?: string;
  /** SNI, and the name that the backend's certificate must bear; absent = the backend's DNS name or address. */
  readonly serverName?: string;
  /** Shown to backends. */
  readonly clientCertificate?: CertificateUnit;
  readonly skipVerify: boolean;
  /** In order of preference. */
  readonly alpnProtocols: readonly ("h2" | "http/1.1")[];
}

/** How a pool's Maglev table is made and asked. */
export interface MaglevUnit {
  /** Slots; a prime. */
  readonly tableSize: number;
  /** What is hashed. HEADER and COOKIE are for requests; one without it goes by the FIVE_TUPLE. */
  readonly hashKey: "FIVE_TUPLE" | "SOURCE_IP" | "HEADER" | "COOKIE";
  /** Name of the header (in lower case) or cookie; only with those. */
  readonly hashKeyName?: string;
  /** Seed of the flow hash (the kernel's jhash), from the pool's id. */
  readonly seed: number;
}

/** One server of a pool. */
export interface BackendUnit {
  readonly id: string;
  readonly name: string;
  /** As the user wrote it: an IP address or a DNS name. */
  readonly host: string;
  /** Where to connect: canonical IP text. Absent while a DNS name has no answer, or the pool's certificates: unusable. */
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
  /** Set when nobody can connect to the listener: it is open in no worker, and the kernel does not forward it. */
  readonly isClosed?: true;
}

/**
 * How a pool chooses among its backends: a Maglev table of all that share a tier, usable or not, shared by all workers,
 * replaced whole. Who may not get traffic now is skipped by `successor` of `@fiberlb/maglev`.
 */
export interface MaglevTableUnit {
  readonly poolId: string;
  /** Slots hold indices into this list. */
  readonly backendIds: readonly string[];
  /** One index per slot, in shared memory; empty when there is no backend. Never written after the hand-over. */
  readonly slots: Uint16Array<SharedArrayBuffer>;
}
