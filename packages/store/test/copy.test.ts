import { describe, expect, test } from "@jest/globals";

import {
  ALL_KEYS,
  copyStore,
  createMemoryStore,
  LIMITS,
  openSqliteStore,
  put,
  remove,
  type Store,
} from "../src/index.ts";
import { bytes, text, write } from "./contract/fixture.ts";
import { useTemporaryDirectory } from "./sqlite/temporary-directory.ts";

async function contents(store: Store): Promise<[string, string][]> {
  const { kvs } = await store.range(ALL_KEYS);
  return kvs.map((kv) => [kv.key, text(kv)!]);
}

async function filled(count: number): Promise<Store> {
  const store = createMemoryStore();
  for (let index = 0; index < count; index++) await write(store, `k/${String(index).padStart(4, "0")}`, `v${index}`);
  return store;
}

describe("copying a store", () => {
  const freshPath = useTemporaryDirectory();

  test("takes every key, whatever its size, into another kind of store", async () => {
    const from = await filled(300);
    await from.txn({ success: [put("large", new Uint8Array(LIMITS.valueBytes)), remove("k/0007")] });
    await from.txn({ success: [put("larger", new Uint8Array(LIMITS.valueBytes).fill(1))] });
    const to = await openSqliteStore({ path: freshPath() });
    const progress: number[] = [];
    const result = await copyStore(from, to, { onProgress: (copied, total) => progress.push(copied / total) });
    expect(result).toEqual({ keys: 301, leasedKeys: 0, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(await contents(to)).toEqual(await contents(from));
    expect(progress.at(-1)).toBe(1);
    const again = createMemoryStore();
    expect(await copyStore(to, again)).toEqual(result);
    await to.close();
  });

  test("leaves keys under leases where they are", async () => {
    const from = await filled(2);
    const lease = await from.grantLease(60_000);
    await from.txn({ success: [put("node", bytes("alive"), { lease })] });
    const to = createMemoryStore();
    expect(await copyStore(from, to)).toMatchObject({ keys: 2, leasedKeys: 1 });
    expect((await to.get("node")).kv).toBeUndefined();
    await from.close();
  });

  test("refuses a target with something in it, unless told to replace it", async () => {
    const [from, to] = [await filled(2), createMemoryStore()];
    await write(to, "mine", "precious");
    await expect(copyStore(from, to)).rejects.toMatchObject({
      code: "INVALID",
      message: "The target is not empty: it holds 1 keys",
    });
    expect(await contents(to)).toEqual([["mine", "precious"]]);
    await copyStore(from, to, { overwrite: true });
    expect(await contents(to)).toEqual(await contents(from));
  });

  test("copies one moment, and notices another writer of the target", async () => {
    const [from, to] = [await filled(200), createMemoryStore()];
    let told = 0;
    const onProgress = (): void => {
      if (told++ === 0) {
        void write(from, "k/0199", "later");
        void write(to, "theirs", "x");
      }
    };
    await expect(copyStore(from, to, { onProgress })).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringMatching(/it holds 201 keys with digest .*, 200 keys with digest .* were copied/),
    });
    expect(text((await to.get("k/0199")).kv)).toBe("v199");
  });

  test("an empty store is copied, too", async () => {
    expect(await copyStore(createMemoryStore(), createMemoryStore())).toMatchObject({ keys: 0 });
  });
});
