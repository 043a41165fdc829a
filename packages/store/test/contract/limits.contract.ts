import { describe, expect, test } from "@jest/globals";

import {
  absent,
  ALL_KEYS,
  END_OF_KEYS,
  keyAfter,
  LIMITS,
  type Op,
  put,
  read,
  remove,
  removeRange,
} from "../../src/index.ts";
import { bytes, type StoreUnderTest, useStore } from "./fixture.ts";

const refused: [what: string, ops: Op[], reason: string][] = [
  ["an empty key", [put("", bytes(""))], "key is empty"],
  ["NUL in a key", [put("a\0b", bytes(""))], "NUL"],
  ["half a surrogate pair", [put("a\uD800", bytes(""))], "not well-formed"],
  ["a key that is too long", [put("é".repeat(2049), bytes(""))], "4098 bytes: the limit is 4096"],
  ["a value that is too long", [put("k", new Uint8Array(LIMITS.valueBytes + 1))], "the limit is 1048576"],
  ["too many operations", Array.from({ length: 129 }, () => read("k")), "129 success operations"],
  ["too many bytes", ["a", "b"].map((key) => put(key, new Uint8Array(800_000))), "the limit is 1572864"],
  ["two puts of one key", [put("k", bytes("")), put("k", bytes(""))], 'puts "k" twice'],
  ["a put and a deletion of one key", [put("k", bytes("")), remove("k")], 'puts and deletes "k"'],
  ["a put in a deleted range", [removeRange({ start: "a", end: "z" }), put("k", bytes(""))], 'puts and deletes "k"'],
  ["a range without an end", [removeRange({ start: "a", end: "" })], "END_OF_KEYS"],
  ["a negative limit", [{ type: "range", ...ALL_KEYS, limit: -1 }], "limit -1"],
];

export function describeLimits(subject: StoreUnderTest): void {
  describe("limits", () => {
    const fixture = useStore(subject);

    test.each(refused)("%s is refused in either branch", async (_what, ops, reason) => {
      const error = { code: "INVALID", message: expect.stringContaining(reason) };
      await expect(fixture.store.txn({ success: ops })).rejects.toMatchObject(error);
      const otherBranch = fixture.store.txn({ success: [], failure: ops });
      await expect(otherBranch).rejects.toMatchObject({ code: "INVALID" });
      expect((await fixture.store.range(ALL_KEYS)).count).toBe(0);
    });

    test("what reaches the limits passes", async () => {
      const key = "k".repeat(LIMITS.keyBytes);
      const value = new Uint8Array(LIMITS.valueBytes).fill(7);
      const others = Array.from({ length: LIMITS.txnOperations - 1 }, (_, index) => put(`o${index}`, bytes("")));
      const compare = Array.from({ length: LIMITS.txnOperations }, (_, index) => absent(`c${index}`));
      await fixture.store.txn({ compare, success: [put(key, value), ...others] });
      const { kvs } = await fixture.store.range({ start: "k", end: keyAfter(key) });
      expect(Buffer.compare(kvs[0]!.value, value)).toBe(0);
      const beyond = await fixture.store.range({ start: keyAfter(key), end: END_OF_KEYS });
      expect(beyond.count).toBe(LIMITS.txnOperations - 1);
    });

    test("comparisons are counted and checked too", async () => {
      const many = Array.from({ length: 129 }, () => absent("k"));
      await expect(fixture.store.txn({ compare: many, success: [] })).rejects.toMatchObject({ code: "INVALID" });
      const half = { key: "k", target: "version", is: "=", to: 0.5 } as const;
      await expect(fixture.store.txn({ compare: [half], success: [] })).rejects.toMatchObject({ code: "INVALID" });
    });

    test("reads and watches are checked too", async () => {
      await expect(fixture.store.get("")).rejects.toMatchObject({ code: "INVALID" });
      await expect(fixture.store.get("k", { revision: 0 })).rejects.toMatchObject({ code: "INVALID" });
      await expect(fixture.store.range({ start: "a", end: "" })).rejects.toMatchObject({ code: "INVALID" });
      await expect(fixture.store.compact(-1)).rejects.toMatchObject({ code: "INVALID" });
      expect(() => fixture.store.watch({ start: "a", end: "" })).toThrow(expect.objectContaining({ code: "INVALID" }));
    });
  });

  describe("close", () => {
    const fixture = useStore(subject);

    test("ends what comes later with CLOSED, and can be repeated", async () => {
      const { store } = fixture;
      const lease = await store.grantLease(60_000);
      await Promise.all([store.close(), store.close()]);
      const late = [
        () => store.get("k"),
        () => store.range(ALL_KEYS),
        () => store.txn({ success: [] }),
        () => store.grantLease(60_000),
        () => store.keepAlive(lease),
        () => store.status(),
      ];
      for (const call of late) await expect(call()).rejects.toMatchObject({ code: "CLOSED" });
      expect(() => store.watch(ALL_KEYS)).toThrow(expect.objectContaining({ code: "CLOSED" }));
      expect(fixture.clock.pendingCount).toBe(0);
    });

    test("finishes what was asked before", async () => {
      const written = fixture.store.txn({ success: [put("k", bytes("v"))] });
      const closed = fixture.store.close();
      expect((await written).succeeded).toBe(true);
      await closed;
    });
  });
}
