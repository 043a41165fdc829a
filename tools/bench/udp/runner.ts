/**
 * One program of `udp.ts` in a process of its own: `node runner.ts KIND PORT BACKEND_PORT`, where KIND is `fiberlb`
 * (UDP proxy on the sockets that this Node gets), `fiberlb-dgram` (the same on public interfaces of Node only), `relay` (a
 * plain node:dgram relay with a socket a client, for comparison) or `echo` (the backend). Prints a line when it is ready.
 */
import { createSocket } from "node:dgram";

import { systemClock } from "../../../packages/server/src/clock.ts";
import type { Balancer } from "../../../packages/server/src/data/balancer.ts";
import { FlowBudget } from "../../../packages/server/src/data/l4/flow-budget.ts";
import type { ListenerAccount } from "../../../packages/server/src/data/l4/listener-account.ts";
import { UdpProxy } from "../../../packages/server/src/data/l4/udp-proxy.ts";
import { createNodeDatagrams } from "../../../packages/server/src/data/transport/node-datagrams.ts";
import type { ListenerUnit } from "../../../packages/server/src/snapshot/snapshot.ts";

const LOOPBACK = "127.0.0.1";
const MAX_FLOWS = 8000;
/** Short, so that what it costs to end flows is in the figures. */
const IDLE_TIMEOUT_MS = 500;

async function runEcho(port: number): Promise<void> {
  await createNodeDatagrams().bind(
    { address: LOOPBACK, port, reusePort: false },
    { onDatagram: (bytes, from, socket) => socket.send(bytes, from), onLoss() {} },
  );
}

async function runProxy(port: number, backendPort: number, isPublicOnly: boolean): Promise<void> {
  const transport = createNodeDatagrams(isPublicOnly ? { binding: undefined } : {});
  const balancer = onlyBackend(backendPort);
  const proxy = new UdpProxy({
    listener: listenerOn(port),
    vip: LOOPBACK,
    transport,
    clock: systemClock,
    account: createAccount(),
    budget: new FlowBudget(MAX_FLOWS),
    balancer: () => balancer,
  });
  await transport.bind(
    { address: LOOPBACK, port, reusePort: true },
    { onDatagram: proxy.receive.bind(proxy), onLoss: () => proxy.onLoss() },
  );
}

function listenerOn(port: number): ListenerUnit {
  return {
    id: "bench",
    name: "bench",
    protocol: "UDP",
    port,
    connectionLimit: 0,
    clientIdleTimeoutMs: IDLE_TIMEOUT_MS,
    backendConnectTimeoutMs: 5000,
    allowedCidrs: [],
    defaultPoolId: "pool",
  };
}

/** Counts as a worker does, though nobody reads it. */
function createAccount(): ListenerAccount {
  const totals = new Float64Array(new SharedArrayBuffer(64));
  return {
    open: () => (totals[0]! += 1) > 0,
    close: () => void (totals[1]! += 1),
    reject: () => void (totals[2]! += 1),
    count: (bytesIn, bytesOut) => {
      totals[3]! += bytesIn;
      totals[4]! += bytesOut;
    },
  };
}

function onlyBackend(port: number): Balancer {
  const base = { id: "b", name: "b", host: LOOPBACK, address: LOOPBACK, port };
  const backend = { ...base, weight: 1, backup: false, maxConnections: 0, enabled: true, monitored: false };
  const pick: Balancer["pick"] = () => ({
    kind: "lease",
    backend,
    connected() {},
    failed() {},
    judge() {},
    count() {},
    release() {},
    onRevoke: undefined,
  });
  return { pick, wait: () => ({ kind: "refusal", reason: "backend-limit" }) };
}

function runRelay(port: number, backendPort: number): Promise<void> {
  const front = createSocket({ type: "udp4", recvBufferSize: 4 << 20, lookup: (host, _, done) => done(null, host, 4) });
  const backs = new Map<string, { send: (bytes: Uint8Array) => void; timer: NodeJS.Timeout }>();
  const open = (key: string, client: { address: string; port: number }) => {
    const back = createSocket({ type: "udp4", lookup: (host, _, done) => done(null, host, 4) });
    back.on("message", (bytes) => front.send(bytes, client.port, client.address));
    back.connect(backendPort, LOOPBACK);
    const end = (): void => {
      backs.delete(key);
      back.close();
    };
    const made = { send: (bytes: Uint8Array) => back.send(bytes), timer: setTimeout(end, IDLE_TIMEOUT_MS) };
    backs.set(key, made);
    return made;
  };
  front.on("message", (bytes, from) => {
    const key = `${from.address} ${from.port}`;
    const back = backs.get(key) ?? open(key, from);
    back.timer.refresh();
    back.send(bytes);
  });
  return new Promise((resolve) => void front.bind(port, LOOPBACK, resolve));
}

const [kind, port, backendPort] = process.argv.slice(2);
if (kind === "echo") await runEcho(Number(port));
else if (kind === "relay") await runRelay(Number(port), Number(backendPort));
else await runProxy(Number(port), Number(backendPort), kind === "fiberlb-dgram");
console.log("ready");
