import { describe, expect, test } from "@jest/globals";

import {
  absent,
  ALL_KEYS,
  type Compare,
  prefixRange,
  present,
  put,
  read,
  readRange,
  remove,
  removeRange,
  unchanged,
} from "../../src/index.ts";
import { bytes, type StoreUnderTest, text, useStore, write } from "./fixture.ts";

export function describeTransactions(subject: StoreUnderTest): void {
  describe("txn", () => {
    const fixture = useStore(subject);

    test("all operations take one revision", async () => {
      await write(fixture.store, "c");
      const { revision } = await fixture.store.txn({
        success: [put("a", bytes("1")), put("b", bytes("2")), remove("c")],
      });
      const { kvs } = await fixture.store.range(ALL_KEYS);
      expect(kvs.map(({ key, modRevision }) => [key, modRevision])).toEqual([
        ["a", revision],
        ["b", revision],
      ]);
    });

    test("the failure branch runs when one comparison does not hold", async () => {
      await write(fixture.store, "k", "mine");
      const result = await fixture.store.txn({
        compare: [present("k"), absent("k")],
        success: [put("k", bytes("theirs"))],
        failure: [read("k")],
      });
      expect(result).toMatchObject({ succeeded: false, results: [{ type: "get", kv: { key: "k" } }] });
      expect(text((await fixture.store.get("k")).kv)).toBe("mine");
    });

    test("what changes nothing takes no revision", async () => {
      const before = await write(fixture.store, "k");
      const { revision, results } = await fixture.store.txn({
        success: [remove("absent"), removeRange(prefixRange("absent")), read("k")],
      });
      expect(revision).toBe(before);
      expect(results).toMatchObject([{ deleted: 0 }, { deleted: 0 }, { kv: { key: "k" } }]);
      expect((await fixture.store.txn({ success: [] })).revision).toBe(before);
    });

    test("reads see the writes before them, comparisons see none", async () => {
      const { succeeded, results } = await fixture.store.txn({
        compare: [absent("k/1")],
        success: [read("k/1"), put("k/1", bytes("new")), read("k/1"), readRange(prefixRange("k/"), { limit: 1 })],
      });
      expect(succeeded).toBe(true);
      const [before, , after, range] = results;
      expect(before).toEqual({ type: "get", kv: undefined });
      expect(after).toMatchObject({ type: "get", kv: { key: "k/1", version: 1 } });
      expect(range).toMatchObject({ type: "range", kvs: [{ key: "k/1" }], more: false, count: 1 });
    });

    test("previous states are answered when asked for", async () => {
      await write(fixture.store, "a", "one");
      await write(fixture.store, "b", "two");
      const asked = await fixture.store.txn({
        success: [put("a", bytes("new"), { prevKv: true }), removeRange(prefixRange("b"), { prevKv: true })],
      });
      expect(asked.results).toMatchObject([
        { type: "put", prevKv: { key: "a", value: bytes("one") } },
        { type: "deleteRange", deleted: 1, prevKvs: [{ key: "b", value: bytes("two") }] },
      ]);
      const unasked = await fixture.store.txn({ success: [put("a", bytes("")), remove("a2")] });
      expect(unasked.results).toEqual([{ type: "put" }, { type: "delete", deleted: 0 }]);
    });

    test("a range deletion takes all of its keys, and nothing beside", async () => {
      await fixture.store.txn({ success: ["a", "b/1", "b/2", "c"].map((key) => put(key, bytes(""))) });
      const { results } = await fixture.store.txn({ success: [removeRange(prefixRange("b/"))] });
      expect(results).toEqual([{ type: "deleteRange", deleted: 2 }]);
      expect((await fixture.store.range(ALL_KEYS)).kvs.map(({ key }) => key)).toEqual(["a", "c"]);
    });
  });

  describe("comparisons", () => {
    const fixture = useStore(subject);
    const holds = async (compare: Compare) => (await fixture.store.txn({ compare: [compare], success: [] })).succeeded;

    test.each([
      ["=", [false, true, false]],
      ["!=", [true, false, true]],
      ["<", [false, false, true]],
      [">", [true, false, false]],
    ] as const)("numbers: stored %s given", async (is, expected) => {
      await write(fixture.store, "k");
      await write(fixture.store, "k");
      const kv = (await fixture.store.get("k")).kv!;
      for (const target of ["version", "modRevision", "createRevision"] as const) {
        const around = [kv[target] - 1, kv[target], kv[target] + 1];
        const held = await Promise.all(around.map((to) => holds({ key: "k", target, is, to })));
        expect([target, ...held]).toEqual([target, ...expected]);
      }
    });

    test("values are ordered bytewise", async () => {
      await fixture.store.txn({ success: [put("k", Uint8Array.of(1, 200))] });
      const value = (is: "=" | "!=" | "<" | ">", ...to: number[]) =>
        holds({ key: "k", target: "value", is, to: Uint8Array.from(to) });
      expect(await value("=", 1, 200)).toBe(true);
      expect(await value("!=", 1, 200)).toBe(false);
      expect(await value(">", 1, 100)).toBe(true);
      expect(await value("<", 1, 200, 0)).toBe(true);
      expect(await value("<", 1, 200)).toBe(false);
    });

    test("an absent key has revision and version 0, and no value", async () => {
      expect(await holds(absent("no"))).toBe(true);
      expect(await holds(unchanged("no", 0))).toBe(true);
      expect(await holds({ key: "no", target: "version", is: "<", to: 1 })).toBe(true);
      expect(await holds({ key: "no", target: "lease", is: "=", to: undefined })).toBe(true);
      for (const is of ["=", "!=", "<", ">"] as const) {
        expect(await holds({ key: "no", target: "value", is, to: bytes("") })).toBe(false);
      }
    });

    test("leases are compared by identity", async () => {
      const [lease, other] = [await fixture.store.grantLease(60_000), await fixture.store.grantLease(60_000)];
      await fixture.store.txn({ success: [put("k", bytes(""), { lease })] });
      expect(await holds({ key: "k", target: "lease", is: "=", to: lease })).toBe(true);
      expect(await holds({ key: "k", target: "lease", is: "=", to: other })).toBe(false);
      expect(await holds({ key: "k", target: "lease", is: "!=", to: undefined })).toBe(true);
    });
  });

  describe("compare-and-swap under concurrency", () => {
    const fixture = useStore(subject);

    test("of many creations of one key exactly one wins", async () => {
      const attempts = Array.from({ length: 50 }, (_, index) =>
        fixture.store.txn({ compare: [absent("vip")], success: [put("vip", bytes(String(index)))] }),
      );
      const won = (await Promise.all(attempts)).flatMap(({ succeeded }, index) => (succeeded ? [index] : []));
      expect(won).toHaveLength(1);
      expect(text((await fixture.store.get("vip")).kv)).toBe(String(won[0]));
    });

    test("a counter that 16 clients count up with retries loses no count", async () => {
      const countUp = async () => {
        for (let done = 0; done < 10;) {
          const { kv } = await fixture.store.get("counter");
          const next = bytes(String(Number(text(kv) ?? 0) + 1));
          const compare = [unchanged("counter", kv?.modRevision ?? 0)];
          const { succeeded } = await fixture.store.txn({ compare, success: [put("counter", next)] });
          if (succeeded) done++;
        }
      };
      await Promise.all(Array.from({ length: 16 }, countUp));
      const { kv } = await fixture.store.get("counter");
      expect(text(kv)).toBe("160");
      expect(kv!.version).toBe(160);
    });
  });
}
