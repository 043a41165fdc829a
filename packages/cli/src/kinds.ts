import type { DescService } from "@bufbuild/protobuf";
import * as api from "@fiberlb/api";
import { labelOf, nearestName, type ResourceKind } from "@fiberlb/types";

import { refusal, usageError } from "./exit.ts";

/** What a person can `get`: the resources, and nodes. */
export type Kind = ResourceKind | "node";

/** How a kind is typed, and which service stands behind it. */
export interface KindInfo {
  readonly kind: Kind;
  /** For people: `load balancer`. */
  readonly label: string;
  /** What is typed; the first is the full one. */
  readonly names: readonly [string, ...string[]];
  /** RPC names: `CreateLoadBalancer`, `ListLoadBalancers`. */
  readonly rpc: { readonly one: string; readonly many: string };
  readonly service: DescService;
  /** Property of the client. */
  readonly client: Exclude<keyof api.FiberlbClient, "close">;
  /** The kind that it stands below. */
  readonly parent?: ResourceKind;
  /** Names of what stands directly below. */
  readonly children: readonly ResourceKind[];
}

const define = (kind: Kind, info: Omit<KindInfo, "kind" | "label">): KindInfo => ({
  kind,
  label: kind === "node" ? "node" : labelOf(kind),
  ...info,
});

const rpcNames = (one: string, many = `${one}s`): KindInfo["rpc"] => ({ one, many });

const INFOS: Readonly<Record<Kind, KindInfo>> = {
  loadBalancer: define("loadBalancer", {
    names: ["loadbalancer", "lb", "loadbalancers", "lbs"],
    rpc: rpcNames("LoadBalancer"),
    service: api.LoadBalancerService,
    client: "loadBalancers",
    children: ["listener", "pool"],
  }),
  listener: define("listener", {
    names: ["listener", "listeners"],
    rpc: rpcNames("Listener"),
    service: api.ListenerService,
    client: "listeners",
    parent: "loadBalancer",
    children: ["l7Policy"],
  }),
  pool: define("pool", {
    names: ["pool", "pools"],
    rpc: rpcNames("Pool"),
    service: api.PoolService,
    client: "pools",
    parent: "loadBalancer",
    children: ["backend", "healthCheck"],
  }),
  backend: define("backend", {
    names: ["backend", "backends"],
    rpc: rpcNames("Backend"),
    service: api.BackendService,
    client: "backends",
    parent: "pool",
    children: [],
  }),
  healthCheck: define("healthCheck", {
    names: ["healthcheck", "hc", "healthchecks", "hcs"],
    rpc: rpcNames("HealthCheck"),
    service: api.HealthCheckService,
    client: "healthChecks",
    parent: "pool",
    children: [],
  }),
  l7Policy: define("l7Policy", {
    names: ["l7policy", "l7policies"],
    rpc: rpcNames("L7Policy", "L7Policies"),
    service: api.L7PolicyService,
    client: "l7Policies",
    parent: "listener",
    children: ["l7Rule"],
  }),
  l7Rule: define("l7Rule", {
    names: ["l7rule", "l7rules"],
    rpc: rpcNames("L7Rule"),
    service: api.L7RuleService,
    client: "l7Rules",
    parent: "l7Policy",
    children: [],
  }),
  certificate: define("certificate", {
    names: ["certificate", "cert", "certificates", "certs"],
    rpc: rpcNames("Certificate"),
    service: api.CertificateService,
    client: "certificates",
    children: [],
  }),
  vipPool: define("vipPool", {
    names: ["vippool", "vippools"],
    rpc: rpcNames("VipPool"),
    service: api.VipPoolService,
    client: "vipPools",
    children: [],
  }),
  node: define("node", {
    names: ["node", "nodes"],
    rpc: rpcNames("Node"),
    service: api.NodeService,
    client: "nodes",
    children: [],
  }),
};

/** Every kind, in the order of help texts. */
export const kindInfos: readonly KindInfo[] = Object.values(INFOS);

/** {@link KindInfo} of a kind. */
export const infoOf = (kind: Kind): KindInfo => INFOS[kind];

/** Kinds of the contract that this release's server does not serve. */
const NOT_SERVED = new Set(["quota", "quotas"]);

/** The kind that a person typed: any name or alias, in any case, hyphens and underscores ignored. */
export function parseKind(text: string): KindInfo {
  const typed = text.toLowerCase().replaceAll(/[-_]/g, "");
  const found = kindInfos.find(({ names }) => names.includes(typed));
  if (found !== undefined) return found;
  if (NOT_SERVED.has(typed)) throw refusal(`${typed} is not served by this server yet`);
  if (typed === "bgp")
    throw usageError("bgp is what nodes do with routers: it can be shown with `fiberlb get bgp` only");
  const near = nearestName(typed, [...kindInfos.flatMap(({ names }) => names), ...NOT_SERVED]);
  const kinds = kindInfos.map(({ names }) => names[0]).join(", ");
  throw usageError(
    `unknown kind ${JSON.stringify(text)}; ${near === undefined ? `one of ${kinds}` : `did you mean ${near}?`}`,
  );
}

/** A kind that can be created, changed and deleted. */
export type WritableInfo = KindInfo & { readonly kind: ResourceKind };

/** The kind that a person typed, for a command that writes. */
export function parseWritableKind(text: string): WritableInfo {
  const info = parseKind(text);
  if (info.kind === "node")
    throw usageError("nodes are made by `fiberlb serve` and cannot be created, changed or deleted");
  return info as WritableInfo;
}
