/**
 * The entities of one load balancer → the unit that the data path reads. Pure.
 */
import { chooseTableSize, xxHash32 } from "@fiberlb/maglev";
import {
  type Backend,
  DEFAULT_PERSISTENCE_COOKIE,
  type HealthCheck,
  type Listener,
  type LoadBalancer,
  type OutlierDetection,
  type Pool,
} from "@fiberlb/types";

import type { FindCertificate } from "./certificate-shelf.ts";
import { compileHttp, compilePolicies, type PolicySource } from "./compile-http.ts";
import { compileBackendTls, compileTls, isTls } from "./compile-tls.ts";
import type {
  BackendUnit,
  ListenerUnit,
  MaglevUnit,
  OutlierUnit,
  PolicyUnit,
  PoolUnit,
  SessionUnit,
  Unit,
} from "./snapshot.ts";

/** A load balancer and what stands below it, as far as the data path cares. */
export interface UnitSource extends PolicySource {
  readonly loadBalancer: LoadBalancer;
  readonly listeners: readonly Listener[];
  readonly pools: readonly Pool[];
  readonly backends: readonly Backend[];
  readonly healthChecks: readonly HealthCheck[];
}

/** What the name or address of a backend stands for now. */
export interface ResolvedHost {
  /** Canonical IP text; absent while a name has no answer. */
  readonly address?: string;
  /** Why there is no address. */
  readonly problem?: string;
}

/** Answers at once from what is known; an IP address is its own answer. */
export type ResolveHost = (host: string) => ResolvedHost;

/** What a unit needs that is in no entity below the load balancer. */
export interface Lookups {
  readonly resolveHost: ResolveHost;
  readonly findCertificate: FindCertificate;
}

/** Compiles one load balancer. Equal sources and answers give equal units. */
export function compile(source: UnitSource, lookups: Lookups): Unit {
  const { loadBalancer } = source;
  const serves = loadBalancer.adminStateUp && loadBalancer.deletingSince === undefined;
  return {
    loadBalancerId: loadBalancer.id,
    name: loadBalancer.name,
    orgId: loadBalancer.orgId,
    projectId: loadBalancer.projectId,
    vip: loadBalancer.vipAddress,
    listeners: serves ? compileListeners(source, lookups) : [],
    pools: byId(source.pools).map((pool) => compilePool(pool, source, lookups)),
  };
}

/** Ids are UUIDv7: their order is that of creation, the same on every node. */
function byId<T extends { readonly id: string }>(items: readonly T[]): readonly T[] {
  return items.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

function compileListeners(source: UnitSource, { findCertificate }: Lookups): readonly ListenerUnit[] {
  const policies = compilePolicies(source);
  return byId(source.listeners.filter(({ adminStateUp }) => adminStateUp)).flatMap(
    (listener) => compileListener(listener, { policies: policies.get(listener.id), findCertificate }) ?? [],
  );
}

interface ListenerContext {
  readonly policies: readonly PolicyUnit[] | undefined;
  readonly findCertificate: FindCertificate;
}

/** undefined: without a certificate that it can use it must not be open. */
function compileListener(listener: Listener, { policies, findCertificate }: ListenerContext): ListenerUnit | undefined {
  const http = compileHttp(listener, policies);
  const sniPolicies = compileSni(listener, policies);
  const tls = isTls(listener.protocol) ? compileTls(listener, findCertificate) : undefined;
  if (isTls(listener.protocol) && tls === undefined) return undefined;
  return {
    id: listener.id,
    name: listener.name,
    protocol: listener.protocol,
    port: listener.port,
    connectionLimit: listener.connectionLimit,
    clientIdleTimeoutMs: listener.clientIdleTimeoutMs,
    backendConnectTimeoutMs: listener.backendConnectTimeoutMs,
    allowedCidrs: listener.allowedCidrs,
    ...(listener.newConnectionsPerSPerSource > 0 && {
      newConnectionsPerSPerSource: listener.newConnectionsPerSPerSource,
    }),
    ...(listener.defaultPoolId !== undefined && { defaultPoolId: listener.defaultPoolId }),
    ...(listener.acceptProxyProtocol && { proxyProtocol: { trustedCidrs: listener.proxyProtocolTrustedCidrs } }),
    ...(tls !== undefined && { tls }),
    ...(http !== undefined && { http }),
    ...(sniPolicies !== undefined && { sniPolicies }),
  };
}

/** A policy without rules takes nothing: for its sake alone no hello has to be awaited. */
function compileSni({ protocol }: Listener, policies: readonly PolicyUnit[] = []): readonly PolicyUnit[] | undefined {
  const effective = protocol === "TCP" ? policies.filter(({ rules }) => rules.length > 0) : [];
  return effective.length === 0 ? undefined : effective;
}

/** Stands for every backend of a pool that must not be spoken to: without an address it is in no rotation and no session. */
const noAddress: ResolveHost = () => ({});

function compilePool(pool: Pool, { backends, healthChecks }: UnitSource, lookups: Lookups): PoolUnit {
  const monitored = healthChecks.some((check) => check.poolId === pool.id && check.adminStateUp);
  const members = byId(backends.filter((backend) => backend.poolId === pool.id));
  const maglev = compileMaglev(pool, members.length);
  const session = compileSession(pool);
  const backendTls =
    pool.backendTls === undefined ? undefined : compileBackendTls(pool.backendTls, lookups.findCertificate);
  const isBroken = pool.backendTls !== undefined && backendTls === undefined;
  const resolveHost = isBroken ? noAddress : lookups.resolveHost;
  return {
    id: pool.id,
    name: pool.name,
    protocol: pool.protocol,
    algorithm: pool.algorithm,
    sourceIpPersistence: pool.sessionPersistence?.type === "SOURCE_IP",
    ...(session !== undefined && { session }),
    ...(backendTls !== undefined && { backendTls }),
    ...(pool.sendProxyProtocol !== "NONE" && { sendProxyProtocol: pool.sendProxyProtocol }),
    drainTimeoutMs: pool.drainTimeoutS * 1000,
    slowStartMs: pool.slowStartS * 1000,
    panicThresholdPercent: pool.panicThresholdPercent,
    onBackendDown: pool.onBackendDown,
    ...(pool.forwarding !== "NAT_MASQUERADE" && { forwarding: pool.forwarding }),
    ...(pool.outlierDetection !== undefined && { outlierDetection: compileOutliers(pool.outlierDetection) }),
    ...(pool.queueTimeoutMs > 0 && { queueTimeoutMs: pool.queueTimeoutMs }),
    ...(maglev !== undefined && { maglev }),
    backends: members.map((backend) => compileBackend(backend, { pool, monitored, resolveHost })),
  };
}

function compileSession({ sessionPersistence }: Pool): SessionUnit | undefined {
  if (sessionPersistence === undefined || sessionPersistence.type === "SOURCE_IP") return undefined;
  const { type, cookieName = DEFAULT_PERSISTENCE_COOKIE, timeoutS } = sessionPersistence;
  return { type, cookieName, timeoutS };
}

function compileOutliers({ consecutiveErrors, ejectionS, maxEjectedPercent }: OutlierDetection): OutlierUnit {
  return { consecutiveErrors, ejectionMs: ejectionS * 1000, maxEjectedPercent };
}

function compileMaglev(pool: Pool, backendCount: number): MaglevUnit | undefined {
  const sourceIp = pool.sessionPersistence?.type === "SOURCE_IP";
  if (pool.algorithm !== "MAGLEV" && !sourceIp) return undefined;
  const { tableSize, effectiveTableSize, hashKey, hashKeyName } = pool.maglev;
  const isNamed = !sourceIp && hashKeyName !== undefined;
  return {
    tableSize: effectiveTableSize || tableSize || chooseTableSize(backendCount),
    hashKey: sourceIp ? "SOURCE_IP" : hashKey,
    // Names of headers are the same in any case, those of cookies are not.
    ...(isNamed && { hashKeyName: hashKey === "HEADER" ? hashKeyName.toLowerCase() : hashKeyName }),
    seed: xxHash32(pool.id),
  };
}

interface BackendContext {
  readonly pool: Pool;
  readonly monitored: boolean;
  readonly resolveHost: ResolveHost;
}

function compileBackend(backend: Backend, { pool, monitored, resolveHost }: BackendContext): BackendUnit {
  const { address } = resolveHost(backend.address);
  return {
    id: backend.id,
    name: backend.name,
    host: backend.address,
    ...(address !== undefined && { address }),
    port: backend.port,
    weight: backend.weight,
    backup: backend.backup,
    maxConnections: backend.maxConnections,
    enabled: pool.adminStateUp && backend.adminStateUp && backend.drainingSince === undefined,
    monitored,
  };
}
