import { describe, expect, test } from "@jest/globals";

import { ALL_KEYS, END_OF_KEYS, keyAfter, prefixRange, put, remove } from "../../src/index.ts";
import { bytes, type StoreUnderTest, text, useStore, write } from "./fixture.ts";

export function describeReads(subject: StoreUnderTest): void {
  describe("get", () => {
    const fixture = useStore(subject);

    test("an absent key is undefined, with the revision of the read", async () => {
      const revision = await write(fixture.store, "other");
      expect(await fixture.store.get("nope")).toEqual({ kv: undefined, revision });
    });

    test("tells creation, last change and number of writes", async () => {
      const created = await write(fixture.store, "k", "one");
      const changed = await write(fixture.store, "k", "two");
      const { kv } = await fixture.store.get("k");
      expect(kv).toMatchObject({ key: "k", createRevision: created, modRevision: changed, version: 2 });
      expect(text(kv)).toBe("two");
      expect(kv).not.toHaveProperty("lease");
    });

    test("a key created again after its deletion starts anew", async () => {
      await write(fixture.store, "k");
      await fixture.store.txn({ success: [remove("k")] });
      const revision = await write(fixture.store, "k");
      expect((await fixture.store.get("k")).kv).toMatchObject({ createRevision: revision, version: 1 });
    });

    test("reads any retained revision, before, between and after the writes", async () => {
      const before = await write(fixture.store, "other");
      const first = await write(fixture.store, "k", "one");
      const second = await write(fixture.store, "k", "two");
      const gone = (await fixture.store.txn({ success: [remove("k")] })).revision;
      const at = async (revision: number) => text((await fixture.store.get("k", { revision })).kv);
      expect([await at(before), await at(first), await at(second), await at(gone)]).toEqual([
        undefined,
        "one",
        "two",
        undefined,
      ]);
    });

    test("a revision that does not exist yet is refused", async () => {
      const revision = await write(fixture.store, "k");
      await expect(fixture.store.get("k", { revision: revision + 1 })).rejects.toMatchObject({
        code: "FUTURE_REVISION",
        message: expect.stringContaining(`the newest is ${revision}`),
      });
    });

    test("values come back byte for byte, also empty ones and those of reused buffers", async () => {
      const everyByte = Uint8Array.from({ length: 256 }, (_, index) => index);
      const buffer = Buffer.from("before");
      const written = fixture.store.txn({
        success: [put("all", everyByte), put("empty", new Uint8Array(0)), put("buffer", buffer)],
      });
      buffer.fill("!");
      await written;
      expect(Buffer.compare((await fixture.store.get("all")).kv!.value, everyByte)).toBe(0);
      expect((await fixture.store.get("empty")).kv!.value).toHaveLength(0);
      expect(text((await fixture.store.get("buffer")).kv)).toBe("before");
    });
  });

  describe("range", () => {
    const fixture = useStore(subject);
    const keys = async (range: { start: string; end: string }, revision?: number) =>
      (await fixture.store.range({ ...range, ...(revision !== undefined && { revision }) })).kvs.map(({ key }) => key);

    test("start is included, end is not, and a prefix ends where it should", async () => {
      await fixture.store.txn({ success: ["a", "a/", "a/1", "a/2", "a0", "b"].map((key) => put(key, bytes(""))) });
      expect(await keys({ start: "a/1", end: "a/2" })).toEqual(["a/1"]);
      expect(await keys(prefixRange("a/"))).toEqual(["a/", "a/1", "a/2"]);
      expect(await keys({ start: "a/2", end: END_OF_KEYS })).toEqual(["a/2", "a0", "b"]);
      expect(await keys(ALL_KEYS)).toHaveLength(6);
      expect(await keys({ start: "b", end: "a" })).toEqual([]);
    });

    test("orders by UTF-8 bytes, not by UTF-16 units", async () => {
      const sorted = ["a", "é", "\uD7FF", "\uE000", "\uFFFD", "\u{1F600}"];
      await fixture.store.txn({ success: sorted.toReversed().map((key) => put(key, bytes(""))) });
      expect(await keys(ALL_KEYS)).toEqual(sorted);
      expect(await keys({ start: "\uFFFD", end: END_OF_KEYS })).toEqual(["\uFFFD", "\u{1F600}"]);
    });

    test("limit cuts, more and count tell", async () => {
      await fixture.store.txn({ success: ["a", "b", "c"].map((key) => put(key, bytes("v"))) });
      const page = await fixture.store.range({ ...ALL_KEYS, limit: 2 });
      expect(page).toMatchObject({ more: true, count: 3, kvs: [{ key: "a" }, { key: "b" }] });
      const rest = await fixture.store.range({ start: keyAfter("b"), end: END_OF_KEYS, limit: 2 });
      expect(rest).toMatchObject({ more: false, count: 1, kvs: [{ key: "c" }] });
    });

    test("keysOnly leaves values empty, countOnly leaves out the keys", async () => {
      const revision = await write(fixture.store, "k", "value");
      const range = prefixRange("k");
      const { kvs } = await fixture.store.range({ ...range, keysOnly: true });
      expect(kvs[0]).toMatchObject({ key: "k", modRevision: revision, version: 1 });
      expect(kvs[0]!.value).toHaveLength(0);
      expect(await fixture.store.range({ ...range, countOnly: true })).toEqual({
        kvs: [],
        more: false,
        count: 1,
        revision,
      });
    });

    test("an old revision shows the range as it was", async () => {
      await write(fixture.store, "a", "old");
      const revision = await write(fixture.store, "b", "old");
      await fixture.store.txn({ success: [put("a", bytes("new")), remove("b"), put("c", bytes("new"))] });
      const then = await fixture.store.range({ ...ALL_KEYS, revision });
      expect(then.kvs.map((kv) => `${kv.key}=${text(kv)}`)).toEqual(["a=old", "b=old"]);
      expect(await fixture.store.range({ ...ALL_KEYS, revision, countOnly: true })).toMatchObject({ count: 2 });
      expect(await fixture.store.range({ ...ALL_KEYS, revision, limit: 1, keysOnly: true })).toMatchObject({
        kvs: [{ key: "a" }],
        more: true,
        count: 2,
      });
      expect(await keys(ALL_KEYS)).toEqual(["a", "c"]);
    });

    test("10,000 keys come back complete and in order, whole and by pages", async () => {
      const all = Array.from({ length: 10_000 }, (_, index) => `k/${String(index).padStart(5, "0")}`);
      for (let index = 0; index < all.length; index += 100) {
        const success = all.slice(index, index + 100).map((key) => put(key, bytes(key)));
        await fixture.store.txn({ success });
      }
      expect(await keys(prefixRange("k/"))).toEqual(all);
      const paged: string[] = [];
      for (let start = "k/", more = true; more;) {
        const page = await fixture.store.range({ start, end: "k0", limit: 999 });
        paged.push(...page.kvs.map(({ key }) => key));
        ({ more } = page);
        start = keyAfter(paged.at(-1)!);
      }
      expect(paged).toEqual(all);
    });
  });

  describe("compact", () => {
    const fixture = useStore(subject);

    test("reads go on from the compaction revision, older ones are refused with it", async () => {
      const first = await write(fixture.store, "k", "one");
      await write(fixture.store, "gone");
      const third = (await fixture.store.txn({ success: [put("k", bytes("three")), remove("gone")] })).revision;
      await write(fixture.store, "k", "four");
      await fixture.store.compact(third);
      await expect(fixture.store.get("k", { revision: first })).rejects.toMatchObject({
        code: "COMPACTED",
        compactRevision: third,
      });
      expect(text((await fixture.store.get("k", { revision: third })).kv)).toBe("three");
      expect((await fixture.store.get("gone", { revision: third })).kv).toBeUndefined();
      expect(text((await fixture.store.get("k")).kv)).toBe("four");
      expect(await fixture.store.status()).toMatchObject({ compactRevision: third, revision: third + 1 });
    });

    test("keys that were not written for long survive it", async () => {
      await write(fixture.store, "still", "here");
      const revision = await write(fixture.store, "other");
      await fixture.store.compact(revision);
      expect(text((await fixture.store.get("still", { revision })).kv)).toBe("here");
      expect((await fixture.store.range(ALL_KEYS)).count).toBe(2);
    });

    test("a revision that is compacted already, or not there yet, is refused", async () => {
      const revision = await write(fixture.store, "k");
      await fixture.store.compact(revision);
      await expect(fixture.store.compact(revision)).rejects.toMatchObject({ code: "COMPACTED" });
      await expect(fixture.store.compact(revision + 1)).rejects.toMatchObject({ code: "FUTURE_REVISION" });
    });
  });
}
