import type { NeighbourState } from "../data/l4/nftables/neighbours.ts";

/** Everything that `fiberlb doctor` looks at, as it was found. What could not be found out is undefined. */
export interface DoctorFacts {
  readonly ports: { readonly api: PortFact; readonly admin: PortFact };
  /** A node runs with the configured store. */
  readonly nodeRuns: boolean;
  /** How many files and sockets a process may have open. */
  readonly openFiles: number | undefined;
  readonly capabilities: Capabilities | undefined;
  /** First port that needs no privilege. */
  readonly unprivilegedPortStart: number | undefined;
  /** What the programs say of their version; undefined: not installed. */
  readonly programs: {
    readonly ip: string | undefined;
    readonly nft: string | undefined;
    readonly conntrack: boolean;
    readonly arping: boolean;
  };
  /** Connections that the kernel follows; undefined: it follows none. */
  readonly conntrack: { readonly count: number; readonly max: number } | undefined;
  /** Values of sysctls, by name. */
  readonly sysctls: Readonly<Partial<Record<SysctlName, string>>>;
  /** `net.ipv4.conf.*.rp_filter`, by interface. */
  readonly reversePathFilters: Readonly<Record<string, number>>;
  /** Networks that interfaces other than loopback are in, as CIDR. */
  readonly networks: readonly { readonly interface: string; readonly cidr: string }[];
  /** Interfaces that VIPs are announced on (l2), and why that can't be; empty when it can. */
  readonly links: Readonly<Record<string, string>>;
  /** Why no packet socket can be opened; empty when one can, or when none is needed. */
  readonly packetSocket: string;
  /** Sockets of other programs that take all addresses of their port. */
  readonly wildcardSockets: readonly { readonly protocol: "tcp" | "udp"; readonly port: number }[];
  /** What the kernel does by direct server return now; absent: nothing, or it cannot be seen. */
  readonly directReturn?: DirectReturnFacts;
  /** Of SQLite. */
  readonly store: StoreFact | undefined;
  /** With `store.kind: etcd`. */
  readonly etcd?: EtcdFact;
  /** What GoBGP says of itself; undefined: it is not configured. */
  readonly gobgp: GobgpFact | undefined;
  readonly keyFile: { readonly path: string; readonly mode: number } | undefined;
  /** Wall clock, milliseconds since 1970. */
  readonly epochMs: number;
}

/** What a bind for a moment said: it worked, or the system's error name. */
export type PortFact = "free" | (string & {});

/** Pools with `forwarding: DSR`, as the kernel's table has them. */
export interface DirectReturnFacts {
  readonly backends: readonly DirectReturnBackend[];
  /** VIPs that somebody on a link says are his; undefined: could not be asked. */
  readonly claimed: readonly { readonly vip: string; readonly interface: string; readonly by: string }[] | undefined;
}

/** A backend that packets are sent to by its link address. */
export interface DirectReturnBackend {
  readonly address: string;
  /** Interface of the subnet that it is in; undefined: none of this host's. */
  readonly interface: string | undefined;
  /** What the neighbour table says of it; `absent`: nothing. */
  readonly neighbour: NeighbourState | "absent";
}

/** Rights of this process. */
export interface Capabilities {
  readonly netAdmin: boolean;
  readonly netBindService: boolean;
}

/** Sysctls that matter. */
export const SYSCTLS = [
  "net.ipv4.ip_forward",
  "net.ipv6.conf.all.forwarding",
  "net.ipv4.tcp_migrate_req",
  "net.core.somaxconn",
  "net.core.rmem_max",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_nonlocal_bind",
  "net.ipv6.ip_nonlocal_bind",
] as const;

/** The name of one of {@link SYSCTLS}. */
export type SysctlName = (typeof SYSCTLS)[number];

/** What the configured etcd said. */
export interface EtcdFact {
  readonly endpoints: readonly string[];
  /** Why it cannot be used; absent: it can. */
  readonly problem?: string;
}

/** A GoBGP daemon. */
export interface GobgpFact {
  /** Where its API is. */
  readonly address: string;
  /** Of its API: 3 is GoBGP 3.x; undefined: it does not answer. */
  readonly generation: 3 | 4 | undefined;
  /** Its own autonomous system; undefined: none so far. */
  readonly asn: number | undefined;
  /** Why it does not answer; empty when it does. */
  readonly problem: string;
}

/** Where the store is, or will be. */
export interface StoreFact {
  readonly path: string;
  /** The nearest folder that exists. */
  readonly folder: string;
  readonly isWritable: boolean;
  readonly freeBytes: number;
  /** When the file was written last, milliseconds since 1970; absent: there is none. */
  readonly modifiedAtMs?: number;
}
