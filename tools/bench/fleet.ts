import { createServer, type Server } from "node:net";

import { type FiberlbClient, HealthCheckType, ListenerProtocol, PoolAlgorithm } from "@fiberlb/api";

import { inParallel } from "./load.ts";
import type { Progress } from "./progress.ts";

/** Every load balancer of a fleet listens here, on a VIP of its own. */
export const FLEET_PORT = 8080;
const HEALTH_INTERVAL_MS = 5000;
const AT_ONCE = 32;

/** A load balancer of a fleet: one listener, one pool. */
export interface FleetMember {
  readonly loadBalancerId: string;
  readonly vip: string;
  readonly poolId: string;
  readonly backendIds: readonly string[];
}

export interface FleetOptions {
  readonly size: number;
  readonly backendsEach: number;
  readonly progress: Progress;
}

/** Makes many load balancers through the API, every second one Maglev, the others round robin. */
export async function createFleet(client: FiberlbClient, options: FleetOptions): Promise<FleetMember[]> {
  const { size, progress } = options;
  let made = 0;
  return inParallel({ count: size, clients: AT_ONCE }, async (index) => {
    const member = await createMember(client, index, options.backendsEach);
    progress(`creating load balancers: ${++made} of ${size}`);
    return member;
  });
}

async function createMember(client: FiberlbClient, index: number, backendsEach: number): Promise<FleetMember> {
  const { loadBalancer } = await client.loadBalancers.createLoadBalancer({ name: `lb-${index}` });
  const { id: loadBalancerId, vipAddress: vip } = loadBalancer!;
  const algorithm = index % 2 === 0 ? PoolAlgorithm.MAGLEV : PoolAlgorithm.ROUND_ROBIN;
  const { pool } = await client.pools.createPool({ loadBalancerId, name: "app", algorithm });
  const poolId = pool!.id;
  const backendIds: string[] = [];
  for (const address of backendAddresses(backendsEach)) {
    const { backend } = await client.backends.createBackend({ poolId, address, port: FLEET_PORT });
    backendIds.push(backend!.id);
  }
  await client.listeners.createListener({
    loadBalancerId,
    name: "tcp",
    protocol: ListenerProtocol.TCP,
    port: FLEET_PORT,
    defaultPoolId: poolId,
  });
  return { loadBalancerId, vip, poolId, backendIds };
}

/** Gives every pool a TCP check every 5 seconds. */
export async function addHealthChecks(
  client: FiberlbClient,
  fleet: readonly FleetMember[],
  progress: Progress,
): Promise<void> {
  let made = 0;
  await inParallel({ count: fleet.length, clients: AT_ONCE }, async (index) => {
    const { poolId } = fleet[index]!;
    await client.healthChecks.createHealthCheck({ poolId, type: HealthCheckType.TCP, intervalMs: HEALTH_INTERVAL_MS });
    progress(`creating health checks: ${++made} of ${fleet.length}`);
  });
}

function backendAddresses(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `127.78.0.${index + 1}`);
}

/** Plays the backends of all fleets: takes connections and ends them. */
export async function playBackends(count: number): Promise<{ close(): void }> {
  const servers = await Promise.all(
    backendAddresses(count).map(
      (host) =>
        new Promise<Server>((resolve, reject) => {
          const server = createServer((socket) => socket.on("error", () => undefined).end());
          server.once("error", reject).listen(FLEET_PORT, host, () => resolve(server));
        }),
    ),
  );
  return { close: () => servers.forEach((server) => server.close()) };
}
