import { type KeyValue, put, type Store } from "@fiberlb/store";
import { SCHEMA_VERSION } from "@fiberlb/types";

import { decodeJson, encodeJson } from "./codec.ts";
import { SCHEMA_KEY } from "./keys.ts";

/** What the store says of all that is in it. */
interface StoreSchema {
  /** The newest that anything in it is written in. */
  readonly version: number;
  /** The oldest release that may still use it knows this one: the next release writes so that this one reads it. */
  readonly readableBy: number;
}

const OURS: StoreSchema = { version: SCHEMA_VERSION, readableBy: SCHEMA_VERSION };

/** A newer release has changed the store in ways that this one must not touch. */
export class NewerStoreError extends Error {
  override readonly name = "NewerStoreError";
  /** The version that the store is in. */
  readonly version: number;

  constructor({ version, readableBy }: StoreSchema) {
    super(
      `Cannot use the store: a newer release has written it in schema version ${version}, which takes a release that knows version ${readableBy}; this one knows ${SCHEMA_VERSION}. Upgrade this node`,
    );
    this.version = version;
  }
}

/**
 * Makes sure that this release may use the store, and marks a new one. Releases N and N+1 work side by side: N+1 raises
 * `version` only, and `readableBy` is raised by a release that comes after no N runs any more.
 *
 * @throws NewerStoreError, StoreError
 */
export async function checkSchema(store: Store): Promise<void> {
  const { kv } = await store.get(SCHEMA_KEY);
  if (kv === undefined) return mark(store);
  const found = schemaIn(kv);
  if (found.readableBy > SCHEMA_VERSION) throw new NewerStoreError(found);
}

/** Another node may be faster; then what it wrote counts. */
async function mark(store: Store): Promise<void> {
  const { succeeded } = await store.txn({
    compare: [{ key: SCHEMA_KEY, target: "createRevision", is: "=", to: 0 }],
    success: [put(SCHEMA_KEY, encodeJson(OURS))],
  });
  if (!succeeded) await checkSchema(store);
}

const schemaIn = ({ value }: KeyValue): StoreSchema => decodeJson(value) as StoreSchema;
