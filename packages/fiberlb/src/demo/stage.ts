import { createServer } from "node:net";

import {
  createFiberlbClient,
  type FiberlbClient,
  HealthCheckType,
  ListenerProtocol,
  PoolAlgorithm,
  ProvisioningStatus,
} from "@fiberlb/api";
import { type Config, type Log, parseConfig, type RunningServer, startServer } from "@fiberlb/server";

import { failure } from "../failure.ts";
import { version } from "../version.ts";
import { type BackendProcess, startBackend } from "./backend-process.ts";
import type { Target } from "./traffic.ts";

/** Everything that a demo runs. */
export interface Stage {
  readonly server: RunningServer;
  readonly client: FiberlbClient;
  readonly backends: readonly BackendProcess[];
  readonly loadBalancerId: string;
  readonly poolId: string;
  /** Where the listener is. */
  readonly vip: Target;
  /** Ends all of it. */
  close(): Promise<void>;
}

const BACKEND_NAMES = ["alpha", "beta", "gamma"] as const;
const VIP = "127.10.0.1";
/** Preferred ports; when taken, the system chooses. */
const PORTS = { api: 9080, admin: 9081, listener: 8080 } as const;
/** One probe that is late on a busy machine must not look like a dead server. */
const HEALTH = { intervalMs: 250, timeoutMs: 250, rise: 1, fall: 3 } as const;

/** Starts three web servers and a node in memory, and tells the node, through its API, to balance over them. */
export async function openStage(log: Log): Promise<Stage> {
  const backends = await Promise.all(BACKEND_NAMES.map((name) => startBackend(name)));
  const server = await startServer({ config: await demoConfig(), log, version });
  const client = createFiberlbClient({ baseUrl: server.apiUrl });
  const close = async (): Promise<void> => {
    client.close();
    await server.stop();
    await Promise.all(backends.map((backend) => backend.kill()));
  };
  try {
    return { server, client, backends, ...(await declare(client, backends)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function demoConfig(): Promise<Config> {
  const result = parseConfig({
    env: {},
    flags: {
      "api.listen": `127.0.0.1:${await freePort("127.0.0.1", PORTS.api)}`,
      "admin.listen": `127.0.0.1:${await freePort("127.0.0.1", PORTS.admin)}`,
      "store.kind": "memory",
      "shutdown.drainTimeoutMs": 0,
    },
  });
  if (!result.ok) throw failure(result.problems);
  return result.config;
}

type Declared = Pick<Stage, "loadBalancerId" | "poolId" | "vip">;

async function declare(client: FiberlbClient, backends: readonly BackendProcess[]): Promise<Declared> {
  const { loadBalancer } = await client.loadBalancers.createLoadBalancer({ name: "web", vipAddress: VIP });
  const loadBalancerId = loadBalancer!.id;
  const { pool } = await client.pools.createPool({ loadBalancerId, name: "app", algorithm: PoolAlgorithm.MAGLEV });
  const poolId = pool!.id;
  await client.healthChecks.createHealthCheck({
    poolId,
    type: HealthCheckType.HTTP,
    ...HEALTH,
    http: { method: "HEAD", path: "/", host: "", expectedCodes: "200" },
  });
  for (const { name, port } of backends)
    await client.backends.createBackend({ poolId, name, address: "127.0.0.1", port });
  const port = await freePort(VIP, PORTS.listener);
  const listener = { loadBalancerId, name: "tcp", protocol: ListenerProtocol.TCP, port, defaultPoolId: poolId };
  const created = await client.listeners.createListener(listener);
  if (created.listener?.provisioningStatus !== ProvisioningStatus.ACTIVE)
    throw failure(`the demo's listener did not come up: ${created.listener?.statusReason}`);
  return { loadBalancerId, poolId, vip: { host: VIP, port } };
}

/** The preferred port when it is free, else one that the system chooses. */
async function freePort(host: string, preferred: number): Promise<number> {
  return (await tryPort(host, preferred)) ?? (await tryPort(host, 0)) ?? 0;
}

function tryPort(host: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(undefined));
    probe.listen(port, host, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : undefined));
    });
  });
}
