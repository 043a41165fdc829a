import { EventEmitter } from "node:events";
import type { Worker } from "node:worker_threads";

import { describe, expect, test } from "@jest/globals";

import type { StoreError } from "../../src/index.ts";
import { ThreadHost } from "../../src/sqlite/thread-host.ts";

class FakeWorker extends EventEmitter {
  readonly sent: unknown[] = [];
  held = true;
  postMessage(message: unknown): void {
    this.sent.push(message);
  }
  ref(): void {
    this.held = true;
  }
  unref(): void {
    this.held = false;
  }
}

function start() {
  const worker = new FakeWorker();
  const failures: StoreError[] = [];
  const published: number[] = [];
  const host = new ThreadHost({
    worker: worker as unknown as Worker,
    path: "/data/store.db",
    owner: { publish: ({ revision }) => published.push(revision), fail: (failure) => failures.push(failure) },
  });
  return { worker, failures, published, host };
}

describe("the thread of a store", () => {
  test("gets the calls of one tick in one message, and holds the process while they run", async () => {
    const { worker, host, published } = start();
    expect(worker.held).toBe(false);
    const calls = [host.call("status", undefined), host.call("leases", undefined)];
    expect(worker.held).toBe(true);
    await Promise.resolve();
    expect(worker.sent).toMatchObject([{ type: "jobs", jobs: [{ name: "status" }, { name: "leases" }] }]);
    worker.emit("message", {
      type: "answers",
      commits: [{ revision: 5, changes: [] }],
      answers: [
        { id: 1, result: "first" },
        { id: 2, failure: { code: "FULL", message: "no space" } },
      ],
    });
    expect(published).toEqual([5]);
    expect(await calls[0]).toBe("first");
    await expect(calls[1]).rejects.toMatchObject({ name: "StoreError", code: "FULL", message: "no space" });
    expect(worker.held).toBe(false);
  });

  test.each([
    ["fails", "error", new Error("out of memory"), "out of memory"],
    ["ends", "exit", 1, "it ended"],
  ])("that %s ends all calls and watches with UNAVAILABLE, naming the file", async (_how, event, argument, reason) => {
    const { worker, host, failures } = start();
    const pending = host.call("status", undefined);
    worker.emit(event, argument);
    const error = {
      code: "UNAVAILABLE",
      message: `The thread of store file /data/store.db failed (${event === "error" ? "Error: " : ""}${reason}); restart to open the file again`,
    };
    await expect(pending).rejects.toMatchObject(error);
    await expect(host.call("status", undefined)).rejects.toMatchObject(error);
    expect(failures).toMatchObject([error]);
    worker.emit("exit", 1);
    expect(failures).toHaveLength(1);
    await host.close();
  });
});
