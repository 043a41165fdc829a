/**
 * A data plane in a process of its own, for `l4-network.ts` to measure: `node l4-network-runner.ts MODE VIP BACKEND PORT
 * STREAM_PORT`, where MODE is what `dataPlane.l4` takes, or `dsr`. Both ports take TCP, the second one UDP as well. Says
 * why it cannot serve so; ends with SIGTERM.
 */
import { systemClock } from "../../packages/server/src/clock.ts";
import { createKernelDataPlane } from "../../packages/server/src/data/create-kernel-data-plane.ts";
import type { L4Mode } from "../../packages/server/src/data/l4/nftables/assignment.ts";
import { createDataPlane } from "../../packages/server/src/data/pool.ts";
import type { ListenerUnit, PoolUnit, Unit } from "../../packages/server/src/snapshot/snapshot.ts";

const [mode = "auto", vip = "", backend = "", port, streamPort] = process.argv.slice(2);
const isDsr = mode === "dsr";

type Protocol = "TCP" | "UDP";

const listener = (protocol: Protocol, at: number): ListenerUnit => ({
  id: `${protocol}-${at}`,
  name: `${protocol}-${at}`,
  protocol,
  port: at,
  connectionLimit: 0,
  clientIdleTimeoutMs: 350_000,
  backendConnectTimeoutMs: 5000,
  allowedCidrs: [],
  defaultPoolId: `pool${protocol}${at}`,
});

const pool = (protocol: Protocol, at: number): PoolUnit => ({
  id: `pool${protocol}${at}`,
  name: `${protocol}-${at}`,
  protocol,
  algorithm: isDsr ? "IP_HASH" : "ROUND_ROBIN",
  ...(isDsr && { forwarding: "DSR" }),
  sourceIpPersistence: false,
  drainTimeoutMs: 0,
  slowStartMs: 0,
  panicThresholdPercent: 0,
  onBackendDown: "RESET",
  backends: [
    {
      id: `backend${protocol}${at}`,
      name: "backend",
      host: backend,
      address: backend,
      port: at,
      weight: 1,
      backup: false,
      maxConnections: 0,
      enabled: true,
      monitored: false,
    },
  ],
});

const served = [
  ["TCP", Number(port)],
  ["TCP", Number(streamPort)],
  ["UDP", Number(streamPort)],
] as const;
const unit: Unit = {
  loadBalancerId: "bench",
  name: "bench",
  orgId: "default",
  projectId: "default",
  vip,
  listeners: served.map(([protocol, at]) => listener(protocol, at)),
  pools: served.map(([protocol, at]) => pool(protocol, at)),
};

const log = { info: () => undefined, warn: console.error, error: console.error };
const dataPlane = createKernelDataPlane({
  createWorkers: (onReport) => createDataPlane({ workers: 1, clock: systemClock, onReport }),
  mode: isDsr ? "nftables" : (mode as L4Mode),
  node: "bench",
  routeOthers: "always",
  removeOnStop: true,
  clock: systemClock,
  log,
  onReport: () => undefined,
});
process.once("SIGTERM", () => void dataPlane.stop({ drainTimeoutMs: 0 }).then(() => process.exit(0)));
await dataPlane.start();
const { problems } = await dataPlane.apply({ revision: 1, units: new Map([["bench", unit]]) });
if (problems[0] !== undefined) throw new Error(problems[0].reason);
// Nothing else keeps the process alive when the kernel does the work.
setInterval(() => undefined, 1 << 30);
