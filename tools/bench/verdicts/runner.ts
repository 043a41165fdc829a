/**
 * The kernel's driver with its Maglev tables in a process of its own, for `verdicts.ts` to measure. Told what to do by
 * messages of {@link RunnerCall}; ends with SIGTERM.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

import { systemClock } from "../../../packages/server/src/clock.ts";
import { createKernelDataPlane } from "../../../packages/server/src/data/create-kernel-data-plane.ts";
import type { RunCommand } from "../../../packages/server/src/data/l4/nftables/command.ts";
import { createDataPlane } from "../../../packages/server/src/data/pool.ts";
import { MaglevTables } from "../../../packages/server/src/snapshot/maglev-tables.ts";
import type { BackendHealth } from "../../../packages/server/src/snapshot/snapshot.ts";
import { type Size, unitsOf } from "./units.ts";

/** What the runner is asked. */
export type RunnerCall =
  | { readonly kind: "load"; readonly size: Size }
  | { readonly kind: "verdict"; readonly backendId: string; readonly health: BackendHealth };

/** Its answer to `load`. */
export interface Loaded {
  readonly problem: string;
  readonly ms: number;
  /** Until the first slice of it forwards. */
  readonly firstSliceMs: number;
  /** The most memory that an nft took. */
  readonly nftPeakKiB: number;
}

/** Its answer to `verdict`. */
export interface Judged {
  /** Of `process.hrtime`, which all processes of a machine share. */
  readonly atNs: string;
  /** Until nft has ended and given its memory back, which is later than the kernel's change. */
  readonly ms: number;
}

let nftPeakKiB = 0;
let onLoaded: () => void = () => undefined;

const run: RunCommand = ({ name, args, input = "" }) =>
  new Promise((resolve, reject) => {
    const child = spawn(name, args, { stdio: ["pipe", "pipe", "pipe"] });
    const watch = setInterval(() => void (nftPeakKiB = Math.max(nftPeakKiB, peakOf(child.pid))), 10);
    const texts = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk: Buffer) => void (texts.stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => void (texts.stderr += chunk.toString()));
    child.once("error", reject);
    child.once("close", (code) => {
      clearInterval(watch);
      if (name === "nft" && args[0] === "-f") onLoaded();
      resolve({ code, ...texts });
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });

function peakOf(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

const log = { info: () => undefined, warn: console.error, error: console.error };
const dataPlane = createKernelDataPlane({
  createWorkers: (onReport) => createDataPlane({ workers: 1, clock: systemClock, onReport }),
  mode: "nftables",
  node: "bench",
  routeOthers: "always",
  removeOnStop: true,
  clock: systemClock,
  log,
  onReport: () => undefined,
  run,
});
const tables = new MaglevTables({ onTable: (table) => dataPlane.setTable(table) });

function judge(backendId: string, health: BackendHealth): void {
  tables.setHealth(backendId, health);
  dataPlane.setHealth(backendId, health);
}

const sinceMs = (start: bigint): number => Number(process.hrtime.bigint() - start) / 1e6;

async function load(size: Size): Promise<Loaded> {
  const units = unitsOf(size);
  for (const { pools } of units.values()) for (const { id } of pools[0]!.backends) judge(id, "ONLINE");
  const start = process.hrtime.bigint();
  let firstSliceMs = Infinity;
  onLoaded = () => void (firstSliceMs = Math.min(firstSliceMs, sinceMs(start)));
  const snapshot = { revision: 1, units };
  tables.apply(snapshot);
  const { problems } = await dataPlane.apply(snapshot);
  return { problem: problems[0]?.reason ?? "", ms: sinceMs(start), firstSliceMs, nftPeakKiB };
}

function verdict(backendId: string, health: BackendHealth): Promise<Judged> {
  const start = process.hrtime.bigint();
  return new Promise((resolve) => {
    onLoaded = () => resolve({ atNs: String(start), ms: sinceMs(start) });
    judge(backendId, health);
  });
}

process.on("message", (call: RunnerCall) => {
  const answer = call.kind === "load" ? load(call.size) : verdict(call.backendId, call.health);
  answer.then(
    (said) => process.send?.(said),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.once("SIGTERM", () => void dataPlane.stop({ drainTimeoutMs: 0 }).then(() => process.exit(0)));
await dataPlane.start();
process.send?.("ready");
