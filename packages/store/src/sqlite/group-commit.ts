import type { DatabaseSync } from "node:sqlite";

import { isStoreError } from "../errors.ts";
import { isRefusal, isWrite, perform } from "../mvcc/calls.ts";
import type { Commit } from "../mvcc/tables.ts";
import { tryCheckpoint } from "./checkpoint.ts";
import { packRange } from "./packed-range.ts";
import { type Answer, type Job, toFailure } from "./protocol.ts";
import { toStoreError } from "./sqlite-error.ts";
import type { SqliteTables } from "./sqlite-tables.ts";

export interface GroupOptions {
  readonly database: DatabaseSync;
  readonly tables: SqliteTables;
  readonly path: string;
}

export interface GroupResult {
  readonly commits: readonly Commit[];
  readonly answers: readonly Answer[];
}

/**
 * Performs queued calls with one COMMIT, and so one fsync, for all that write. Reads run after it: they never see
 * what is not yet durable.
 */
export function performGroup(options: GroupOptions, jobs: readonly Job[]): GroupResult {
  const writes = jobs.filter((job) => isWrite(job.name));
  const written = writes.length === 0 ? { commits: [], answers: [] } : performWrites(options, writes);
  const reads = jobs.filter((job) => !isWrite(job.name)).map((job) => performRead(options, job));
  return { commits: written.commits, answers: [...written.answers, ...reads] };
}

/** All in one transaction; when the medium fails, each in one of its own, so that only those fail that must. */
function performWrites(options: GroupOptions, jobs: readonly Job[]): GroupResult {
  try {
    return commitTogether(options, jobs);
  } catch (error) {
    const failure = toStoreError(error, "write to store file", options.path);
    // Without space for the log to grow, moving it into the database may make some.
    if (isStoreError(failure, "FULL")) tryCheckpoint(options.database);
    if (jobs.length === 1 && !isStoreError(failure, "FULL")) return failed(jobs, failure);
  }
  const results = jobs.map((job) => commitAlone(options, job));
  return {
    commits: results.flatMap((result) => result.commits),
    answers: results.flatMap((result) => result.answers),
  };
}

function commitAlone(options: GroupOptions, job: Job): GroupResult {
  try {
    return commitTogether(options, [job]);
  } catch (error) {
    return failed([job], toStoreError(error, "write to store file", options.path));
  }
}

function failed(jobs: readonly Job[], failure: ReturnType<typeof toStoreError>): GroupResult {
  return { commits: [], answers: jobs.map(({ id }) => ({ id, failure: toFailure(failure) })) };
}

function commitTogether({ database, tables }: GroupOptions, jobs: readonly Job[]): GroupResult {
  const commits: Commit[] = [];
  const answers: Answer[] = [];
  database.exec("BEGIN IMMEDIATE");
  try {
    for (const job of jobs) answers.push(performWrite(tables, job, commits));
    tables.flush();
    database.exec("COMMIT");
  } catch (error) {
    // SQLite rolls back by itself when the disk is full.
    if (database.isTransaction) database.exec("ROLLBACK");
    tables.reload();
    throw error;
  }
  return { commits, answers };
}

/** A refused call answers for itself; any other failure may have left half a call, and ends the transaction. */
function performWrite(tables: SqliteTables, job: Job, commits: Commit[]): Answer {
  try {
    const { result, commit } = perform(tables, job.name, job.args);
    if (commit) commits.push(commit);
    return { id: job.id, result };
  } catch (error) {
    if (isRefusal(error)) return { id: job.id, failure: toFailure(error) };
    throw error;
  }
}

function performRead({ tables, path }: GroupOptions, job: Job): Answer {
  try {
    if (job.name === "range") return { id: job.id, range: packRange(perform(tables, "range", job.args).result) };
    return { id: job.id, result: perform(tables, job.name, job.args).result };
  } catch (error) {
    return { id: job.id, failure: toFailure(toStoreError(error, "read store file", path)) };
  }
}
