import { afterEach, describe, expect, test } from "@jest/globals";

import { openSqliteStore, restoreSqliteFile, type SqliteStore, verifySqliteFile } from "../../src/index.ts";
import { text, write } from "../contract/fixture.ts";
import { Child } from "./child-process.ts";
import { useTemporaryDirectory } from "./temporary-directory.ts";

describe("one process at a time", () => {
  const freshPath = useTemporaryDirectory();
  const open: (SqliteStore | Child)[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) await (one instanceof Child ? one.kill() : one.close());
  });

  test("a second process is told the file and who has it; a killed owner leaves no lock", async () => {
    const path = freshPath();
    const child = new Child("hold", path);
    open.push(child);
    await child.said(2);
    const error = {
      code: "LOCKED",
      message: `Store file ${path} is in use by process ${child.pid}; stop it first, or choose another path`,
    };
    await expect(openSqliteStore({ path })).rejects.toMatchObject(error);
    await expect(verifySqliteFile(path)).rejects.toMatchObject(error);
    await child.kill();
    const store = await openSqliteStore({ path });
    open.push(store);
    expect(await write(store, "k")).toBe(2);
  }, 30_000);

  test("so is a second store in the same process, and the first one goes on", async () => {
    const path = freshPath();
    const store = await openSqliteStore({ path });
    open.push(store);
    await write(store, "k", "mine");
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(openSqliteStore({ path })).rejects.toMatchObject({
        code: "LOCKED",
        message: expect.stringContaining("in use by this process"),
      });
    }
    expect(text((await store.get("k")).kv)).toBe("mine");
    expect(await write(store, "k", "still mine")).toBe(3);
  });

  test("nor can a file be replaced by a restore while it is open", async () => {
    const [path, copy] = [freshPath(), freshPath("copy.db")];
    const store = await openSqliteStore({ path });
    open.push(store);
    await store.backup(copy);
    await expect(restoreSqliteFile({ from: copy, to: path })).rejects.toMatchObject({ code: "LOCKED" });
    expect(await write(store, "k")).toBe(2);
  });

  test("of many that open a new file at once one gets it", async () => {
    const path = freshPath();
    const attempts = await Promise.allSettled(Array.from({ length: 4 }, () => openSqliteStore({ path })));
    const opened = attempts.flatMap((attempt) => (attempt.status === "fulfilled" ? [attempt.value] : []));
    const refused = attempts.flatMap((attempt) => (attempt.status === "rejected" ? [attempt.reason as unknown] : []));
    open.push(...opened);
    expect(opened.length).toBeLessThanOrEqual(1);
    for (const error of refused) expect(error).toMatchObject({ code: "LOCKED" });
    await Promise.all(opened.map((store) => store.close()));
    const store = await openSqliteStore({ path });
    open.push(store);
    expect((await store.status()).revision).toBe(1);
  });
});
