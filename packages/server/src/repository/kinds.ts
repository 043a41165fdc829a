import { absent, type Compare, type Op, put, remove } from "@fiberlb/store";
import { alreadyExists, DomainError, type Entities, formatHostPort, labelOf } from "@fiberlb/types";

import {
  backendAddressKey,
  healthCheckOfPoolKey,
  type Location,
  nameKey,
  portKey,
  type Tenant,
  type TenantKind,
} from "./keys.ts";

/** A key that only one entity can hold, and what to say to the second. */
export interface Unique {
  readonly key: string;
  readonly taken: DomainError;
}

/** A field that holds the id of something else. */
export interface Reference {
  /** Path of the field, for messages. */
  readonly field: string;
  readonly kind: "pool" | "certificate";
  readonly id: string;
}

/** What the generic writes need to know of a kind. */
interface KindRules<K extends TenantKind> {
  readonly parentKind: TenantKind | undefined;
  readonly parentIdOf: (entity: Entities[K]) => string;
  /** Beside the name, which is unique for all kinds. */
  readonly uniques: (entity: Entities[K], at: { tenant: Tenant; location: Location }) => readonly Unique[];
  readonly references: (entity: Entities[K]) => readonly Reference[];
}

const none = (): readonly never[] => [];

/** UDP has ports of its own; everything else is TCP. */
const transportOf = (protocol: Entities["listener"]["protocol"]): "tcp" | "udp" => (protocol === "UDP" ? "udp" : "tcp");

const reference = (field: string, kind: Reference["kind"], id: string | undefined): readonly Reference[] =>
  id === undefined ? [] : [{ field, kind, id }];

const RULES: { readonly [K in TenantKind]: KindRules<K> } = {
  loadBalancer: { parentKind: undefined, parentIdOf: () => "", uniques: none, references: none },
  certificate: { parentKind: undefined, parentIdOf: () => "", uniques: none, references: none },
  listener: {
    parentKind: "loadBalancer",
    parentIdOf: ({ loadBalancerId }) => loadBalancerId,
    uniques: ({ loadBalancerId, protocol, port }, { tenant }) => [
      {
        key: portKey(tenant, { loadBalancerId, transport: transportOf(protocol), port }),
        taken: alreadyExists(`port ${port}/${transportOf(protocol).toUpperCase()} of load balancer ${loadBalancerId}`),
      },
    ],
    references: (listener) => [
      ...reference("default_pool_id", "pool", listener.defaultPoolId),
      ...listener.certificateIds.flatMap((id, index) => reference(`certificate_ids[${index}]`, "certificate", id)),
      ...reference("client_ca_certificate_id", "certificate", listener.clientCaCertificateId),
    ],
  },
  pool: {
    parentKind: "loadBalancer",
    parentIdOf: ({ loadBalancerId }) => loadBalancerId,
    uniques: none,
    references: ({ backendTls }) => [
      ...reference("backend_tls.ca_certificate_id", "certificate", backendTls?.caCertificateId),
      ...reference("backend_tls.client_certificate_id", "certificate", backendTls?.clientCertificateId),
    ],
  },
  backend: {
    parentKind: "pool",
    parentIdOf: ({ poolId }) => poolId,
    uniques: ({ poolId, address, port }, { tenant }) => [
      {
        key: backendAddressKey(tenant, { poolId, address, port }),
        taken: alreadyExists(`address ${formatHostPort(address, port)} in pool ${poolId}`),
      },
    ],
    references: none,
  },
  healthCheck: {
    parentKind: "pool",
    parentIdOf: ({ poolId }) => poolId,
    uniques: ({ poolId }, { tenant }) => [
      {
        key: healthCheckOfPoolKey(tenant, poolId),
        taken: new DomainError({ kind: "already-exists" }, `pool ${poolId} has a health check already`),
      },
    ],
    references: none,
  },
  l7Policy: {
    parentKind: "listener",
    parentIdOf: ({ listenerId }) => listenerId,
    uniques: none,
    references: ({ redirectPoolId, pools }) => [
      ...reference("redirect_pool_id", "pool", redirectPoolId),
      ...pools.flatMap(({ poolId }, index) => reference(`pools[${index}].pool_id`, "pool", poolId)),
    ],
  },
  l7Rule: {
    parentKind: "l7Policy",
    parentIdOf: ({ l7PolicyId }) => l7PolicyId,
    uniques: none,
    references: none,
  },
};

/** The rules of a kind, typed by it. */
const rulesOf = <K extends TenantKind>(kind: K): KindRules<K> => RULES[kind];

export const parentKindOf = (kind: TenantKind): TenantKind | undefined => RULES[kind].parentKind;

export const parentIdOf = <K extends TenantKind>(kind: K, entity: Entities[K]): string =>
  rulesOf(kind).parentIdOf(entity);

export const referencesOf = <K extends TenantKind>(kind: K, entity: Entities[K]): readonly Reference[] =>
  rulesOf(kind).references(entity);

/** Everything of the entity that nobody else may have. */
export function uniquesOf<K extends TenantKind>(
  kind: K,
  entity: Entities[K],
  at: { readonly tenant: Tenant; readonly location: Location },
): readonly Unique[] {
  const { parentId } = at.location;
  const name: Unique = {
    key: nameKey(at.tenant, { kind, parentId, name: entity.name }),
    taken: alreadyExists(`${labelOf(kind)} name ${JSON.stringify(entity.name)}`),
  };
  return [name, ...rulesOf(kind).uniques(entity, at)];
}

/** Takes keys that must be free: conditions and writes. */
export function claim(
  uniques: readonly Unique[],
  id: string,
): { conditions: { compare: Compare; otherwise: DomainError }[]; ops: Op[] } {
  const value = new TextEncoder().encode(id);
  return {
    conditions: uniques.map(({ key, taken }) => ({ compare: absent(key), otherwise: taken })),
    ops: uniques.map(({ key }) => put(key, value)),
  };
}

export const release = (uniques: readonly Unique[]): Op[] => uniques.map(({ key }) => remove(key));
