// The thread that owns the database. It answers calls in groups: all that arrived while the last group was written.
import type { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

import { backupDatabase } from "./backup.ts";
import { closeDatabase, openDatabase } from "./database-file.ts";
import { performGroup } from "./group-commit.ts";
import { type FromThread, type Job, type ThreadData, toFailure, type ToThread } from "./protocol.ts";
import { toStoreError } from "./sqlite-error.ts";
import { SqliteTables } from "./sqlite-tables.ts";

/** So that a long queue is answered bit by bit. */
const MAX_GROUP = 1024;

const { path } = workerData as ThreadData;
const port = parentPort!;

function send(message: FromThread): void {
  port.postMessage(message);
}

function serve(database: DatabaseSync): void {
  const tables = new SqliteTables(database, path);
  const queue: Job[] = [];
  let backups: Promise<void> = Promise.resolve();

  const work = (): void => {
    const jobs = queue.splice(0, MAX_GROUP);
    if (queue.length > 0) setImmediate(work);
    if (jobs.length > 0) send({ type: "answers", ...performGroup({ database, tables, path }, jobs) });
  };

  const backUp = async (id: number, target: string): Promise<void> => {
    try {
      await backupDatabase(database, target);
      send({ type: "answers", commits: [], answers: [{ id, result: undefined }] });
    } catch (error) {
      const failure = toFailure(toStoreError(error, "write backup", target));
      send({ type: "answers", commits: [], answers: [{ id, failure }] });
    }
  };

  const close = async (): Promise<void> => {
    while (queue.length > 0) work();
    await backups;
    closeDatabase(database, path);
    port.close();
  };

  port.on("message", (message: ToThread) => {
    if (message.type === "jobs") {
      // After the other messages that have arrived by now: they belong to the same group.
      if (queue.length === 0) setImmediate(work);
      queue.push(...message.jobs);
    } else if (message.type === "backup") {
      const { id, path: target } = message;
      backups = backups.then(() => backUp(id, target));
    } else void close();
  });
  send({ type: "opened", revision: tables.revision, leases: tables.leases() });
}

try {
  serve(await openDatabase(path));
} catch (error) {
  send({ type: "refused", failure: toFailure(toStoreError(error, "open store file", path)) });
}
