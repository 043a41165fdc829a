import type { FiberlbClient } from "@fiberlb/api";

import { whoServes } from "../data/tcp-peers.ts";
import type { Declared } from "./declare.ts";
import { until } from "./until.ts";

/** Opens connections one after the other and counts who served them. */
export async function tally(
  { host, port }: Pick<Declared, "host" | "port">,
  connections: number,
  localAddress?: string,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < connections; i++) {
    const name = await whoServes(port, host, localAddress);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

/** Waits until the node holds so many connections for a load balancer: peers see an end before the node has counted it. */
export async function untilConnections(
  client: FiberlbClient,
  { loadBalancerId }: Pick<Declared, "loadBalancerId">,
  active: number,
): Promise<void> {
  await until(
    `load balancer ${loadBalancerId} holds ${active} connections`,
    async () => (await client.loadBalancers.getLoadBalancerStats({ id: loadBalancerId })).stats!,
    ({ activeConnections }) => activeConnections === BigInt(active),
  );
}
