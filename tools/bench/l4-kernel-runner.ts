/**
 * A data plane in a process of its own, for `l4-kernel.ts` to measure: `node l4-kernel-runner.ts MODE VIP PORT BACKEND
 * BACKEND_PORT`, where MODE is what `dataPlane.l4` takes. Prints `ready`, or why it cannot serve so; ends with SIGTERM.
 */
import { systemClock } from "../../packages/server/src/clock.ts";
import { createKernelDataPlane } from "../../packages/server/src/data/create-kernel-data-plane.ts";
import type { L4Mode } from "../../packages/server/src/data/l4/nftables/assignment.ts";
import { createDataPlane } from "../../packages/server/src/data/pool.ts";
import type { Unit } from "../../packages/server/src/snapshot/snapshot.ts";

const [mode = "auto", vip = "", port, backend = "", backendPort] = process.argv.slice(2);

const unit: Unit = {
  loadBalancerId: "bench",
  name: "bench",
  orgId: "default",
  projectId: "default",
  vip,
  listeners: [
    {
      id: "bench",
      name: "bench",
      protocol: "TCP",
      port: Number(port),
      connectionLimit: 0,
      clientIdleTimeoutMs: 350_000,
      backendConnectTimeoutMs: 5000,
      allowedCidrs: [],
      defaultPoolId: "pool",
    },
  ],
  pools: [
    {
      id: "pool",
      name: "pool",
      protocol: "TCP",
      algorithm: "ROUND_ROBIN",
      sourceIpPersistence: false,
      drainTimeoutMs: 0,
      slowStartMs: 0,
      panicThresholdPercent: 0,
      onBackendDown: "RESET",
      backends: [
        {
          id: "backend",
          name: "backend",
          host: backend,
          address: backend,
          port: Number(backendPort),
          weight: 1,
          backup: false,
          maxConnections: 0,
          enabled: true,
          monitored: false,
        },
      ],
    },
  ],
};

const log = { info: () => undefined, warn: console.error, error: console.error };
const dataPlane = createKernelDataPlane({
  createWorkers: (onReport) => createDataPlane({ workers: 1, clock: systemClock, onReport }),
  mode: mode as L4Mode,
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
console.log(problems[0]?.reason ?? "ready");
// Nothing else keeps the process alive when the kernel does the work.
setInterval(() => undefined, 1 << 30);
