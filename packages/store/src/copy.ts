import { createHash, type Hash } from "node:crypto";

import { StoreError } from "./errors.ts";
import { ALL_KEYS, END_OF_KEYS, keyAfter } from "./keys.ts";
import { LIMITS } from "./limits.ts";
import { put, removeRange } from "./operations.ts";
import type { KeyValue, PutOp, Store } from "./store.ts";

/** Keys read at once: even the largest values then are few megabytes more than one transaction takes. */
const PAGE_KEYS = 64;

/** How to copy. */
export interface CopyOptions {
  /** Replace what the target holds. Default false: a target with a key in it is refused. */
  readonly overwrite?: boolean;
  /** Called after each step with the keys copied so far and those to be copied, those under leases included. */
  readonly onProgress?: (copied: number, total: number) => void;
}

/** What was copied. */
export interface CopyResult {
  readonly keys: number;
  /** Keys under leases, left out: they tell of processes that live, and a lease cannot be taken along. */
  readonly leasedKeys: number;
  /** SHA-256 of all copied keys and values, hexadecimal; the source's, and read back from the target. */
  readonly digest: string;
}

/**
 * Copies all keys of a store, as they stand at one moment, into another, and reads them back. Revisions begin anew
 * there, keys under leases are left out. The target should have no other writer meanwhile.
 *
 * @throws StoreError `INVALID` when the target is not empty, or does not hold in the end what was copied
 */
export async function copyStore(from: Store, to: Store, options: CopyOptions = {}): Promise<CopyResult> {
  const { overwrite = false, onProgress } = options;
  await empty(to, overwrite);
  const { count: total, revision } = await from.range({ ...ALL_KEYS, countOnly: true });
  const source = new Inventory();
  const batch = new PutBatch(to);
  let leasedKeys = 0;
  for await (const page of pages(from, revision)) {
    for (const kv of page) {
      if (kv.lease !== undefined) leasedKeys++;
      else {
        source.add(kv);
        await batch.add(put(kv.key, kv.value));
      }
    }
    onProgress?.(source.keys + leasedKeys, total);
  }
  await batch.commit();
  const copied = await inventoryOf(to);
  if (copied.digest !== source.digest) throw differs(source, copied);
  return { keys: source.keys, leasedKeys, digest: source.digest };
}

async function empty(to: Store, overwrite: boolean): Promise<void> {
  const { count } = await to.range({ ...ALL_KEYS, countOnly: true });
  if (count === 0) return;
  if (!overwrite) throw new StoreError("INVALID", `The target is not empty: it holds ${count} keys`);
  await to.txn({ success: [removeRange(ALL_KEYS)] });
}

/** All keys as of a revision. */
async function* pages(store: Store, revision: number): AsyncGenerator<readonly KeyValue[]> {
  for (let start = "", more = true; more;) {
    const page = await store.range({ start, end: END_OF_KEYS, limit: PAGE_KEYS, revision });
    yield page.kvs;
    ({ more } = page);
    const last = page.kvs.at(-1);
    if (last === undefined) return;
    start = keyAfter(last.key);
  }
}

async function inventoryOf(store: Store): Promise<Inventory> {
  const { revision } = await store.range({ ...ALL_KEYS, countOnly: true });
  const inventory = new Inventory();
  for await (const page of pages(store, revision)) {
    for (const kv of page) if (kv.lease === undefined) inventory.add(kv);
  }
  return inventory;
}

function differs(source: Inventory, copied: Inventory): StoreError {
  const found = `it holds ${copied.keys} keys with digest ${copied.digest}`;
  const expected = `${source.keys} keys with digest ${source.digest} were copied`;
  return new StoreError(
    "INVALID",
    `The target is not what was copied: ${found}, ${expected}; does a node write to it?`,
  );
}

/** Counts and digests keys in their order. */
class Inventory {
  readonly #hash: Hash = createHash("sha256");
  #digest: string | undefined;
  keys = 0;

  get digest(): string {
    return (this.#digest ??= this.#hash.digest("hex"));
  }

  add({ key, value }: KeyValue): void {
    this.keys++;
    // Lengths keep what belongs to the key apart from what belongs to the value.
    this.#hash.update(`${Buffer.byteLength(key)} ${value.length} ${key}`).update(value);
  }
}

/** Gathers writes into transactions as large as every store takes them. */
class PutBatch {
  readonly #store: Store;
  #ops: PutOp[] = [];
  #bytes = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  async add(op: PutOp): Promise<void> {
    const bytes = Buffer.byteLength(op.key) + op.value.length + LIMITS.overheadBytes;
    if (this.#ops.length === LIMITS.txnOperations || this.#bytes + bytes > LIMITS.txnBytes) await this.commit();
    this.#ops.push(op);
    this.#bytes += bytes;
  }

  async commit(): Promise<void> {
    if (this.#ops.length === 0) return;
    await this.#store.txn({ success: this.#ops });
    this.#ops = [];
    this.#bytes = 0;
  }
}
