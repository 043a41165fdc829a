import { routeSettings } from "@fiberlb/types";
import { z } from "zod";

import { bgpSchema } from "./bgp-schema.ts";

const MAX_MS = 3_600_000;

/** `host:port`, IPv6 in brackets; port 0 lets the system choose. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Splits `127.0.0.1:9080` or `[::1]:9080`; undefined when it is neither. */
export function parseListen(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

const listen = (fallback: string) =>
  z
    .string()
    .refine((text) => parseListen(text) !== undefined, {
      error: (issue) => `"${String(issue.input)}" is no address to listen on; write host:port, for example ${fallback}`,
    })
    .default(fallback);

const tls = z
  .strictObject({
    cert: z.string().min(1).meta({ description: "PEM file with the certificate chain" }),
    key: z.string().min(1).meta({ description: "PEM file with the private key" }),
    clientCa: z
      .string()
      .min(1)
      .optional()
      .meta({ description: "PEM file; when set, clients must show a certificate signed by it" }),
  })
  .optional();

const vipPool = z.strictObject({
  name: z.string().min(1).max(255).meta({ description: "Name that `vip_pool` of a load balancer refers to" }),
  cidrs: z
    .array(z.string())
    .min(1)
    .meta({ description: "IPv4 and IPv6, as CIDR (203.0.113.0/24) or range (203.0.113.10-203.0.113.20)" }),
  autoAssign: z
    .boolean()
    .default(true)
    .meta({ description: "Whether a load balancer that names no pool may get an address from it" }),
  announce: z
    .strictObject({
      kind: z.enum(["bgp", "l2", "none"]).optional(),
      interface: z.string().min(1).max(15).optional(),
    })
    .optional()
    .meta({ description: "How its VIPs are announced; kind is bgp where there is a bgp section, else none" }),
  bgp: z
    .strictObject({ ...routeSettings, whenAllDown: z.enum(["announce", "withdraw"]).optional() })
    .optional()
    .meta({ description: "What differs from the bgp section for its VIPs" }),
});

/** The pool of a node that was given none: only this host can reach it. */
export const DEFAULT_VIP_POOLS: readonly z.infer<typeof vipPool>[] = [
  { name: "default", cidrs: ["127.10.0.0/16"], autoAssign: true },
];

const node = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(253)
    .optional()
    .meta({ description: "Unique in the cluster; the host's name when absent" }),
  dataDir: z.string().min(1).optional().meta({
    description:
      "Folder of what this node keeps for itself. Default: that of the SQLite file; ./fiberlb-data with etcd",
  }),
});

const api = z.strictObject({
  listen: listen("127.0.0.1:9080").meta({ description: "gRPC, gRPC-Web and Connect (JSON), all on this one port" }),
  tls: tls.meta({ description: "Absent: cleartext" }),
});

const admin = z.strictObject({
  listen: listen("127.0.0.1:9081").meta({ description: "/metrics, /healthz, /readyz, /readyz/api" }),
});

const store = z.strictObject({
  kind: z.enum(["sqlite", "memory", "etcd"]).default("sqlite").meta({
    description:
      "sqlite: one file, no server. memory: forgets everything at exit. etcd: a cluster that all nodes share",
  }),
  path: z.string().min(1).default("./fiberlb-data/fiberlb.db").meta({
    description: "The SQLite file; its folder also holds the key file, the list of VIPs on lo and the control socket",
  }),
  endpoints: z
    .array(z.string())
    .min(1)
    .optional()
    .meta({ description: "etcd: URLs of the members, https://10.0.0.1:2379; one is enough, all are better" }),
  tls: z
    .strictObject({
      ca: z.string().min(1).optional().meta({
        description: "etcd: PEM file with who may sign the members' certificates. Default: what the system trusts",
      }),
      cert: z.string().min(1).optional().meta({ description: "etcd: PEM file with this node's own certificate" }),
      key: z.string().min(1).optional().meta({ description: "etcd: PEM file with its private key" }),
    })
    .optional(),
  username: z.string().min(1).optional().meta({ description: "etcd: who to be, where its authentication is enabled" }),
  passwordFile: z.string().min(1).optional().meta({ description: "etcd: file with that user's password" }),
  prefix: z.string().default("/fiberlb/").meta({
    description: 'etcd: comes before every key, ends with "/"; nodes with the same one form a cluster',
  }),
});

const auth = z.strictObject({
  kind: z
    .enum(["none", "tokens", "jwt", "iam"])
    .default("none")
    .meta({ description: "none: tenant from x-org-id and x-project-id. The others are not in this release" }),
  allowInsecure: z
    .boolean()
    .default(false)
    .meta({ description: "Lets `none` serve an API address that other hosts can reach" }),
});

const dataPlane = z.strictObject({
  workers: z
    .union([z.literal("auto"), z.int().min(1).max(256)])
    .default("auto")
    .meta({ description: "Threads that carry traffic; auto: one a core" }),
  engine: z
    .enum(["auto", "node", "linux"])
    .default("auto")
    .meta({ description: "System call engine; auto and node: node:net" }),
  l4: z.enum(["auto", "userspace", "nftables"]).default("auto").meta({
    description:
      "Who forwards TCP and UDP. auto: the kernel (nftables) where it can, this process otherwise. userspace: this process. nftables: the kernel; a listener that it could serve and this host does not let it is an error",
  }),
  bind: z.enum(["assign", "existing", "anyip"]).default("assign").meta({
    description:
      "assign: VIPs that are not local are added to lo and removed again. existing: they must be there. anyip: an AnyIP route makes them local",
  }),
  onStop: z.enum(["keep", "remove"]).default("keep").meta({
    description: "What becomes of listeners that the kernel forwards when this process stops: they go on, or they end",
  }),
  routeOthers: z.enum(["auto", "never", "always"]).default("auto").meta({
    description:
      "Whether this host, while it forwards for load balancers, forwards other packets. auto: only if it did before FiberLB came",
  }),
});

const l2 = z.strictObject({
  leaseTtlS: z.int().min(2).max(60).default(3).meta({
    description:
      "With announce.kind l2: how long a silent node keeps its VIPs. Lower: faster failover after a crash. Higher: VIPs outlive a longer time without the store. The same on every node",
  }),
  preemptAfterS: z.int().min(0).max(86_400).default(60).meta({
    description:
      "With announce.kind l2: a node that ranks first for a VIP gets it back after it was able to serve it for so long; 0: never while its owner can",
  }),
});

const shutdown = z.strictObject({
  drainTimeoutMs: z
    .int()
    .min(0)
    .max(MAX_MS)
    .default(30_000)
    .meta({ description: "How long connections may take to finish after SIGTERM" }),
  withdrawWaitMs: z
    .int()
    .min(0)
    .max(MAX_MS)
    .default(2000)
    .meta({ description: "With BGP: how long routers get to hear of the withdrawal" }),
});

const secrets = z.strictObject({
  keyFile: z.string().min(1).optional().meta({
    description:
      "Key that private keys are encrypted with; made, mode 0600, beside the SQLite file when absent. Required with etcd, the same on every node",
  }),
});

const backends = z.strictObject({
  deniedCidrs: z.array(z.string()).optional().meta({
    description: "Where backends must not be. Default: nothing with `auth: none`, the nodes' own networks otherwise",
  }),
});

const log = z.strictObject({
  level: z.enum(["debug", "info", "warn", "error"]).default("info").meta({ description: "SIGHUP re-reads it" }),
  format: z
    .enum(["auto", "json", "pretty"])
    .default("auto")
    .meta({ description: "auto: pretty on a terminal, JSON otherwise" }),
});

const section = <T extends z.ZodType>(schema: T) => schema.prefault({} as never);

/** The configuration file of `fiberlb serve`, with every default. Unknown keys are errors. */
export const configSchema = z.strictObject({
  node: section(node),
  api: section(api),
  admin: section(admin),
  store: section(store),
  auth: section(auth),
  vipPools: z.array(vipPool).min(1).optional().meta({
    description:
      "First start only: later the store's pools rule. Absent: one pool, 127.10.0.0/16, for this host alone. Each has name, cidrs, autoAssign, announce {kind: bgp, l2 or none; interface}, bgp {nextHop, nextHopV6, communities, largeCommunities, localPref, med, aggregateV4, aggregateV6, whenAllDown}",
  }),
  vipReuseDelayS: z
    .int()
    .min(0)
    .max(86_400)
    .default(60)
    .meta({ description: "How long a freed VIP is not handed out again unless asked for" }),
  dataPlane: section(dataPlane),
  bgp: bgpSchema.optional(),
  l2: section(l2),
  shutdown: section(shutdown),
  secrets: section(secrets),
  backends: section(backends),
  log: section(log),
});

/** The configuration of a node: effective values only. */
export type Config = z.infer<typeof configSchema>;
