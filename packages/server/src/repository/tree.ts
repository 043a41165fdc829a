import { type KeyValue, prefixRange, read, readRange, type RangeOp, type Store } from "@fiberlb/store";
import type { Backend, Entities, HealthCheck, L7Policy, L7Rule, Listener, LoadBalancer, Pool } from "@fiberlb/types";

import type { UnitRecord } from "./attachments.ts";
import { decodeJson } from "./codec.ts";
import { healthPrefix, type Tenant, treePrefix, type TreeKind, UNIT_PREFIX, unitKey, lastPart } from "./keys.ts";
import type { NodeFinding } from "./node-records.ts";
import { TreeDecoder } from "./tree-decoder.ts";

/** A load balancer with everything below it, as of one revision. */
export interface LoadBalancerTree {
  readonly tenant: Tenant;
  readonly loadBalancer: LoadBalancer;
  /** All lists are in order of creation, but policies: those of one listener are in their own order. */
  readonly listeners: readonly Listener[];
  readonly pools: readonly Pool[];
  readonly backends: readonly Backend[];
  readonly healthChecks: readonly HealthCheck[];
  readonly l7Policies: readonly L7Policy[];
  readonly l7Rules: readonly L7Rule[];
  /** Store revision of the last change of any of it; a node that has applied it shows this state. */
  readonly unitRevision: number;
  /** When that was, in milliseconds since 1970. */
  readonly changedAtMs: number;
  /** Store revision at which each entity was created, by id. */
  readonly createRevisions: ReadonlyMap<string, number>;
}

/** Names a load balancer without asking whose it is. */
export interface TreeAddress {
  readonly tenant: Tenant;
  readonly loadBalancerId: string;
}

/** A tree and what the nodes say of its backends. */
export interface ObservedTree {
  readonly tree: LoadBalancerTree;
  /** By backend id. */
  readonly findings: ReadonlyMap<string, readonly NodeFinding[]>;
}

/**
 * undefined when there is no such load balancer (any more). One transaction.
 *
 * @param previous the tree as it was read before: what has not changed since is taken from there, because decoding is
 *   what costs. Any other object is of no use, and no harm.
 */
export async function readTree(
  store: Store,
  address: TreeAddress,
  previous?: object,
): Promise<LoadBalancerTree | undefined> {
  const prefix = treePrefix(address.tenant, address.loadBalancerId);
  const { results } = await store.txn({
    success: [readRange(prefixRange(prefix)), read(unitKey(address.loadBalancerId))],
  });
  const [tree, unit] = results;
  return buildTree(address.tenant, prefix, {
    kvs: tree?.type === "range" ? tree.kvs : [],
    unit: unit?.type === "get" ? unit.kv : undefined,
    previous,
  });
}

/** Trees with what nodes found out; those that have gone are left out. As many transactions as the store's limit needs. */
export async function readObservedTrees(store: Store, addresses: readonly TreeAddress[]): Promise<ObservedTree[]> {
  const perTxn = 40; // three reads each
  const observed: ObservedTree[] = [];
  for (let start = 0; start < addresses.length; start += perTxn) {
    const part = addresses.slice(start, start + perTxn);
    const { results } = await store.txn({ success: part.flatMap(observationReads) });
    part.forEach(({ tenant, loadBalancerId }, index) => {
      const [tree, unit, health] = results.slice(index * 3, index * 3 + 3);
      const kvs = tree?.type === "range" ? tree.kvs : [];
      const built = buildTree(tenant, treePrefix(tenant, loadBalancerId), {
        kvs,
        unit: unit?.type === "get" ? unit.kv : undefined,
      });
      if (built !== undefined)
        observed.push({ tree: built, findings: byBackend(health?.type === "range" ? health.kvs : []) });
    });
  }
  return observed;
}

function observationReads({ tenant, loadBalancerId }: TreeAddress): (RangeOp | ReturnType<typeof read>)[] {
  return [
    readRange(prefixRange(treePrefix(tenant, loadBalancerId))),
    read(unitKey(loadBalancerId)),
    readRange(prefixRange(healthPrefix(loadBalancerId))),
  ];
}

/** What nodes found out, by backend id. */
export function byBackend(kvs: readonly KeyValue[]): Map<string, NodeFinding[]> {
  const findings = kvs.map(({ value }) => decodeJson(value) as NodeFinding);
  return Map.groupBy(findings, ({ backendId }) => backendId);
}

/** Every load balancer of every tenant, with the revision from which to follow. */
export async function readUnits(
  store: Store,
): Promise<{ readonly units: readonly TreeAddress[]; readonly revision: number }> {
  const { kvs, revision } = await store.range(prefixRange(UNIT_PREFIX));
  return { units: kvs.map(unitAddress), revision };
}

export function unitAddress({ key, value }: KeyValue): TreeAddress {
  const { orgId, projectId } = decodeJson(value) as UnitRecord;
  return { tenant: { orgId, projectId }, loadBalancerId: lastPart(key) };
}

interface TreeValues {
  readonly kvs: readonly KeyValue[];
  readonly unit: KeyValue | undefined;
  readonly previous?: object | undefined;
}

function buildTree(tenant: Tenant, prefix: string, { kvs, unit, previous }: TreeValues): LoadBalancerTree | undefined {
  const parts = new Map(kvs.map((kv) => [kv.key.slice(prefix.length), kv]));
  const self = parts.get("self");
  if (self === undefined || unit === undefined) return undefined;
  const orders = policyOrders(parts);
  const decoder = new TreeDecoder(previous);
  const ofKind = <K extends TreeKind>(kind: K): Entities[K][] => entitiesOf(parts, kind, decoder);
  const tree: LoadBalancerTree = {
    tenant,
    loadBalancer: decoder.decode("loadBalancer", self),
    listeners: ofKind("listener"),
    pools: ofKind("pool"),
    backends: ofKind("backend"),
    healthChecks: ofKind("healthCheck"),
    l7Policies: inOrder(ofKind("l7Policy"), orders),
    l7Rules: ofKind("l7Rule"),
    unitRevision: unit.modRevision,
    changedAtMs: (decodeJson(unit.value) as UnitRecord).changedAtMs,
    createRevisions: new Map(kvs.map(({ key, createRevision }) => [idOf(key), createRevision])),
  };
  decoder.lendFrom(tree);
  return tree;
}

/** The load balancer's own key has its id before the last part. */
function idOf(key: string): string {
  const last = lastPart(key);
  return last === "self" ? lastPart(key.slice(0, -"/self".length)) : last;
}

function entitiesOf<K extends TreeKind>(
  parts: ReadonlyMap<string, KeyValue>,
  kind: K,
  decoder: TreeDecoder,
): Entities[K][] {
  return [...parts]
    .filter(([part]) => part.startsWith(`${kind}/`))
    .map(([, kv]) => decoder.decode(kind, kv))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function policyOrders(parts: ReadonlyMap<string, KeyValue>): Map<string, readonly string[]> {
  const orders = [...parts].filter(([part]) => part.startsWith("policies/"));
  return new Map(orders.map(([part, { value }]) => [lastPart(part), decodeJson(value) as readonly string[]]));
}

function inOrder(policies: readonly L7Policy[], orders: ReadonlyMap<string, readonly string[]>): L7Policy[] {
  return policies
    .map((policy) => ({ ...policy, position: (orders.get(policy.listenerId) ?? []).indexOf(policy.id) + 1 }))
    .toSorted((a, b) =>
      a.listenerId === b.listenerId ? a.position - b.position : a.listenerId < b.listenerId ? -1 : 1,
    );
}
