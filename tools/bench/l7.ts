import { type Balancer, freePorts, isInstalled, TestBed } from "./l4-bed.ts";
import { measureAll, median } from "./l4.ts";
import type { BenchTable } from "./table.ts";

/** How long {@link benchL7} takes: rounds × programs × 2 loads × seconds. */
export interface BenchL7Options {
  /** Every program is measured once a round, in turns, because a shared machine drifts. Default 5. */
  readonly rounds?: number;
  /** Of one measurement. Default 2. */
  readonly seconds?: number;
}

const LOADS = [
  { column: "keep-alive", newConnections: false, target: 1.25 },
  { column: "connection a request", newConnections: true, target: 1.8 },
] as const;
const BASELINE = "HAProxy";
const TITLE = "L7 HTTP/1.1: CPU µs per request (user + system of one worker), 64 connections, 29-byte responses";

/** What a request costs in FiberLB and in HAProxy (mode http) that do the same with it. */
export async function benchL7({ rounds = 5, seconds = 2 }: BenchL7Options = {}): Promise<BenchTable> {
  const columns = ["program", ...LOADS.flatMap(({ column }) => [column, `× ${BASELINE}`])];
  if (process.platform !== "linux" || !isInstalled("wrk")) {
    const notes = ["skipped: needs Linux and wrk (apt-get install wrk haproxy nginx)"];
    return { title: TITLE, columns, rows: [], notes };
  }
  const bed = new TestBed();
  try {
    const [backendPort, haproxyPort, ownPort] = (await freePorts(3)) as [number, number, number];
    const backend = await bed.startBackend(backendPort);
    const balancers: Balancer[] = [];
    if (isInstalled("haproxy")) balancers.push(await bed.startHaproxy(haproxyPort, backendPort, "http"));
    balancers.push(await bed.startRunner("FiberLB", "http", { port: ownPort, backendPort }));
    const costs = await measureAll(bed, balancers, { loads: LOADS, rounds, seconds });
    const rows = balancers.map(({ name }) => [
      name,
      ...LOADS.flatMap((load) => {
        const own = costs.get(load)?.get(name) ?? [];
        const baseline = costs.get(load)?.get(BASELINE);
        const ratio = baseline && median(own.map((cost, round) => cost / baseline[round]!)).toFixed(2);
        return [median(own).toFixed(1), ratio ?? "–"];
      }),
    ]);
    const targets = LOADS.map(({ column, target }) => `≤ ${target} × ${BASELINE} ${column}`).join(", ");
    const how = `median of ${rounds} rounds in turns, in ${bed.place}; backend ${backend}, load wrk`;
    const alike = "both add X-Forwarded-For, -Proto and -Port and X-Request-Id, and keep connections to the backend";
    return { title: TITLE, columns, rows, notes: [`targets: ${targets}`, how, alike] };
  } finally {
    await bed.close();
  }
}
