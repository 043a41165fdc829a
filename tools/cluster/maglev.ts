// The same flows, asked of one node after the other.
import type { Cluster } from "./cluster.ts";
import { pin } from "./faults.ts";
import { addressOf, clientNames, serverNames } from "./plan.ts";
import { SERVER_PORT } from "./traffic/servers.ts";

/** A load balancer whose pool hashes, made through one node's API. */
export const maglevVip = { host: "203.0.113.20", port: 81 } as const;

/** Makes it; resolves when all nodes announce it. */
export async function declareMaglev(cluster: Cluster): Promise<void> {
  const create = async (rpc: string, request: Readonly<Record<string, unknown>>): Promise<string> => {
    const [resource] = Object.values(await cluster.operator.call("lb-1", rpc, request));
    return (resource as { readonly id: string }).id;
  };
  const vipAddress = maglevVip.host;
  const loadBalancerId = await create("LoadBalancerService/CreateLoadBalancer", { name: "maglev", vipAddress });
  const poolId = await create("PoolService/CreatePool", {
    loadBalancerId,
    protocol: "POOL_PROTOCOL_TCP",
    algorithm: "POOL_ALGORITHM_MAGLEV",
  });
  for (const server of serverNames)
    await create("BackendService/CreateBackend", { poolId, address: addressOf(server, "servers"), port: SERVER_PORT });
  await create("ListenerService/CreateListener", {
    loadBalancerId,
    protocol: "LISTENER_PROTOCOL_TCP",
    port: maglevVip.port,
    defaultPoolId: poolId,
    clientIdleTimeoutMs: 5000,
  });
  await cluster.routes.until(vipAddress, (nodes) => nodes.length === 3);
}

/** Which server each of these flows comes to through a node. A flow is a port of the first client. */
export async function serversOf(
  cluster: Cluster,
  node: string,
  localPorts: readonly number[],
): Promise<readonly string[]> {
  const pinned = pin(clientNames[0], node);
  try {
    const answers = await cluster.client(0).askFrom(maglevVip, localPorts);
    return answers.map((answer) => (typeof answer === "string" ? `failed: ${answer}` : answer.server));
  } finally {
    await pinned.repair();
  }
}
