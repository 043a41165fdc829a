import type { DatabaseSync } from "node:sqlite";

import { StoreError } from "../errors.ts";
import { COLUMNS, type HistoryRow, isIntact } from "./row.ts";
import { APPLICATION_ID, FORMAT_VERSION } from "./schema.ts";
import { corrupt } from "./sqlite-error.ts";

/** Keys whose newest version and entry in `live` contradict each other. */
const CONTRADICTIONS = `
SELECT key FROM (
  SELECT live.key AS key FROM live LEFT JOIN history AS h ON h.id = live.id
    WHERE h.id IS NULL OR h.key <> live.key OR h.deleted <> 0
  UNION ALL
  SELECT h.key FROM history AS h LEFT JOIN live ON live.key = h.key
    WHERE live.id IS NOT (CASE h.deleted WHEN 0 THEN h.id END)
      AND h.revision = (SELECT max(revision) FROM history AS newest WHERE newest.key = h.key)
) LIMIT 1`;

/** Refuses files that are not ours or that a newer release wrote. */
export function checkFormat(database: DatabaseSync, path: string): void {
  const applicationId = pragma(database, "application_id");
  if (applicationId !== APPLICATION_ID) {
    throw new StoreError("INVALID", `${path} is a SQLite database, but not a FiberLB store; choose another path`);
  }
  const version = Number(pragma(database, "user_version"));
  if (version < 1) throw corrupt(path, `store format ${version}`);
  if (version > FORMAT_VERSION) {
    const message = `${path} has store format ${version}, this release reads up to ${FORMAT_VERSION}; use the newer one`;
    throw new StoreError("NEWER_FORMAT", message);
  }
}

/** Reads all of the file; `CORRUPT` when a page, an index or a row is not as it was written. */
export function checkIntegrity(database: DatabaseSync, path: string): void {
  const verdict = pragma(database, "integrity_check(1)");
  if (verdict !== "ok") throw corrupt(path, String(verdict).replaceAll(/\s+/g, " "));
  const newest = database.prepare("SELECT value FROM meta WHERE name = 'revision'").get();
  for (const found of database.prepare(`SELECT ${COLUMNS} FROM history AS h`).iterate()) {
    const row = found as unknown as HistoryRow;
    if (isIntact(row) && row.revision <= Number(newest?.["value"])) continue;
    throw corrupt(path, `checksum of key ${JSON.stringify(row.key)} at revision ${row.revision}`);
  }
  const contradiction = database.prepare(CONTRADICTIONS).get();
  if (contradiction) throw corrupt(path, `index of key ${JSON.stringify(contradiction["key"])}`);
}

function pragma(database: DatabaseSync, name: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}
