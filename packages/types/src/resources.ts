import { type Backend, backend, type BackendRecord, type BackendSpec } from "./backend.ts";
import { type Certificate, certificate, type CertificateRecord, type CertificateSpec } from "./certificate.ts";
import { type HealthCheck, healthCheck, type HealthCheckSpec } from "./health-check.ts";
import type { HealthCheckId, L7PolicyId, L7RuleId, ListenerId, PoolId, VipPoolId } from "./ids.ts";
import { type L7Policy, l7Policy, type L7PolicySpec } from "./l7-policy.ts";
import { type L7Rule, l7Rule, type L7RuleSpec } from "./l7-rule.ts";
import { type Listener, listener, type ListenerSpec } from "./listener.ts";
import { type LoadBalancer, loadBalancer, type LoadBalancerRecord, type LoadBalancerSpec } from "./load-balancer.ts";
import { type Pool, pool, type PoolSpec } from "./pool.ts";
import type { EntityRecord, TenantRecord } from "./resource.ts";
import { type VipPool, vipPool, type VipPoolSpec } from "./vip-pool.ts";

/** Every kind of resource that clients create, by the name of its field in the API's answers. */
export const resources = {
  loadBalancer,
  listener,
  pool,
  backend,
  healthCheck,
  l7Policy,
  l7Rule,
  certificate,
  vipPool,
} as const;

/** `loadBalancer`, `listener`, … */
export type ResourceKind = keyof typeof resources;
/** Every {@link ResourceKind}, parents before children. */
export const resourceKinds = Object.keys(resources) as readonly ResourceKind[];

/** Spec of each kind: what Create takes, with every default filled. */
export interface Specs {
  loadBalancer: LoadBalancerSpec;
  listener: ListenerSpec;
  pool: PoolSpec;
  backend: BackendSpec;
  healthCheck: HealthCheckSpec;
  l7Policy: L7PolicySpec;
  l7Rule: L7RuleSpec;
  certificate: CertificateSpec;
  vipPool: VipPoolSpec;
}

/** Stored entity of each kind. */
export interface Entities {
  loadBalancer: LoadBalancer;
  listener: Listener;
  pool: Pool;
  backend: Backend;
  healthCheck: HealthCheck;
  l7Policy: L7Policy;
  l7Rule: L7Rule;
  certificate: Certificate;
  vipPool: VipPool;
}

/** What the server adds to a spec to make an entity of each kind; what it overrides is here, too. */
export interface Records {
  loadBalancer: LoadBalancerRecord;
  listener: TenantRecord<ListenerId>;
  pool: TenantRecord<PoolId>;
  backend: BackendRecord;
  healthCheck: TenantRecord<HealthCheckId>;
  /** With the position that it has got among the listener's policies. */
  l7Policy: TenantRecord<L7PolicyId> & { readonly position: number };
  l7Rule: TenantRecord<L7RuleId>;
  certificate: CertificateRecord;
  vipPool: EntityRecord<VipPoolId>;
}
