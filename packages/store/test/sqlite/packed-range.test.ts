import { expect, test } from "@jest/globals";
import fc from "fast-check";

import type { KeyValue, LeaseId, RangeResult } from "../../src/index.ts";
import { packRange, unpackRange } from "../../src/sqlite/packed-range.ts";

const revision = fc.nat(Number.MAX_SAFE_INTEGER);
const keyValue: fc.Arbitrary<KeyValue> = fc.record(
  {
    key: fc.string(),
    value: fc.uint8Array({ maxLength: 8 }),
    createRevision: revision,
    modRevision: revision,
    version: revision,
    lease: fc.integer({ min: 1, max: 1e14 }).map((id) => String(id) as LeaseId),
  },
  { requiredKeys: ["key", "value", "createRevision", "modRevision", "version"], noNullPrototype: true },
);
const result: fc.Arbitrary<RangeResult> = fc.record(
  { kvs: fc.array(keyValue), more: fc.boolean(), count: fc.nat(), revision },
  { noNullPrototype: true },
);

test("a range result comes out of its package as it went in, also through a structured clone", () => {
  fc.assert(
    fc.property(result, (original) => {
      expect(unpackRange(structuredClone(packRange(original)))).toEqual(original);
    }),
  );
});
