/**
 * The part of the table `netdev fiberlb` that is always the same. Direct server return takes packets where they come in,
 * before the kernel's own stack, and sends them to a backend's link address: nothing is translated, and no connection
 * tracking knows of them.
 */
import type { TablePlan } from "./driver.ts";
import { type FamilyWords, IPV4, IPV6 } from "./family.ts";
import { type ChainModel, type Fragment, NETDEV_TABLE, type SetModel } from "./fragment.ts";
import { OWNER_SET, ownerComment, type Refusal } from "./hooks.ts";

/** What the base depends on. */
export interface NetdevBaseOptions {
  /** Name of the node, in the mark that tells our table from others'. */
  readonly node: string;
  /** Devices that clients' packets may come in by. */
  readonly devices: readonly string[];
}

/** Sets that count, by endpoint and backend. What backends answer is not seen. */
export const DSR_FLOW_SETS = ["opened", "traffic.in"] as const;
/** Why a connection is refused; `limit` takes connection tracking. */
export const DSR_REFUSALS = ["acl", "rate", "backend"] as const satisfies readonly Refusal[];

const FAMILIES = [IPV4, IPV6] as const;

/** The endpoint that a packet is for. */
export const endpointFields = ({ ip }: FamilyWords): string => `${ip} daddr . meta l4proto . th dport`;

/** The base. */
export function netdevBase({ node, devices }: NetdevBaseOptions): Fragment {
  const owner: SetModel = {
    kind: "set",
    declaration: `type mark; comment "${ownerComment(node)}";`,
    elements: new Map(),
  };
  return {
    sets: new Map([[OWNER_SET, owner], ...FAMILIES.flatMap(sharedSets)]),
    chains: new Map([...leaves(), ...devices.map(ingress)]),
    elements: new Map(),
  };
}

/** The plan of `netdev fiberlb`. */
export const NETDEV_PLAN: TablePlan<NetdevBaseOptions> = {
  table: NETDEV_TABLE,
  base: netdevBase,
  // Chains of devices that have gone are swept like those of listeners.
  largest: (options) => options,
};

function sharedSets({ suffix, addressType }: FamilyWords): readonly (readonly [string, SetModel])[] {
  const endpoint = `${addressType} . inet_proto . inet_service`;
  const set = (name: string, declaration: string, kind: "set" | "map" = "set"): readonly [string, SetModel] => [
    `${name}${suffix}`,
    { kind, declaration, elements: new Map() },
  ];
  return [
    set("endpoints", `type ${endpoint} : verdict;`, "map"),
    ...DSR_FLOW_SETS.map((name) => set(name, `type ${endpoint} . mark; counter;`)),
    ...DSR_REFUSALS.map((refusal) => set(`refused.${refusal}`, `type ${endpoint}; counter;`)),
  ];
}

/** Chains that others end in. */
function leaves(): readonly (readonly [string, ChainModel])[] {
  const refuse = ["meta l4proto tcp reject with tcp reset", "meta l4proto udp reject with icmpx port-unreachable"];
  return [
    ["refuse", { rules: refuse }],
    ...DSR_REFUSALS.map((refusal): readonly [string, ChainModel] => [
      `refused.${refusal}`,
      {
        rules: [
          ...FAMILIES.map((words) => `${endpointFields(words)} @refused.${refusal}${words.suffix}`),
          "goto refuse",
        ],
      },
    ]),
  ];
}

function ingress(device: string): readonly [string, ChainModel] {
  return [
    `ingress.${device}`,
    {
      hook: `type filter hook ingress device "${device}" priority 0; policy accept;`,
      rules: [
        // A link that floods, or a device that listens to everything, shows packets that are for somebody else.
        "meta pkttype != host return",
        ...FAMILIES.map((words) => `${endpointFields(words)} vmap @endpoints${words.suffix}`),
      ],
    },
  ];
}
