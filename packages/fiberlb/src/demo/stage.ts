import { createServer } from "node:net";

import {
  createFiberlbClient,
  type FiberlbClient,
  HealthCheckType,
  L7CompareType,
  L7PolicyAction,
  L7RuleType,
  type Listener,
  ListenerProtocol,
  PoolAlgorithm,
  PoolProtocol,
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
  /** Of the TCP listener. */
  readonly poolId: string;
  /** Of the HTTP listener. */
  readonly httpPoolId: string;
  /** Where the TCP listener is. */
  readonly vip: Target;
  /** Where the HTTP listener is. */
  readonly web: Target;
  /** Ends all of it. */
  close(): Promise<void>;
}

const BACKEND_NAMES = ["alpha", "beta", "gamma"] as const;
const VIP = "127.10.0.1";
/** Preferred ports; when taken, the system chooses. */
const PORTS = { api: 9080, admin: 9081, tcp: 8080, http: 8081 } as const;
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

type Declared = Pick<Stage, "loadBalancerId" | "poolId" | "httpPoolId" | "vip" | "web">;

async function declare(client: FiberlbClient, backends: readonly BackendProcess[]): Promise<Declared> {
  const { loadBalancer } = await client.loadBalancers.createLoadBalancer({ name: "web", vipAddress: VIP });
  const loadBalancerId = loadBalancer!.id;
  const tcpPool = { loadBalancerId, name: "app", algorithm: PoolAlgorithm.MAGLEV };
  const poolId = await createPool(client, tcpPool, backends);
  const httpPool = { loadBalancerId, name: "site", protocol: PoolProtocol.HTTP, algorithm: PoolAlgorithm.ROUND_ROBIN };
  const httpPoolId = await createPool(client, httpPool, backends);
  const tcp = { loadBalancerId, name: "tcp", protocol: ListenerProtocol.TCP, defaultPoolId: poolId };
  const http = { loadBalancerId, name: "http", protocol: ListenerProtocol.HTTP, defaultPoolId: httpPoolId };
  const vip = {
    host: VIP,
    port: (await createListener(client, { ...tcp, port: await freePort(VIP, PORTS.tcp) })).port,
  };
  const listener = await createListener(client, { ...http, port: await freePort(VIP, PORTS.http) });
  await answerHello(client, listener.id);
  return { loadBalancerId, poolId, httpPoolId, vip, web: { host: VIP, port: listener.port } };
}

async function createPool(
  client: FiberlbClient,
  request: Parameters<FiberlbClient["pools"]["createPool"]>[0],
  backends: readonly BackendProcess[],
): Promise<string> {
  const { pool } = await client.pools.createPool(request);
  const poolId = pool!.id;
  const http = { method: "HEAD", path: "/", host: "", expectedCodes: "200" };
  await client.healthChecks.createHealthCheck({ poolId, type: HealthCheckType.HTTP, ...HEALTH, http });
  for (const { name, port } of backends)
    await client.backends.createBackend({ poolId, name, address: "127.0.0.1", port });
  return poolId;
}

async function createListener(
  client: FiberlbClient,
  request: Parameters<FiberlbClient["listeners"]["createListener"]>[0],
): Promise<Listener> {
  const { listener } = await client.listeners.createListener(request);
  if (listener?.provisioningStatus === ProvisioningStatus.ACTIVE) return listener;
  throw failure(`the demo's listener ${listener?.name} did not come up: ${listener?.statusReason}`);
}

/** One policy, to show that the HTTP listener looks at requests: /hello is answered by FiberLB itself. */
async function answerHello(client: FiberlbClient, listenerId: string): Promise<void> {
  const fixedResponse = { code: 200, contentType: "text/plain", body: "FiberLB says hello\n" };
  const action = L7PolicyAction.FIXED_RESPONSE;
  const { l7Policy } = await client.l7Policies.createL7Policy({ listenerId, name: "hello", action, fixedResponse });
  const rule = { type: L7RuleType.PATH, compareType: L7CompareType.EQUAL_TO, value: "/hello" };
  await client.l7Rules.createL7Rule({ l7PolicyId: l7Policy!.id, ...rule });
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
