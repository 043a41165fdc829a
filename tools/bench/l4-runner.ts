/**
 * One balancer in a process of its own, for `l4.ts` and `l7.ts` to measure: `node l4-runner.ts KIND PORT BACKEND_PORT`,
 * where KIND is `fiberlb` (TCP proxy on the transport that this Node gets), `fiberlb-streams` (the same on public
 * interfaces of Node only), `http` (HTTP proxy, all defaults of a listener on) or `pipe` (plain `socket.pipe`, for
 * comparison).
 */
import net from "node:net";

import { systemClock } from "../../packages/server/src/clock.ts";
import type { ListenerAccount } from "../../packages/server/src/data/l4/listener-account.ts";
import { TcpProxy } from "../../packages/server/src/data/l4/tcp-proxy.ts";
import type { SessionBalancer } from "../../packages/server/src/data/l7/http-pools.ts";
import { HTTP1_CLEARTEXT } from "../../packages/server/src/data/l7/backend-protocol.ts";
import { Http1Proxy } from "../../packages/server/src/data/l7/http1-proxy.ts";
import { RequestIds } from "../../packages/server/src/data/l7/request-id.ts";
import { Upstreams } from "../../packages/server/src/data/l7/upstreams.ts";
import { createNodeTransport } from "../../packages/server/src/data/transport/node-transport.ts";
import { systemRandom } from "../../packages/server/src/random.ts";
import type { BackendUnit, HttpUnit, ListenerUnit } from "../../packages/server/src/snapshot/snapshot.ts";

const LOOPBACK = "127.0.0.1";

async function runProxy(port: number, backendPort: number, streams: boolean): Promise<void> {
  const transport = createNodeTransport(streams ? { clock: systemClock, binding: undefined } : { clock: systemClock });
  const balancer = onlyBackend(backendPort);
  const proxy = new TcpProxy({
    listener: listenerOn(port),
    vip: LOOPBACK,
    transport,
    clock: systemClock,
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

async function runHttp(port: number, backendPort: number): Promise<void> {
  const transport = createNodeTransport({ clock: systemClock });
  const pool = { balancer: onlyBackend(backendPort), sessions: undefined, protocol: HTTP1_CLEARTEXT };
  const proxy = new Http1Proxy({
    listener: { ...listenerOn(port), protocol: "HTTP", clientIdleTimeoutMs: 60_000, http: HTTP_DEFAULTS },
    vip: LOOPBACK,
    clock: systemClock,
    random: systemRandom,
    account: createAccount(),
    upstreams: new Upstreams({ transport, clock: systemClock }),
    requestIds: new RequestIds(systemRandom),
    pool: () => pool,
  });
  await transport.listen({ address: LOOPBACK, port, reusePort: true, backlog: 4096 }, proxy.accept);
}

const HTTP_DEFAULTS: HttpUnit = {
  backendIdleTimeoutMs: 60_000,
  requestTimeoutMs: 0,
  requestHeaderTimeoutMs: 10_000,
  maxRequestHeaderBytes: 65_536,
  maxUriBytes: 16_384,
  maxHeaderCount: 128,
  maxRequestBodyBytes: 0,
  forwardedHeaders: "APPEND",
  addRequestId: true,
  hstsMaxAgeS: 0,
  pathNormalization: "ON",
  exposeReasonHeader: false,
  policies: [],
};

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

function onlyBackend(port: number): SessionBalancer {
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
      count: () => undefined,
      release: () => undefined,
      onRevoke: undefined,
    }),
    resume: () => "end",
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
if (kind === "http") await runHttp(Number(port), Number(backendPort));
else if (kind === "pipe") runPipe(Number(port), Number(backendPort));
else await runProxy(Number(port), Number(backendPort), kind === "fiberlb-streams");
