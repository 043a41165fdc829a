/** A worker thread that asks a shared table for one source after the other, each at the same moment as another thread does. */
import { parentPort, workerData } from "node:worker_threads";

import { SourceTable } from "../../../src/data/rate/source-table.ts";

/** What it is told. */
export interface Hammer {
  readonly memory: SharedArrayBuffer;
  /** A number for each source: how many threads have come to it. */
  readonly meetings: SharedArrayBuffer;
  readonly threads: number;
  readonly attempts: number;
  readonly ratePerS: number;
  readonly epochMs: number;
}

/** Turns of waiting for the others: they may not have a processor. */
const PATIENCE = 100_000;

const { memory, meetings, threads, attempts, ratePerS, epochMs } = workerData as Hammer;
const table = SourceTable.open(memory);
const arrived = new Int32Array(meetings);
const admitted = Array.from(arrived, (_, source) => {
  Atomics.add(arrived, source, 1);
  for (let turn = 0; turn < PATIENCE && Atomics.load(arrived, source) < threads; turn++);
  const address = `10.1.${source >> 8}.${source & 255}`;
  return Array.from({ length: attempts }, () => table.admits(address, ratePerS, epochMs)).filter(Boolean).length;
});
parentPort!.postMessage(admitted);
