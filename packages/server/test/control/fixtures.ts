import {
  type Backend,
  type Certificate,
  CertificateType,
  type FiberlbClient,
  type HealthCheck,
  HealthCheckType,
  L7CompareType,
  type L7Policy,
  L7PolicyAction,
  type L7Rule,
  L7RuleType,
  type Listener,
  ListenerProtocol,
  type LoadBalancer,
  type Pool,
  PoolProtocol,
} from "@fiberlb/api";

import { CERTIFICATE } from "./certificates.ts";

/** One of each kind, all below one load balancer. */
export interface Tree {
  readonly loadBalancer: LoadBalancer;
  readonly listener: Listener;
  readonly pool: Pool;
  readonly backend: Backend;
  readonly healthCheck: HealthCheck;
  readonly l7Policy: L7Policy;
  readonly l7Rule: L7Rule;
  readonly certificate: Certificate;
}

/** What an answer must hold. */
export function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("The answer lacks what it must hold");
  return value;
}

export async function createLoadBalancer(client: FiberlbClient, fields: object = {}): Promise<LoadBalancer> {
  return must((await client.loadBalancers.createLoadBalancer(fields)).loadBalancer);
}

export async function createPool(client: FiberlbClient, loadBalancerId: string, fields: object = {}): Promise<Pool> {
  return must((await client.pools.createPool({ loadBalancerId, ...fields })).pool);
}

export async function createBackend(client: FiberlbClient, poolId: string, fields: object = {}): Promise<Backend> {
  return must((await client.backends.createBackend({ poolId, address: "127.0.0.1", port: 9001, ...fields })).backend);
}

export async function createListener(client: FiberlbClient, loadBalancerId: string, fields: object): Promise<Listener> {
  const protocol = ListenerProtocol.TCP;
  return must((await client.listeners.createListener({ loadBalancerId, protocol, ...fields })).listener);
}

export async function createPolicy(client: FiberlbClient, listenerId: string, fields: object = {}): Promise<L7Policy> {
  const action = L7PolicyAction.REJECT;
  return must((await client.l7Policies.createL7Policy({ listenerId, action, ...fields })).l7Policy);
}

/** Builds a whole load balancer, HTTP, of everything one. */
export async function createTree(client: FiberlbClient, name = "web"): Promise<Tree> {
  const loadBalancer = await createLoadBalancer(client, { name });
  const pool = await createPool(client, loadBalancer.id, { name: "app", protocol: PoolProtocol.HTTP });
  const listener = await createListener(client, loadBalancer.id, {
    name: "http",
    protocol: ListenerProtocol.HTTP,
    port: 80,
    defaultPoolId: pool.id,
  });
  const backend = await createBackend(client, pool.id, { name: "one" });
  const { healthCheck } = await client.healthChecks.createHealthCheck({
    poolId: pool.id,
    name: "alive",
    type: HealthCheckType.TCP,
  });
  const l7Policy = await createPolicy(client, listener.id, { name: "deny" });
  const { l7Rule } = await client.l7Rules.createL7Rule({
    l7PolicyId: l7Policy.id,
    name: "admin",
    type: L7RuleType.PATH,
    compareType: L7CompareType.STARTS_WITH,
    value: "/admin",
  });
  const { certificate } = await client.certificates.createCertificate({
    name: "site",
    type: CertificateType.SERVER,
    certificatePem: CERTIFICATE.pem,
    privateKeyPem: CERTIFICATE.keyPem,
  });
  return {
    loadBalancer,
    pool,
    listener,
    backend,
    l7Policy,
    healthCheck: must(healthCheck),
    l7Rule: must(l7Rule),
    certificate: must(certificate),
  };
}
