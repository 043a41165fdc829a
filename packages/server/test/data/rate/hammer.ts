/** A worker thread that asks a shared table so often at one moment, and answers how often it was let in. */
import { parentPort, workerData } from "node:worker_threads";

import { SourceTable } from "../../../src/data/rate/source-table.ts";

/** What it is told. */
export interface Hammer {
  readonly memory: SharedArrayBuffer;
  /** One number: 1 says go. */
  readonly gate: SharedArrayBuffer;
  readonly attempts: number;
  readonly ratePerS: number;
  readonly epochMs: number;
}

const { memory, gate, attempts, ratePerS, epochMs } = workerData as Hammer;
const table = SourceTable.open(memory);
Atomics.wait(new Int32Array(gate), 0, 0);
let admitted = 0;
for (let i = 0; i < attempts; i++) if (table.admits("10.0.0.1", ratePerS, epochMs)) admitted++;
parentPort!.postMessage(admitted);
