import { type FiberlbClient, HealthCheckType, ListenerProtocol, ProvisioningStatus } from "@fiberlb/api";

import { freePort } from "../data/tcp-peers.ts";
import { until } from "./until.ts";

type CreatePool = Parameters<FiberlbClient["pools"]["createPool"]>[0];
type CreateListener = Parameters<FiberlbClient["listeners"]["createListener"]>[0];
type CreateBackend = Parameters<FiberlbClient["backends"]["createBackend"]>[0];

/** One load balancer with one listener and one pool. */
export interface Declaration {
  readonly vipAddress?: string;
  readonly pool?: CreatePool;
  readonly listener?: CreateListener;
  readonly backends: readonly (CreateBackend & { readonly port: number })[];
  /** Milliseconds between two TCP probes; absent: no health check. */
  readonly probeEveryMs?: number;
}

/** Where it can be reached and what it is made of. */
export interface Declared {
  readonly host: string;
  readonly port: number;
  readonly loadBalancerId: string;
  readonly listenerId: string;
  readonly poolId: string;
  /** In the order of the declaration. */
  readonly backendIds: readonly string[];
}

/** Makes a load balancer through the API; resolves when it serves. Backends are on 127.0.0.1 unless they say otherwise. */
export async function declare(client: FiberlbClient, declaration: Declaration): Promise<Declared> {
  const { vipAddress, pool = {}, listener = {}, backends, probeEveryMs } = declaration;
  const created = await client.loadBalancers.createLoadBalancer({ ...(vipAddress !== undefined && { vipAddress }) });
  const { id: loadBalancerId, vipAddress: host } = created.loadBalancer!;
  const poolId = (await client.pools.createPool({ loadBalancerId, ...pool })).pool!.id;
  if (probeEveryMs !== undefined) await probe(client, poolId, probeEveryMs);
  const backendIds: string[] = [];
  for (const backend of backends) {
    const answer = await client.backends.createBackend({ poolId, address: "127.0.0.1", ...backend });
    backendIds.push(answer.backend!.id);
  }
  const port = await freePort(host);
  const wanted = { loadBalancerId, protocol: ListenerProtocol.TCP, port, defaultPoolId: poolId, ...listener };
  const listenerId = (await client.listeners.createListener(wanted)).listener!.id;
  await untilApplied(client, loadBalancerId);
  return { host, port, loadBalancerId, listenerId, poolId, backendIds };
}

async function probe(client: FiberlbClient, poolId: string, intervalMs: number): Promise<void> {
  await client.healthChecks.createHealthCheck({
    poolId,
    type: HealthCheckType.TCP,
    intervalMs,
    timeoutMs: intervalMs,
    rise: 1,
    fall: 1,
  });
}

/** Waits until the node serves the load balancer as it was declared last. */
export async function untilApplied(client: FiberlbClient, id: string): Promise<void> {
  await until(
    `load balancer ${id} is ACTIVE`,
    async () => (await client.loadBalancers.getLoadBalancer({ id })).loadBalancer!,
    ({ provisioningStatus }) => provisioningStatus === ProvisioningStatus.ACTIVE,
  );
}
