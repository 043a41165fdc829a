import { copyFileSync, existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { ALL_KEYS, openSqliteStore, put, remove, type Store, verifySqliteFile } from "../../src/index.ts";
import { bytes } from "../contract/fixture.ts";
import { useTemporaryDirectory } from "./temporary-directory.ts";

describe("a damaged file", () => {
  const freshPath = useTemporaryDirectory();
  let sound = "";

  beforeAll(async () => {
    sound = freshPath();
    const store = await openSqliteStore({ path: sound });
    await fill(store);
    await store.close();
  });

  /** A copy of the sound file to damage. */
  const copy = (): string => {
    const path = freshPath();
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync(sound, path);
    return path;
  };

  const expectRefused = async (path: string, reason: string): Promise<void> => {
    const before = contents(path);
    await expect(openSqliteStore({ path })).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringMatching(new RegExp(`${path} is damaged \\(.*${reason}.*Restore a backup`)),
    });
    expect(contents(path).every((content, index) => content === before[index])).toBe(true);
  };

  test("without a SQLite header is refused and left as it is", async () => {
    const path = copy();
    const content = readFileSync(path);
    writeFileSync(path, content.fill("garbage", 0, 100));
    await expectRefused(path, "not a database");
  });

  test.each([
    ["to nothing", 0, "only 0 bytes"],
    ["within the header", 50, "only 50 bytes"],
    ["to its first page", 4096, "malformed"],
    ["by its last byte", -1, ""],
  ])("cut off %s is refused and left as it is", async (_where, length, reason) => {
    const path = copy();
    truncateSync(path, length < 0 ? readFileSync(path).length + length : length);
    await expectRefused(path, reason);
  });

  test("that is gone while its log is there is no empty store", async () => {
    const path = freshPath();
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}-wal`, "frames");
    await expectRefused(path, "only its -wal file is left");
    expect(existsSync(path)).toBe(false);
  });

  test("with a changed value is refused, though SQLite would not notice", async () => {
    const path = copy();
    // Every copy of it: one or another may lie in a page that is not in use.
    const content = readFileSync(path, "latin1").replaceAll("value of key/7", "Value of key/7");
    writeFileSync(path, content, "latin1");
    await expectRefused(path, "checksum of key");
    await expect(verifySqliteFile(path)).rejects.toMatchObject({ code: "CORRUPT" });
  });

  test("with an index that leads astray is refused", async () => {
    const path = copy();
    const database = new DatabaseSync(path);
    database.exec("UPDATE live SET id = (SELECT max(id) FROM history) WHERE key = 'key/7'");
    database.close();
    await expectRefused(path, "index of key");
  });

  test.each([
    ["a table", "CREATE TABLE history", "CREATE TABLE historz"],
    ["a column", "checksum", "checksun"],
    ["the text itself", "CREATE TABLE", "CREATE TABBE"],
  ])("with %s of its schema renamed is refused", async (_what, from, to) => {
    const path = copy();
    const content = readFileSync(path, "latin1");
    expect(content).toContain(from);
    writeFileSync(path, content.replaceAll(from, to), "latin1");
    await expect(verifySqliteFile(path)).rejects.toMatchObject({ code: "CORRUPT" });
  });

  test("with any byte flipped: refused and untouched, or it reads as before", async () => {
    const content = readFileSync(sound);
    const expected = await readAll(sound);
    const flip = fc.record({ at: fc.nat(content.length - 1), mask: fc.integer({ min: 1, max: 255 }) });
    await fc.assert(
      fc.asyncProperty(flip, async ({ at, mask }) => {
        const path = copy();
        const damaged = Buffer.from(content);
        damaged[at]! ^= mask;
        writeFileSync(path, damaged);
        const outcome = await readAll(path).catch((error: unknown) => error);
        if (outcome instanceof Error) {
          expect(outcome).toMatchObject({ code: expect.stringMatching(/^(CORRUPT|INVALID|NEWER_FORMAT)$/) });
          expect(Buffer.compare(readFileSync(path), damaged)).toBe(0);
        } else expect(outcome).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  test("of another program is not taken over", async () => {
    const path = freshPath();
    mkdirSync(dirname(path), { recursive: true });
    const database = new DatabaseSync(path);
    database.exec("CREATE TABLE mail (subject TEXT)");
    database.close();
    const before = contents(path);
    await expect(openSqliteStore({ path })).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringContaining("not a FiberLB store"),
    });
    expect(contents(path).every((content, index) => content === before[index])).toBe(true);
  });

  test("of a newer release is refused, naming both versions", async () => {
    const path = copy();
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 99");
    database.close();
    await expect(openSqliteStore({ path })).rejects.toMatchObject({
      code: "NEWER_FORMAT",
      message: `${path} has store format 99, this release reads up to 1; use the newer one`,
    });
  });

  test("that cannot be opened at all is UNAVAILABLE", async () => {
    const path = freshPath();
    mkdirSync(path, { recursive: true });
    await expect(openSqliteStore({ path })).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining(path),
    });
    await expect(verifySqliteFile(freshPath())).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringContaining("no such file"),
    });
  });
});

/** Enough for pages of every kind: interior, overflow and free ones. */
async function fill(store: Store): Promise<void> {
  for (let index = 0; index < 60; index++) {
    const value = bytes(`value of key/${index} `.repeat(index % 10 === 0 ? 500 : 10));
    await store.txn({ success: [put(`key/${index}`, value), put(`old/${index}`, value)] });
  }
  for (let index = 0; index < 30; index++) await store.txn({ success: [remove(`old/${index}`)] });
  await store.compact((await store.status()).revision - 5);
}

async function readAll(path: string): Promise<unknown> {
  const store = await openSqliteStore({ path });
  try {
    return (await store.range(ALL_KEYS)).kvs;
  } finally {
    await store.close();
  }
}

/** SQLite may put an empty log beside the file to read it: that holds nothing, as if it were not there. */
function contents(path: string): string[] {
  return ["", "-wal"].map((suffix) => (existsSync(path + suffix) ? readFileSync(path + suffix, "latin1") : ""));
}
