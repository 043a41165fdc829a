import { readFileSync, rmSync } from "node:fs";

import { afterEach, describe, expect, jest, test } from "@jest/globals";

import { type Declared, declare, untilProvisioned } from "./api.ts";
import { freePort } from "./echo-server.ts";
import { startChurn } from "./load/churn.ts";
import type { Report } from "./load/load-generator.ts";
import { type EchoProcess, move, startEchoProcess } from "./load/processes.ts";
import { type NodeProcess, startNode, VIP_NETWORK } from "./node-process.ts";

const CLIENTS = 200;
const TOTAL_BYTES = 1024 ** 3;
const WARM_UP_BYTES = TOTAL_BYTES / 8;
const CHANGE_EVERY_MS = 100;
const LEAST_CHANGES = 700;
/** On the load balancer whose backends and weights change: those that leave may finish what they carry. */
const CLIENTS_OF_CHANGED = 20;
const MIB = 1024 ** 2;
/** Far above what garbage between two collections takes, far below what keeping the data would. */
const GROWTH_LIMIT_MIB = 300;

jest.setTimeout(300_000);

let echo: EchoProcess | undefined;
let node: NodeProcess | undefined;

afterEach(async () => {
  await Promise.all([node?.program.kill(), echo?.program.kill()]);
  if (node !== undefined) rmSync(node.folder, { recursive: true });
});

/** Memory of a process that is in RAM now. */
function rssMib(pid: number): number {
  return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024);
}

async function declareOn(index: number, ports: readonly number[]): Promise<Declared> {
  const vipAddress = `${VIP_NETWORK}.${index}`;
  const lb = await declare(node!.api, {
    vipAddress,
    port: await freePort(vipAddress),
    backends: ports.map((port) => ({ port })),
    healthCheck: { intervalMs: 2000, timeoutMs: 2000 },
  });
  await untilProvisioned(node!.api, lb);
  return lb;
}

const why = process.platform === "linux" ? "" : "reads memory from /proc";
(why ? describe.skip : describe)(`soak${why ? ` (skipped: ${why})` : ""}`, () => {
  test(`${CLIENTS} clients move 1 GiB while other load balancers change`, async () => {
    echo = await startEchoProcess(3);
    const { ports } = echo;
    node = await startNode({ config: { shutdown: { drainTimeoutMs: 0 }, vipReuseDelayS: 0 } });
    const { api, program } = node;
    const targets = [await declareOn(1, ports), await declareOn(2, ports)];
    const changed = await declareOn(3, ports);
    await move({ targets, clients: CLIENTS, totalBytes: WARM_UP_BYTES });
    const rssBefore = rssMib(program.pid);
    const churn = startChurn({
      api,
      poolId: changed.poolId,
      backendIds: changed.backendIds,
      backendPorts: ports,
      listenerPort: await freePort(`${VIP_NETWORK}.4`),
      everyMs: CHANGE_EVERY_MS,
    });

    const reports: Report[] = [];
    const rss: number[] = [];
    // A fast machine is done with 1 GiB before much has changed, and goes on.
    while (reports.length === 0 || churn.changes < LEAST_CHANGES) {
      reports.push(await move({ targets, clients: CLIENTS, totalBytes: TOTAL_BYTES }));
      reports.push(await move({ targets: [changed], clients: CLIENTS_OF_CHANGED, totalBytes: WARM_UP_BYTES }));
      rss.push(rssMib(program.pid));
    }
    await churn.stop();

    const sum = (pick: (report: Report) => number): number => reports.reduce((total, one) => total + pick(one), 0);
    process.stdout.write(
      `soak: ${sum(({ transfers }) => transfers)} transfers, ${Math.round(sum(({ bytes }) => bytes) / MIB)} MiB there ` +
        `and back in ${sum(({ seconds }) => seconds).toFixed(1)} s, ${churn.changes} changes; ` +
        `RSS ${rssBefore} MiB before, then ${rss.join(", ")} MiB\n`,
    );
    expect(reports.map(({ broken }) => broken)).toEqual(reports.map(() => ({})));
    expect(churn.failures).toEqual([]);
    expect(rss.at(-1)! - rssBefore).toBeLessThan(GROWTH_LIMIT_MIB);
  });
});
