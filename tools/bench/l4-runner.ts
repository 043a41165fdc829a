/**
 * One balancer in a process of its own, for `l4.ts` to measure: `node l4-runner.ts KIND PORT BACKEND_PORT`, where
 * KIND is `fiberlb` (TCP proxy on the transport that this Node gets), `fiberlb-streams` (the same on public interfaces of
 * Node only) or `pipe` (plain `socket.pipe`, for comparison).
 */
import net from "node:net";

import { systemClock } from "../../packages/server/src/clock.ts";
import type { Balancer } from "../../packages/server/src/data/balancer.ts";
import type { ListenerAccount } from "../../packages/server/src/data/l4/listener-account.ts";
import { TcpProxy } from "../../packages/server/src/data/l4/tcp-proxy.ts";
import { createNodeTransport } from "../../packages/server/src/data/transport/node-transport.ts";
import type { BackendUnit, ListenerUnit } from "../../packages/server/src/snapshot/snapshot.ts";

const LOOPBACK = "127.0.0.1";

async function runProxy(port: number, backendPort: number, streams: boolean): Promise<void> {
  const transport = createNodeTransport(streams ? { clock: systemClock, binding: undefined } : { clock: systemClock });
  const balancer = onlyBackend(backendPort);
  const proxy = new TcpProxy({
    listener: listenerOn(port),
    vip: LOOPBACK,
    transport,
    clock: systemClock,
    random: () => 0,
    account: createAccount(),
    balancer: () => balancer,
  });
  await transport.listen({ address: LOOPBACK, port, reusePort: true, backlog: 4096 }, proxy.accept);
}

function listenerOn(port: number): ListenerUnit {
  return {
    id: "bench",
    name: "bench",
    protocol: "TCP",
    port,
    connectionLimit: 0,
    clientIdleTimeoutMs: 350_000,
    backendConnectTimeoutMs: 5000,
    allowedCidrs: [],
    defaultPoolId: "pool",
  };
}

function createAccount(): ListenerAccount {
  const figures = new Float64Array(4);
  return {
    open: () => (figures[0]! += 1) > 0,
    close: () => void (figures[1]! += 1),
    reject: () => undefined,
    count: (bytesIn, bytesOut) => {
      figures[2]! += bytesIn;
      figures[3]! += bytesOut;
    },
  };
}

function onlyBackend(port: number): Balancer {
  const backend: BackendUnit = {
    id: "backend",
    name: "backend",
    host: LOOPBACK,
    address: LOOPBACK,
    port,
    weight: 1,
    backup: false,
    maxConnections: 0,
    enabled: true,
    monitored: false,
  };
  return {
    pick: () => ({
      kind: "lease",
      backend,
      connected: () => undefined,
      failed: () => undefined,
      judge: () => undefined,
      count: () => undefined,
      release: () => undefined,
      onRevoke: undefined,
    }),
    wait: () => ({ kind: "refusal", reason: "backend-limit" }),
  };
}

function runPipe(port: number, backendPort: number): void {
  const options = { allowHalfOpen: true, noDelay: true };
  net
    .createServer(options, (client) => {
      const backend = net.connect({ port: backendPort, host: LOOPBACK, ...options });
      client.on("error", () => backend.destroy()).pipe(backend);
      backend.on("error", () => client.destroy()).pipe(client);
    })
    .listen({ port, host: LOOPBACK, backlog: 4096 });
}

const [kind, port, backendPort] = process.argv.slice(2);
if (kind === "pipe") runPipe(Number(port), Number(backendPort));
else await runProxy(Number(port), Number(backendPort), kind === "fiberlb-streams");
