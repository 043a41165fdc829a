import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";

import { afterEach, describe, expect, test } from "@jest/globals";

import {
  ALL_KEYS,
  type KeyValue,
  openSqliteStore,
  put,
  restoreSqliteFile,
  type SqliteStore,
  type Store,
  verifySqliteFile,
} from "../../src/index.ts";
import { bytes, text, write } from "../contract/fixture.ts";
import { Child } from "./child-process.ts";
import { useTemporaryDirectory } from "./temporary-directory.ts";

const freshPath = useTemporaryDirectory();
const stores: SqliteStore[] = [];
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});

async function open(path: string): Promise<SqliteStore> {
  const store = await openSqliteStore({ path });
  stores.push(store);
  return store;
}

describe("backup", () => {
  test("taken while others write is the store as it was at one revision", async () => {
    const source = await open(freshPath());
    for (let index = 0; index < 100; index++) await write(source, `bulk/${index}`, "x".repeat(20_000));
    let done = false;
    const writers = Array.from({ length: 4 }, (_, index) => keepWriting(source, index, () => done));
    const before = (await source.status()).revision;
    const copies = [freshPath("1.db"), freshPath("2.db"), freshPath("3.db")];
    for (const copy of copies) await source.backup(copy);
    done = true;
    await Promise.all(writers);

    for (const copy of copies) {
      const restored = await open(copy);
      const state = await restored.range(ALL_KEYS);
      expect(state.revision).toBeGreaterThanOrEqual(before);
      const then = await source.range({ ...ALL_KEYS, revision: state.revision });
      expect(digest(state.kvs)).toEqual(digest(then.kvs));
    }
  }, 60_000);

  test("is one private file that verifies, and no existing file is overwritten", async () => {
    const source = await open(freshPath());
    await write(source, "k", "v");
    const copy = freshPath("copy.db");
    await source.backup(copy);
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    await verifySqliteFile(copy);
    expect(["-wal", "-shm", "-journal"].filter((suffix) => existsSync(copy + suffix))).toEqual([]);
    const content = readFileSync(copy);
    await expect(source.backup(copy)).rejects.toMatchObject({
      code: "INVALID",
      message: `Cannot write backup ${copy}: it exists already`,
    });
    expect(readFileSync(copy)).toEqual(content);
  });

  test("to a place that cannot be written fails and harms nothing", async () => {
    const source = await open(freshPath());
    const file = freshPath("file");
    await source.backup(file);
    await expect(source.backup(`${file}/below`)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(await write(source, "k")).toBe(2);
    await source.close();
    await expect(source.backup(freshPath())).rejects.toMatchObject({ code: "CLOSED" });
  });
});

describe("restore", () => {
  test("brings back what was backed up, and keeps what it replaced", async () => {
    const [path, copy] = [freshPath(), freshPath("copy.db")];
    const source = await open(path);
    await write(source, "k", "saved");
    await source.backup(copy);
    await write(source, "k", "later");
    await source.close();

    const { replaced } = await restoreSqliteFile({ from: copy, to: path });
    expect(replaced).toBe(`${path}.replaced-1`);
    const restored = await open(path);
    const { kv, revision } = await restored.get("k");
    expect([text(kv), revision]).toEqual(["saved", 2]);
    const kept = await open(replaced!);
    expect(text((await kept.get("k")).kv)).toBe("later");
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("works where nothing is, and over a damaged file", async () => {
    const copy = freshPath("copy.db");
    const source = await open(freshPath());
    await write(source, "k", "saved");
    await source.backup(copy);
    const path = freshPath();
    expect(await restoreSqliteFile({ from: copy, to: path })).toEqual({ replaced: undefined });
    writeFileSync(path, "garbage");
    expect(await restoreSqliteFile({ from: copy, to: path })).toEqual({ replaced: `${path}.replaced-1` });
    expect(text((await (await open(path)).get("k")).kv)).toBe("saved");
    expect(readFileSync(`${path}.replaced-1`, "utf8")).toBe("garbage");
  });

  test("takes a store whose process was killed, with the writes that are only in its log", async () => {
    const [from, path] = [freshPath(), freshPath()];
    const child = new Child("storm", from, "0");
    await child.said(30);
    await child.kill();
    expect(statSync(`${from}-wal`).size).toBeGreaterThan(0);
    await restoreSqliteFile({ from, to: path });
    const { kvs } = await (await open(path)).range(ALL_KEYS);
    const restored = new Set(kvs.map(({ key }) => key));
    const acknowledged = child.lines.filter((line) => line.startsWith("ack ")).map((line) => `${line.slice(4)}/0`);
    expect(acknowledged.filter((key) => !restored.has(key))).toEqual([]);
  });

  test("refuses a damaged backup before it touches anything", async () => {
    const [path, copy] = [freshPath(), freshPath("copy.db")];
    const store = await open(path);
    await store.backup(copy);
    await store.close();
    writeFileSync(copy, readFileSync(copy).fill(0, 4096, 8192));
    await expect(restoreSqliteFile({ from: copy, to: path })).rejects.toMatchObject({ code: "CORRUPT" });
    expect(existsSync(`${path}.replaced-1`)).toBe(false);
    await verifySqliteFile(path);
  });
});

/** jest compares large typed arrays byte by byte, which takes seconds. */
function digest(kvs: readonly KeyValue[]): unknown[] {
  return kvs.map((kv) => ({ ...kv, value: createHash("sha256").update(kv.value).digest("hex") }));
}

async function keepWriting(store: Store, writer: number, isDone: () => boolean): Promise<void> {
  for (let count = 0; !isDone(); count++) {
    const value = bytes(`${count} `.repeat(500));
    await store.txn({ success: [put(`w/${writer}/${count % 50}`, value), put(`w/${writer}/last`, value)] });
  }
}
