import type { DatabaseSync, StatementSync } from "node:sqlite";

import { COLUMNS } from "./row.ts";

const KEY_COLUMNS = COLUMNS.replace("h.value", "x'' AS value");
const NEWEST_AT = `h.deleted = 0 AND NOT EXISTS (
  SELECT 1 FROM history AS newer WHERE newer.key = h.key AND newer.revision > h.revision AND newer.revision <= ?3)`;
/** CROSS JOIN keeps SQLite from turning the join around. */
const LIVE = "FROM live CROSS JOIN history AS h ON h.id = live.id";
const IN_LIVE = "live.key >= ?1 AND live.key < ?2";
const IN_HISTORY = "h.key >= ?1 AND h.key < ?2 AND h.revision <= ?3";

const SQL = {
  getMeta: "SELECT value FROM meta WHERE name = ?",
  setMeta: "UPDATE meta SET value = ? WHERE name = ?",
  getLive: `SELECT ${COLUMNS} ${LIVE} WHERE live.key = ?`,
  getAt: `SELECT ${COLUMNS} FROM history AS h WHERE h.key = ? AND h.revision <= ? ORDER BY h.revision DESC LIMIT 1`,
  scan: `SELECT ${COLUMNS} ${LIVE} WHERE ${IN_LIVE} ORDER BY live.key LIMIT ?3`,
  scanKeys: `SELECT ${KEY_COLUMNS} ${LIVE} WHERE ${IN_LIVE} ORDER BY live.key LIMIT ?3`,
  scanAt: `SELECT ${COLUMNS} FROM history AS h WHERE ${IN_HISTORY} AND ${NEWEST_AT} ORDER BY h.key LIMIT ?4`,
  scanKeysAt: `SELECT ${KEY_COLUMNS} FROM history AS h WHERE ${IN_HISTORY} AND ${NEWEST_AT} ORDER BY h.key LIMIT ?4`,
  count: `SELECT count(*) AS count FROM live WHERE ${IN_LIVE}`,
  countAt: `SELECT count(*) AS count FROM history AS h WHERE ${IN_HISTORY} AND ${NEWEST_AT}`,
  insertHistory: `INSERT INTO history (revision, key, value, create_revision, version, lease, deleted, checksum)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  putLive: "INSERT INTO live (key, id) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET id = excluded.id",
  deleteLive: "DELETE FROM live WHERE key = ?",
  history: `SELECT ${COLUMNS} FROM history AS h INDEXED BY history_by_revision
    WHERE h.revision >= ? AND h.key >= ? AND h.key < ? ORDER BY h.revision, h.id`,
  dropSuperseded: `DELETE FROM history WHERE id IN (
    SELECT older.id FROM history AS newer CROSS JOIN history AS older
    ON older.key = newer.key AND older.revision < newer.revision
    WHERE newer.revision > ? AND newer.revision <= ?)`,
  dropDeleted: "DELETE FROM history WHERE revision > ? AND revision <= ? AND deleted = 1",
  addLease: "INSERT INTO lease (ttl_ms) VALUES (?)",
  getLease: "SELECT 1 FROM lease WHERE id = ?",
  deleteLease: "DELETE FROM lease WHERE id = ?",
  allLeases: "SELECT id, ttl_ms AS ttlMs FROM lease ORDER BY id",
  keysOfLease: `SELECT live.key AS key FROM history AS h CROSS JOIN live ON live.key = h.key AND live.id = h.id
    WHERE h.lease = ? ORDER BY live.key`,
} as const;

export type Statements = { readonly [K in keyof typeof SQL]: StatementSync };

export function prepareStatements(database: DatabaseSync): Statements {
  const entries = Object.entries(SQL).map(([name, sql]) => [name, database.prepare(sql)] as const);
  return Object.fromEntries(entries) as unknown as Statements;
}
