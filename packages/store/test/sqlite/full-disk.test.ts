import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { afterAll, describe, expect, test } from "@jest/globals";

import { ALL_KEYS, isStoreError, openSqliteStore, put, type Store } from "../../src/index.ts";
import { bytes } from "../contract/fixture.ts";

const KIB = 1024;
const mountPoint = mkdtempSync(join(tmpdir(), "fiberlb-full-"));
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", mountPoint]).status === 0;
afterAll(() => {
  if (mounted) spawnSync("umount", [mountPoint]);
  rmSync(mountPoint, { recursive: true, force: true });
});

/** Without the right to mount there is no small disk to fill; group-commit.test.ts covers what SQLite reports. */
const describeOnSmallDisk = mounted ? describe : describe.skip;

describeOnSmallDisk("a full disk (needs the right to mount a tmpfs)", () => {
  test("fails the write, not the store: reads go on, writes again once there is space", async () => {
    const filler = join(mountPoint, "filler");
    const path = join(mountPoint, "data", "store.db");
    writeFileSync(filler, new Uint8Array(700 * KIB));
    let store: Store = await openSqliteStore({ path });
    const acknowledged = await writeUntilFull(store, 0);
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(await keysOf(store)).toEqual(acknowledged);
    await expect(store.txn({ success: [large("again")] })).rejects.toMatchObject({
      code: "FULL",
      message: expect.stringContaining(`${path}: no space left on its disk`),
    });

    rmSync(filler);
    const more = await writeUntilFull(store, acknowledged.length);
    expect(more.length).toBeGreaterThan(0);
    await store.close();
    store = await openSqliteStore({ path });
    expect(await keysOf(store)).toEqual([...acknowledged, ...more]);
    await store.close();
    rmSync(dirname(path), { recursive: true });
  });

  test("cannot make a store by half", async () => {
    const directory = join(mountPoint, "none");
    mkdirSync(directory);
    fillUp(join(mountPoint, "rest"));
    await expect(openSqliteStore({ path: join(directory, "store.db") })).rejects.toMatchObject({ code: "FULL" });
    rmSync(join(mountPoint, "rest"));
    const store = await openSqliteStore({ path: join(directory, "store.db") });
    expect((await store.status()).revision).toBe(1);
    await store.close();
  });
});

function large(key: string) {
  return put(key, new Uint8Array(64 * KIB).fill(1));
}

/** Answers the keys that were acknowledged. */
async function writeUntilFull(store: Store, from: number): Promise<string[]> {
  const acknowledged: string[] = [];
  for (let index = from; ; index++) {
    const key = `k/${String(index).padStart(4, "0")}`;
    try {
      await store.txn({ success: [large(key), put(`z${key}`, bytes(""))] });
    } catch (error) {
      if (isStoreError(error, "FULL")) return acknowledged;
      throw error;
    }
    acknowledged.push(key);
  }
}

async function keysOf(store: Store): Promise<string[]> {
  const keys = (await store.range({ ...ALL_KEYS, keysOnly: true })).kvs.map(({ key }) => key);
  const values = keys.filter((key) => key.startsWith("k/"));
  expect(keys.filter((key) => key.startsWith("z"))).toEqual(values.map((key) => `z${key}`));
  return values;
}

function fillUp(path: string): void {
  try {
    for (;;) writeFileSync(path, new Uint8Array(4 * KIB), { flag: "a" });
  } catch (error) {
    expect(error).toMatchObject({ code: "ENOSPC" });
  }
}
