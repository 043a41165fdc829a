import { type IpAddress, type IpFamily, ipFamily, ipFromBigInt, ipToBigInt, type ResourceKind } from "@fiberlb/types";

/**
 * Where everything stands in the store. Tenant first, so that no read of one tenant can touch another's keys, and a load
 * balancer with all that is below it is one range.
 *
 * ```
 * /lb/v1/t/<org>/<project>/lb/<lb>/self                    the load balancer
 * /lb/v1/t/<org>/<project>/lb/<lb>/<kind>/<parent>/<id>    what is below it
 * /lb/v1/t/<org>/<project>/lb/<lb>/policies/<listener>     order of a listener's L7 policies
 * /lb/v1/t/<org>/<project>/certificate/<id>
 * /lb/v1/t/<org>/<project>/id/<kind>/<id>                  where an entity is: "<lb>/<parent>"
 * /lb/v1/t/<org>/<project>/unique/…                        one key for each thing that may be there once
 * /lb/v1/t/<org>/<project>/ref/<target>/<kind>/<id>        who refers to a pool or certificate
 * /lb/v1/t/<org>/<project>/touch/<certificate>             written by whoever refers to it
 * /lb/v1/t/<org>/<project>/request/<method>/<request id>   idempotency records, under a lease
 * /lb/v1/unit/<lb>                                         written by every change of a load balancer or below it
 * /lb/v1/deleting/<org>/<project>/<lb>/<kind>/<id>         a cascade that runs
 * /lb/v1/vip/used/<address>, /lb/v1/vip/released/<address>
 * /lb/v1/vippool/<id>, /lb/v1/vippool-name/<name>, /lb/v1/vippool-touch/<name>
 * /lb/v1/cluster/key                                       fingerprint of the key that all nodes have
 * /lb/v1/node/<name>                                       under the node's lease
 * /lb/v1/l2/owner/<address>, /lb/v1/l2/node/<name>         who has a VIP on its link, who could; under a lease of its own
 * /lb/v1/node-name/<name>                                  which process is the node: the first key of its lease
 * /lb/v1/drain/<node>                                      an operator wants the node out of service
 * /lb/v1/elected                                           which node acts for all, under its lease
 * /lb/v1/dns/<name>                                        what a DNS name of a backend stands for, by the elected node
 * /lb/v1/schema                                            version of what is stored here
 * /lb/v1/health/<lb>/<backend>/<node>                      verdicts, under the node's lease
 * /lb/v1/health/<lb>/<backend>/ejected/<node>              ejections, likewise
 * /lb/v1/announce/<address>/<node>                        what a node can do for a VIP, under the node's lease
 * /lb/v1/bgp/<node>                                       its sessions with routers, under the node's lease
 * /lb/v1/registered/<backend>, /lb/v1/registration/<backend>  registered backends; the second under a lease of ttl_s
 * ```
 */
export const ROOT = "/lb/v1";

/** Whose a resource is. */
export interface Tenant {
  readonly orgId: string;
  readonly projectId: string;
}

/** Kinds that belong to a tenant: all but VIP pools. */
export type TenantKind = Exclude<ResourceKind, "vipPool">;

/** Kinds that stand below a load balancer. */
export type TreeKind = Exclude<TenantKind, "loadBalancer" | "certificate">;

/** Where an entity is. Of a load balancer and of a certificate the id says it all. */
export interface Location {
  readonly kind: TenantKind;
  readonly id: string;
  /** The load balancer that it is, or is below; empty for certificates. */
  readonly loadBalancerId: string;
  /** What it is directly below; empty for load balancers and certificates. */
  readonly parentId: string;
}

const tenantPrefix = ({ orgId, projectId }: Tenant): string => `${ROOT}/t/${orgId}/${projectId}`;
/** Free text as one part of a key. */
const part = (text: string): string => encodeURIComponent(text);

/** Everything of a load balancer. */
export const treePrefix = (tenant: Tenant, loadBalancerId: string): string =>
  `${tenantPrefix(tenant)}/lb/${loadBalancerId}/`;

export const loadBalancerKey = (tenant: Tenant, id: string): string => `${treePrefix(tenant, id)}self`;

/** The children of one kind of one parent. */
export const childrenPrefix = (
  tenant: Tenant,
  at: { kind: TreeKind; loadBalancerId: string; parentId: string },
): string => `${treePrefix(tenant, at.loadBalancerId)}${at.kind}/${at.parentId}/`;

export function entityKey(tenant: Tenant, { kind, id, loadBalancerId, parentId }: Location): string {
  if (kind === "loadBalancer") return loadBalancerKey(tenant, id);
  if (kind === "certificate") return `${tenantPrefix(tenant)}/certificate/${id}`;
  return `${childrenPrefix(tenant, { kind, loadBalancerId, parentId })}${id}`;
}

/** Order of a listener's L7 policies: a JSON list of ids. */
export const policyOrderKey = (tenant: Tenant, at: { loadBalancerId: string; listenerId: string }): string =>
  `${treePrefix(tenant, at.loadBalancerId)}policies/${at.listenerId}`;

/** All ids of one kind, in order of creation. */
export const idPrefix = (tenant: Tenant, kind: TenantKind): string => `${tenantPrefix(tenant)}/id/${kind}/`;
export const idKey = (tenant: Tenant, kind: TenantKind, id: string): string => `${idPrefix(tenant, kind)}${id}`;

/** Names are unique within their parent; load balancers and certificates within the project. */
export const nameKey = (tenant: Tenant, at: { kind: TenantKind; parentId: string; name: string }): string =>
  `${tenantPrefix(tenant)}/unique/name/${at.kind}/${at.parentId === "" ? "-" : at.parentId}/${part(at.name)}`;

/** A port of a VIP; TCP and UDP have their own. A load balancer owns its VIP alone, so it stands for the address. */
export const portKey = (
  tenant: Tenant,
  at: { loadBalancerId: string; transport: "tcp" | "udp"; port: number },
): string => `${tenantPrefix(tenant)}/unique/port/${at.loadBalancerId}/${at.transport}/${at.port}`;

export const backendAddressKey = (tenant: Tenant, at: { poolId: string; address: string; port: number }): string =>
  `${tenantPrefix(tenant)}/unique/backend/${at.poolId}/${part(at.address)}/${at.port}`;

export const healthCheckOfPoolKey = (tenant: Tenant, poolId: string): string =>
  `${tenantPrefix(tenant)}/unique/healthcheck/${poolId}`;

export const referencesPrefix = (tenant: Tenant, targetId: string): string =>
  `${tenantPrefix(tenant)}/ref/${targetId}/`;
export const referenceKey = (tenant: Tenant, targetId: string, source: { kind: string; id: string }): string =>
  `${referencesPrefix(tenant, targetId)}${source.kind}/${source.id}`;
export const touchKey = (tenant: Tenant, certificateId: string): string =>
  `${tenantPrefix(tenant)}/touch/${certificateId}`;

export const requestKey = (tenant: Tenant, method: string, requestId: string): string =>
  `${tenantPrefix(tenant)}/request/${method}/${part(requestId)}`;

export const UNIT_PREFIX = `${ROOT}/unit/`;
export const unitKey = (loadBalancerId: string): string => `${UNIT_PREFIX}${loadBalancerId}`;

export const DELETING_PREFIX = `${ROOT}/deleting/`;
export const deletingKey = (tenant: Tenant, at: Pick<Location, "loadBalancerId" | "kind" | "id">): string =>
  `${DELETING_PREFIX}${tenant.orgId}/${tenant.projectId}/${at.loadBalancerId}/${at.kind}/${at.id}`;

export const VIP_USED_PREFIX = `${ROOT}/vip/used/`;
export const VIP_RELEASED_PREFIX = `${ROOT}/vip/released/`;
export const vipUsedKey = (address: IpAddress): string => `${VIP_USED_PREFIX}${addressPart(address)}`;
export const vipReleasedKey = (address: IpAddress): string => `${VIP_RELEASED_PREFIX}${addressPart(address)}`;

export const VIP_POOL_PREFIX = `${ROOT}/vippool/`;
export const vipPoolKey = (id: string): string => `${VIP_POOL_PREFIX}${id}`;
/** Written by everybody who takes an address of the pool, so that ranges in use cannot be removed meanwhile. */
export const vipPoolTouchKey = (name: string): string => `${ROOT}/vippool-touch/${part(name)}`;
export const vipPoolNameKey = (name: string): string => `${ROOT}/vippool-name/${part(name)}`;

export const CLUSTER_KEY_KEY = `${ROOT}/cluster/key`;

export const NODE_PREFIX = `${ROOT}/node/`;
export const nodeKey = (name: string): string => `${NODE_PREFIX}${part(name)}`;

/** Not below {@link NODE_PREFIX}: a process has its name before it has anything to say. */
export const nodeNameKey = (name: string): string => `${ROOT}/node-name/${part(name)}`;

export const DRAIN_PREFIX = `${ROOT}/drain/`;
export const drainKey = (node: string): string => `${DRAIN_PREFIX}${part(node)}`;

export const ELECTED_KEY = `${ROOT}/elected`;

export const DNS_PREFIX = `${ROOT}/dns/`;
export const dnsKey = (name: string): string => `${DNS_PREFIX}${part(name)}`;

export const SCHEMA_KEY = `${ROOT}/schema`;

export const HEALTH_PREFIX = `${ROOT}/health/`;
export const healthPrefix = (loadBalancerId: string): string => `${HEALTH_PREFIX}${loadBalancerId}/`;
export const backendHealthPrefix = (at: { loadBalancerId: string; backendId: string }): string =>
  `${healthPrefix(at.loadBalancerId)}${at.backendId}/`;
export const healthKey = (at: { loadBalancerId: string; backendId: string; node: string }): string =>
  `${backendHealthPrefix(at)}${part(at.node)}`;
/** No node's part of a key has a slash in it. */
export const ejectionKey = (at: { loadBalancerId: string; backendId: string; node: string }): string =>
  `${backendHealthPrefix(at)}ejected/${part(at.node)}`;

export const ANNOUNCE_PREFIX = `${ROOT}/announce/`;
export const announceKey = (at: { vip: IpAddress; node: string }): string =>
  `${ANNOUNCE_PREFIX}${addressPart(at.vip)}/${part(at.node)}`;
export const BGP_PREFIX = `${ROOT}/bgp/`;
export const bgpKey = (node: string): string => `${BGP_PREFIX}${part(node)}`;

export const REGISTERED_PREFIX = `${ROOT}/registered/`;
export const registeredKey = (backendId: string): string => `${REGISTERED_PREFIX}${backendId}`;
export const REGISTRATION_PREFIX = `${ROOT}/registration/`;
export const registrationKey = (backendId: string): string => `${REGISTRATION_PREFIX}${backendId}`;

export const L2_PREFIX = `${ROOT}/l2/`;
export const L2_OWNER_PREFIX = `${L2_PREFIX}owner/`;
export const l2OwnerKey = (address: IpAddress): string => `${L2_OWNER_PREFIX}${addressPart(address)}`;
export const L2_NODE_PREFIX = `${L2_PREFIX}node/`;
export const l2NodeKey = (node: string): string => `${L2_NODE_PREFIX}${part(node)}`;

const FAMILY_DIGITS: Readonly<Record<IpFamily, number>> = { IPV4: 8, IPV6: 32 };

/** Fixed width, so that keys stand in the order of the addresses: `4-c0000201` is 192.0.2.1. */
function addressPart(address: IpAddress): string {
  const family = ipFamily(address);
  const hex = ipToBigInt(address).toString(16).padStart(FAMILY_DIGITS[family], "0");
  return `${family === "IPV4" ? 4 : 6}-${hex}`;
}

/** The address in a key made by {@link vipUsedKey}, {@link vipReleasedKey} or {@link l2OwnerKey}. */
export function addressOfKey(key: string): IpAddress {
  const [version, hex] = key.slice(key.lastIndexOf("/") + 1).split("-");
  return ipFromBigInt(BigInt(`0x${hex}`), version === "4" ? "IPV4" : "IPV6");
}

/** What the id index says of an entity. */
export const encodeLocation = ({ loadBalancerId, parentId }: Location): string => `${loadBalancerId}/${parentId}`;

export function decodeLocation(kind: TenantKind, id: string, text: string): Location {
  const [loadBalancerId = "", parentId = ""] = text.split("/");
  return { kind, id, loadBalancerId, parentId };
}

/** The last part of a key: an id, in most. */
export const lastPart = (key: string): string => key.slice(key.lastIndexOf("/") + 1);
/** Undoes what keys do to free text in their last part. */
export const lastText = (key: string): string => decodeURIComponent(lastPart(key));
