import type { Backend, Pool } from "@fiberlb/types";

import type { LoadBalancerTree } from "../../repository/tree.ts";
import { poolsOfListener, type TreeStatus } from "./tree-status.ts";

/** The status of a load balancer and everything below it, as `LoadBalancerStatus` names it. */
export function statusTree(tree: LoadBalancerTree, status: TreeStatus): object {
  const { id, name, vipAddress } = tree.loadBalancer;
  const pools = new Map(tree.pools.map((pool) => [pool.id as string, poolEntry(tree, status, pool)]));
  const listeners = tree.listeners.map((listener) => ({
    id: listener.id,
    name: listener.name,
    protocol: listener.protocol,
    port: listener.port,
    ...status.listeners.get(listener.id),
    pools: poolsOfListener(tree, listener).flatMap((poolId) => pools.get(poolId) ?? []),
  }));
  return { id, name, vipAddress, ...status.loadBalancer, listeners, pools: [...pools.values()] };
}

function poolEntry({ backends }: LoadBalancerTree, status: TreeStatus, { id, name, algorithm }: Pool): object {
  const own = backends.filter(({ poolId }) => poolId === id);
  return {
    id,
    name,
    algorithm,
    ...status.pools.get(id),
    backends: own.map((backend) => backendEntry(status, backend)),
  };
}

const backendEntry = (status: TreeStatus, { id, name, address, port, weight }: Backend): object => ({
  id,
  name,
  address,
  port,
  weight,
  ...status.backends.get(id),
});
