import { DatabaseSync } from "node:sqlite";

import { describe, expect, test } from "@jest/globals";

import { ALL_KEYS, LIMITS, put } from "../../src/index.ts";
import { MemoryTables } from "../../src/memory/memory-tables.ts";
import { perform } from "../../src/mvcc/calls.ts";
import type { Tables } from "../../src/mvcc/tables.ts";
import { SCHEMA } from "../../src/sqlite/schema.ts";
import { SqliteTables } from "../../src/sqlite/sqlite-tables.ts";
import { bytes } from "../contract/fixture.ts";

function sqliteTables(): { tables: Tables; stored: () => number } {
  const database = new DatabaseSync(":memory:");
  database.exec(SCHEMA);
  const count = database.prepare("SELECT count(*) AS count FROM history");
  return { tables: new SqliteTables(database, ":memory:"), stored: () => count.get()!["count"] as number };
}

describe.each([
  ["memory", () => ({ tables: new MemoryTables() as Tables, stored: undefined })],
  ["SQLite", sqliteTables],
])("history in %s", (_name, make) => {
  test("is bounded: 10,000 revisions are kept, and not many more", () => {
    const { tables, stored } = make();
    perform(tables, "txn", { success: [put("written once", bytes("v"))] });
    for (let index = 0; index < 12_000; index++) {
      perform(tables, "txn", { success: [put(`k/${index % 10}`, bytes(String(index)))] });
      const kept = tables.revision - tables.compactRevision;
      if (kept > LIMITS.retainedRevisions + 100) throw new Error(`${kept} revisions kept`);
    }
    const kept = tables.revision - tables.compactRevision;
    expect(kept).toBeGreaterThanOrEqual(LIMITS.retainedRevisions);
    const all = { range: ALL_KEYS, maxBytes: Infinity, prevKv: false };
    const page = perform(tables, "history", { ...all, fromRevision: tables.compactRevision + 1 }).result;
    expect(page.commits).toHaveLength(kept);
    expect(() => perform(tables, "history", { ...all, fromRevision: tables.compactRevision })).toThrow(
      expect.objectContaining({ code: "COMPACTED", compactRevision: tables.compactRevision }),
    );
    // Beside the history, the newest older version of each key.
    if (stored) expect(stored()).toBe(kept + 11);
    expect(tables.get("written once", tables.compactRevision)?.version).toBe(1);
  });
});
