import { type FamilyWords, IPV4, IPV6, type Transport } from "./family.ts";
/**
 * The part of the table that is always the same: where the kernel calls us, and the sets that load balancers put
 * elements into. No chain of it grows with the number of listeners.
 */
import type { ChainModel, Fragment, SetModel } from "./fragment.ts";
import { IDLE_SET, idleKey, idleModel, idleName, type IdleTimeout } from "./idle-timeouts.ts";

/** What the base depends on. */
export interface BaseOptions {
  /** Name of the node, in the mark that tells our table from others'. */
  readonly node: string;
  /**
   * Whether the kernel serves any listener. If not, VIPs are guarded without connection tracking, which would cost the
   * connections of the whole host.
   */
  readonly forwards: boolean;
  /**
   * Families of which this host must not forward anything but what load balancers sent on and the replies: it did not
   * forward packets before FiberLB came.
   */
  readonly guardRouting: { readonly ipv4: boolean; readonly ipv6: boolean };
  /** Those that listeners refer to; each once. Default: none. */
  readonly idleTimeouts?: readonly IdleTimeout[];
}

/** Sets that count connections, and bytes of each direction, between an endpoint and a backend. */
export const FLOW_SETS = ["opened", "traffic.in", "traffic.out"] as const;

/** Why a connection was refused; each is a set that counts. */
export const REFUSALS = ["acl", "limit", "rate", "backend"] as const;
/** One of {@link REFUSALS}. */
export type Refusal = (typeof REFUSALS)[number];

/** A comment has 128 bytes in all. */
const MAX_NAME_LENGTH = 96;

/** What the table's comment says; a name is cut to what a comment can bear. */
export const tableComment = (node: string): string =>
  `fiberlb node=${node.replaceAll(/[^\w.:-]/g, "_").slice(0, MAX_NAME_LENGTH)}`;

/** A set that holds nothing but its comment. Reading a table's own comment makes nft 1.0.6 read all of the table. */
export const OWNER_SET = "owner";
/** Moves when sets or maps are declared in another way: then a table that an older release left is replaced whole. */
const FORMAT = 2;

/** What the comment of {@link OWNER_SET} says. */
export const ownerComment = (node: string): string => `${tableComment(node)} format=${FORMAT}`;

const FAMILIES = [IPV4, IPV6] as const;
const TRANSPORTS: readonly Transport[] = ["tcp", "udp"];

/** The base. */
export function baseFragment(options: BaseOptions): Fragment {
  const owner: SetModel = {
    kind: "set",
    declaration: `type mark; comment "${ownerComment(options.node)}";`,
    elements: new Map(),
  };
  const idle: SetModel = { kind: "set", declaration: "type mark;", elements: new Map() };
  const { idleTimeouts = [] } = options;
  const timeouts = idleTimeouts.map((timeout) => [idleName(timeout), idleModel(timeout)] as const);
  return {
    sets: new Map([[OWNER_SET, owner], [IDLE_SET, idle], ...FAMILIES.flatMap(sharedSets), ...timeouts]),
    chains: new Map(options.forwards ? forwardingChains(options) : guardChains()),
    elements: new Map([[IDLE_SET, new Map(idleTimeouts.map((timeout) => [idleKey(timeout), ""]))]]),
  };
}

function sharedSets({ suffix, addressType }: FamilyWords): readonly (readonly [string, SetModel])[] {
  const endpoint = `${addressType} . inet_proto . inet_service`;
  const set = (name: string, declaration: string, kind: "set" | "map" = "set"): readonly [string, SetModel] => [
    `${name}${suffix}`,
    { kind, declaration, elements: new Map() },
  ];
  const counted = `type ${endpoint} . ${addressType} . inet_service; counter;`;
  return [
    set("endpoints", `type ${endpoint} : verdict;`, "map"),
    set("local", `type ${endpoint} : verdict;`, "map"),
    set("guarded", `type ${addressType};`),
    set("masquerade", `type ${endpoint};`),
    ...FLOW_SETS.map((name) => set(name, counted)),
    ...REFUSALS.map((refusal) => set(`refused.${refusal}`, `type ${endpoint}; counter;`)),
  ];
}

/** A TCP packet that opens no connection. */
const NOT_A_START = "tcp flags & (fin | syn | rst | ack) != syn";

const endpointOf = (ip: string): string => `${ip} daddr . meta l4proto . th dport`;

/** Chains that others end in. What leaves the nat chains untranslated arrives at `local`, and is refused there. */
function leaves(): NamedChains {
  const refuse = ["meta l4proto tcp reject with tcp reset", "meta l4proto udp reject with icmpx port-unreachable"];
  return [
    ["refuse", { rules: refuse }],
    ...REFUSALS.map((refusal): readonly [string, ChainModel] => [
      `refused.${refusal}`,
      { rules: FAMILIES.map(({ ip, suffix }) => `${endpointOf(ip)} @refused.${refusal}${suffix}`) },
    ]),
  ];
}

/** See the first packet of each connection only: clients elsewhere (prerouting) and on this host (output). */
function natHooks(): NamedChains {
  const lookUp = [
    // A stranger in the middle of a connection is nobody's: whoever gets it resets it.
    `${NOT_A_START} return`,
    ...FAMILIES.map(({ ip, suffix }) => `${endpointOf(ip)} vmap @endpoints${suffix}`),
  ];
  const translated = (rule: (words: FamilyWords, transport: Transport) => string): string[] =>
    FAMILIES.flatMap((words) => TRANSPORTS.map((transport) => `meta l4proto ${transport} ${rule(words, transport)}`));
  return [
    ["prerouting", { hook: "type nat hook prerouting priority -100; policy accept;", rules: lookUp }],
    ["output", { hook: "type nat hook output priority -100; policy accept;", rules: lookUp }],
    [
      "postrouting",
      {
        hook: "type nat hook postrouting priority 100; policy accept;",
        rules: [
          "ct status & dnat == 0 return",
          ...translated((words) => `${flowOf(words)} @opened${words.suffix}`),
          ...translated((words) => `${servedBy(words)} @masquerade${words.suffix} masquerade`),
        ],
      },
    ],
  ];
}

/** The endpoint that a connection came to, in packets of both directions. */
const servedBy = ({ ip }: FamilyWords): string => `ct original ${ip} daddr . meta l4proto . ct original proto-dst`;
/** The endpoint and the backend. */
const flowOf = (words: FamilyWords): string => `${servedBy(words)} . ct reply ${words.ip} saddr . ct reply proto-src`;

/** Counts bytes. All packets of a direction pass its hook, those of clients on this host too. */
function figureHooks(): NamedChains {
  const count = (direction: "original" | "reply", set: string): string[] => [
    `ct direction != ${direction} return`,
    "ct status & dnat == 0 return",
    ...FAMILIES.flatMap((words) =>
      TRANSPORTS.map((transport) => `meta l4proto ${transport} ${flowOf(words)} @${set}${words.suffix}`),
    ),
  ];
  return [
    [
      "traffic.in",
      { hook: "type filter hook postrouting priority 0; policy accept;", rules: count("original", "traffic.in") },
    ],
    [
      "traffic.out",
      { hook: "type filter hook prerouting priority -150; policy accept;", rules: count("reply", "traffic.out") },
    ],
  ];
}

/** Nothing but listeners may be reached at a VIP. */
const VIP_RULES = FAMILIES.flatMap(({ ip, suffix }) => [
  `${endpointOf(ip)} vmap @local${suffix}`,
  `${ip} daddr @guarded${suffix} jump refuse`,
]);
const INPUT_HOOK = "type filter hook input priority 0; policy accept;";

type NamedChains = readonly (readonly [string, ChainModel])[];

/** Whoever is not new has passed before. */
function guardChains(): NamedChains {
  return [...leaves(), ["input", { hook: INPUT_HOOK, rules: [`${NOT_A_START} accept`, ...VIP_RULES] }]];
}

/** VIPs may be local (input) or not (forward). */
function forwardingChains({ guardRouting }: BaseOptions): NamedChains {
  const guards = [
    ...(guardRouting.ipv4 ? ["meta nfproto ipv4 drop"] : []),
    ...(guardRouting.ipv6 ? ["meta nfproto ipv6 drop"] : []),
  ];
  const known = "ct state established,related accept";
  return [
    ...leaves(),
    ...natHooks(),
    ...figureHooks(),
    // This host resets strangers itself, and knows connections of user space that conntrack does not.
    ["input", { hook: INPUT_HOOK, rules: [known, `${NOT_A_START} accept`, ...VIP_RULES] }],
    [
      "forward",
      {
        hook: "type filter hook forward priority 0; policy accept;",
        rules: [known, "ct status dnat accept", ...VIP_RULES, ...guards],
      },
    ],
  ];
}
