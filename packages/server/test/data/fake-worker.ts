import { EventEmitter } from "node:events";
import type { Worker } from "node:worker_threads";

import type { BindFailure, FromWorker, ToWorker, WorkerStart } from "../../src/data/worker-protocol.ts";

/** A worker that says only what a test makes it say, right away. */
export class FakeWorker extends EventEmitter {
  readonly start: WorkerStart;
  readonly heard: ToWorker[] = [];
  /** Whether it confirms at once what it is told. */
  isPrompt = true;
  failures: readonly BindFailure[] = [];

  constructor(start: WorkerStart) {
    super();
    this.start = start;
    queueMicrotask(() => this.say({ kind: "ready" }));
  }

  /** As the data plane sees it. */
  get asWorker(): Worker {
    return this as unknown as Worker;
  }

  say(message: FromWorker): void {
    this.emit("message", message);
  }

  postMessage(message: ToWorker): void {
    this.heard.push(message);
    if (message.kind === "stop") this.say({ kind: "stopped" });
    if (message.kind === "apply" && this.isPrompt) queueMicrotask(() => this.confirm());
  }

  /** Confirms everything that it was told. */
  confirm(): void {
    const last = this.heard.findLast((message) => message.kind === "apply");
    if (last?.kind !== "apply") throw new Error("nothing to confirm");
    this.say({ kind: "applied", sequence: last.sequence, failures: this.failures });
  }

  die(): void {
    this.emit("exit", 1);
  }

  async terminate(): Promise<number> {
    this.emit("exit", 1);
    return 1;
  }
}
