import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { MAX_FILE_BYTES, SavedFiles } from "../../src/last-applied/saved-files.ts";

let parent: string;
let folder: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "fiberlb-saved-"));
  folder = join(parent, "last-applied");
});
afterEach(() => rmSync(parent, { recursive: true }));

const files = (): SavedFiles => new SavedFiles(folder);
const read = async (): Promise<Record<string, string>> => {
  const { contents } = await files().readAll();
  return Object.fromEntries([...contents].map(([name, content]) => [name, content.toString()]));
};
const only = (): string => {
  const [file = "", ...more] = readdirSync(folder);
  expect(more).toEqual([]);
  return join(folder, file);
};

test("contents are read back by another process, the last of each name", async () => {
  const first = files();
  expect(await first.write("a", Buffer.from("one"))).toBe(true);
  await first.write("b", Buffer.from("two"));
  await first.write("a", Buffer.from("three"));
  expect(await read()).toEqual({ a: "three", b: "two" });
  expect(readdirSync(folder)).toHaveLength(2);
});

test("what is there already is not written again, also by another process", async () => {
  await files().write("a", Buffer.from("one"));
  const before = statSync(only()).ino;
  expect(await files().write("a", Buffer.from("one"))).toBe(false);
  expect(statSync(only()).ino).toBe(before);
});

test("only the owner may read them", async () => {
  await files().write("a", Buffer.from("one"));
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(statSync(only()).mode & 0o777).toBe(0o600);
});

test("what is removed is gone; removing it again is no error", async () => {
  const one = files();
  await one.write("a", Buffer.from("one"));
  await one.remove("a");
  await one.remove("a");
  expect([await read(), readdirSync(folder)]).toEqual([{}, []]);
});

test.each<[string, (path: string) => void]>([
  ["cut short", (path) => truncateSync(path, 1)],
  ["changed", (path) => writeFileSync(path, "onf")],
  ["empty, as after a power failure", (path) => truncateSync(path, 0)],
])("a file that is %s is told and not used", async (_, damage) => {
  await files().write("a", Buffer.from("one"));
  damage(only());
  const { contents, damaged } = await files().readAll();
  expect(contents.size).toBe(0);
  expect(damaged).toEqual([{ file: only(), reason: "its content is not what was written" }]);
  await files().write("a", Buffer.from("two"));
  expect(await read()).toEqual({ a: "two" });
});

test("one that is far too large is not read into memory, and not written", async () => {
  await files().write("a", Buffer.from("one"));
  truncateSync(only(), MAX_FILE_BYTES + 1);
  expect((await files().readAll()).damaged[0]?.reason).toContain("more than");
  await expect(files().write("b", Buffer.alloc(MAX_FILE_BYTES + 1))).rejects.toThrow(RangeError);
});

test("after a crash between two steps the newer content counts, and what was not finished is cleared away", async () => {
  await files().write("a", Buffer.from("old"));
  const [old = ""] = readdirSync(folder);
  const content = readFileSync(join(folder, old));
  await files().write("a", Buffer.from("new"));
  writeFileSync(join(folder, old), content);
  utimesSync(join(folder, old), 1, 1);
  writeFileSync(join(folder, `${old}.unfinished`), "o");
  expect(await read()).toEqual({ a: "new" });
  expect(readdirSync(folder)).toHaveLength(1);
});

test("files of others are left alone", async () => {
  await files().write("a", Buffer.from("one"));
  writeFileSync(join(folder, "README"), "hands off");
  expect(await read()).toEqual({ a: "one" });
  expect(readdirSync(folder)).toContain("README");
});
