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
  /** Whether backends are probed, by TCP, several times a second. Default: no. */
  readonly monitored?: boolean;
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
  const { vipAddress, pool = {}, listener = {}, backends, monitored = false } = declaration;
  const created = await client.loadBalancers.createLoadBalancer({ ...(vipAddress !== undefined && { vipAddress }) });
  const { id: loadBalancerId, vipAddress: host } = created.loadBalancer!;
  const poolId = (await client.pools.createPool({ loadBalancerId, ...pool })).pool!.id;
  if (monitored) await client.healthChecks.createHealthCheck({ poolId, ...HEALTH_CHECK });
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

/** One probe that is late on a busy machine must not look like a dead server. */
const HEALTH_CHECK = { type: HealthCheckType.TCP, intervalMs: 250, timeoutMs: 250, rise: 1, fall: 3 };

/** Waits until the node serves the load balancer as it was declared last. */
export async function untilApplied(client: FiberlbClient, id: string): Promise<void> {
  await until(
    `load balancer ${id} is ACTIVE`,
    async () => (await client.loadBalancers.getLoadBalancer({ id })).loadBalancer!,
    ({ provisioningStatus }) => provisioningStatus === ProvisioningStatus.ACTIVE,
  );
}
