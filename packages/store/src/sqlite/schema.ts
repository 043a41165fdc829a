/** "FBLB": tells our files from other SQLite databases (`PRAGMA application_id`). */
export const APPLICATION_ID = 0x46_42_4c_42;

/** The newest layout that this release can read (`PRAGMA user_version`). */
export const FORMAT_VERSION = 1;

/**
 * - `history`: every retained version; a transaction's rows share its revision, `id` gives their order.
 * - `live`: the keys that exist, each with its newest version, so that reads of today never meet the past.
 * - `lease`: granted leases; deadlines are not stored, a restart gives each its full time.
 * - `meta`: revision and compactRevision, which outlive the rows that they came from.
 */
export const SCHEMA = `
CREATE TABLE history (
  id INTEGER PRIMARY KEY,
  revision INTEGER NOT NULL,
  key TEXT NOT NULL,
  value BLOB NOT NULL,
  create_revision INTEGER NOT NULL,
  version INTEGER NOT NULL,
  lease INTEGER,
  deleted INTEGER NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX history_by_key ON history (key, revision);
CREATE INDEX history_by_revision ON history (revision);
CREATE INDEX history_by_lease ON history (lease) WHERE lease IS NOT NULL;
CREATE TABLE live (key TEXT PRIMARY KEY, id INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE lease (id INTEGER PRIMARY KEY AUTOINCREMENT, ttl_ms INTEGER NOT NULL) STRICT;
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('revision', 1), ('compactRevision', 0);
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${FORMAT_VERSION};
`;
