import { DatabaseSync } from "node:sqlite";

import { describe, expect, test } from "@jest/globals";

import { absent, type LeaseId, put, remove } from "../../src/index.ts";
import { performGroup } from "../../src/sqlite/group-commit.ts";
import type { Job } from "../../src/sqlite/protocol.ts";
import { SCHEMA } from "../../src/sqlite/schema.ts";
import { SqliteTables } from "../../src/sqlite/sqlite-tables.ts";
import { bytes } from "../contract/fixture.ts";

function openGroup() {
  const database = new DatabaseSync(":memory:");
  database.exec(SCHEMA);
  return { database, tables: new SqliteTables(database, ":memory:"), path: ":memory:" };
}

function write(id: number, key: string, value: Uint8Array = bytes("v"), lease?: LeaseId): Job {
  return { id, name: "txn", args: { success: [put(key, value, lease === undefined ? {} : { lease })] } };
}

describe("a group of calls", () => {
  test("commits once; each write has its own revision, reads see all of them", () => {
    const group = openGroup();
    const jobs: Job[] = [write(1, "a"), { id: 2, name: "get", args: { key: "b" } }, write(3, "b")];
    const { commits, answers } = performGroup(group, jobs);
    expect(commits.map(({ revision }) => revision)).toEqual([2, 3]);
    expect(answers).toMatchObject([
      { id: 1, result: { revision: 2 } },
      { id: 3, result: { revision: 3 } },
      { id: 2, result: { kv: { key: "b" }, revision: 3 } },
    ]);
    expect(group.database.isTransaction).toBe(false);
  });

  test("what changes nothing writes nothing, and so needs no fsync", () => {
    const group = openGroup();
    performGroup(group, [write(1, "a")]);
    const written = () => group.database.prepare("SELECT total_changes() AS count").get()!["count"];
    const before = written();
    const failing = { compare: [absent("a")], success: [put("a", bytes(""))] };
    const { answers, commits } = performGroup(group, [
      { id: 2, name: "txn", args: failing },
      { id: 3, name: "txn", args: { success: [remove("nothing")] } },
    ]);
    expect(answers).toMatchObject([{ result: { succeeded: false } }, { result: { revision: 2 } }]);
    expect([commits.length, written()]).toEqual([0, before]);
  });

  test("a refused call does not disturb its neighbours", () => {
    const { answers, commits } = performGroup(openGroup(), [
      write(1, "a"),
      write(2, "b", bytes(""), "77" as LeaseId),
      write(3, "c"),
    ]);
    expect(answers).toMatchObject([{ result: {} }, { failure: { code: "LEASE_NOT_FOUND" } }, { result: {} }]);
    expect(commits).toHaveLength(2);
  });

  test("when the disk is full only what does not fit fails, and nothing of it stays", () => {
    const group = openGroup();
    group.database.exec("PRAGMA max_page_count = 60");
    const { answers, commits } = performGroup(group, [
      write(1, "small/1"),
      write(2, "large", new Uint8Array(300_000)),
      write(3, "small/2"),
      { id: 4, name: "range", args: { start: "a", end: "z" } },
    ]);
    expect(answers).toMatchObject([
      { id: 1, result: { revision: 2 } },
      { id: 2, failure: { code: "FULL" } },
      { id: 3, result: { revision: 3 } },
      { id: 4, range: { keys: ["small/1", "small/2"] } },
    ]);
    expect(commits.flatMap(({ changes }) => changes.map(({ kv }) => kv.key))).toEqual(["small/1", "small/2"]);
    group.database.exec("PRAGMA max_page_count = 1000");
    expect(performGroup(group, [write(5, "large", new Uint8Array(300_000))]).commits).toHaveLength(1);
  });

  test("a damaged row fails the calls that meet it with CORRUPT, and no others", () => {
    const group = openGroup();
    performGroup(group, [write(1, "bad"), write(2, "good")]);
    group.database.exec("UPDATE history SET value = x'00' WHERE key = 'bad'");
    const { answers } = performGroup(group, [
      write(3, "bad"),
      write(4, "good"),
      { id: 5, name: "get", args: { key: "bad" } },
      { id: 6, name: "get", args: { key: "good" } },
    ]);
    expect(answers).toMatchObject([
      { id: 3, failure: { code: "CORRUPT" } },
      { id: 4, result: { revision: 4 } },
      { id: 5, failure: { code: "CORRUPT" } },
      { id: 6, result: { kv: { version: 2 } } },
    ]);
  });
});
