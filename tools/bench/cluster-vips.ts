import { allNodes, type Cluster } from "../cluster/cluster.ts";
import { crash } from "../cluster/faults.ts";
import { addressOf } from "../cluster/plan.ts";
import { nowMs } from "../cluster/route-monitor.ts";
import { SERVER_PORT } from "../cluster/traffic/servers.ts";
import type { BenchContext } from "./bench-context.ts";
import { inParallel } from "./load.ts";

const AT_ONCE = 16;
/** Opening so many listeners on every node takes its time. */
const DEADLINE_MS = 300_000;

const seconds = (fromMs: number, toMs: number): string => `${((toMs - fromMs) / 1000).toFixed(2)} s`;

/** Makes load balancers with a VIP each, and measures how long their routes take to the router's table. */
export async function announceMany(
  cluster: Cluster,
  count: number,
  progress: BenchContext["progress"],
): Promise<string[][]> {
  const before = cluster.routes.prefixesVia("lb-1");
  let made = 0;
  const startedMs = nowMs();
  await inParallel({ count, clients: AT_ONCE }, async (index) => {
    await declare(cluster, index);
    progress(`creating load balancers: ${++made} of ${count}`);
  });
  const createdMs = nowMs();
  progress(`waiting for ${count} routes of each node`);
  const all = allNodes.map((node) => cluster.routes.untilVia(node, before + count, DEADLINE_MS));
  const routedMs = Math.max(...(await Promise.all(all)));
  progress("gobgpd of lb-1 begins anew");
  const fault = await crash(cluster, "lb-1", "gobgpd");
  await cluster.untilRouted(allNodes.filter((node) => node !== "lb-1"));
  const restartedMs = nowMs();
  await fault.repair();
  const backMs = await cluster.routes.untilVia("lb-1", before + count, DEADLINE_MS);
  const many = count.toLocaleString("en");
  return [
    [`${many} load balancers created, 4 calls each`, seconds(startedMs, createdMs), "", "", ""],
    [
      `${many} VIPs of three nodes in the router's table, after the last call`,
      seconds(createdMs, routedMs),
      "",
      "",
      "",
    ],
    [`${many} VIPs announced again after gobgpd's restart`, seconds(restartedMs, backMs), "", "", ""],
  ];
}

async function declare({ operator }: Cluster, index: number): Promise<void> {
  const create = async (rpc: string, request: Readonly<Record<string, unknown>>): Promise<string> => {
    const [resource] = Object.values(await operator.call(allNodes[index % 3]!, rpc, request));
    return (resource as { readonly id: string }).id;
  };
  const lb = { name: `vip-${index}`, ipFamily: "IP_FAMILY_IPV6" };
  const loadBalancerId = await create("LoadBalancerService/CreateLoadBalancer", lb);
  const poolId = await create("PoolService/CreatePool", { loadBalancerId, protocol: "POOL_PROTOCOL_TCP" });
  await create("BackendService/CreateBackend", { poolId, address: addressOf("web-1", "servers"), port: SERVER_PORT });
  const protocol = "LISTENER_PROTOCOL_TCP";
  await create("ListenerService/CreateListener", { loadBalancerId, protocol, port: 80, defaultPoolId: poolId });
}
