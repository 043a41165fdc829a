import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { IdGenerator, parseId } from "../src/index.ts";

const zeros = (bytes: Uint8Array): void => void bytes.fill(0);

describe("parseId", () => {
  it("reads a UUIDv7 and makes it lower case", () => {
    expect(parseId("019A3C7E-0B1D-7C44-8F6E-2B9D1C5A7E30")).toEqual({
      ok: true,
      value: "019a3c7e-0b1d-7c44-8f6e-2b9d1c5a7e30",
    });
  });

  it.each([
    ["", "empty"],
    ["web", "a name"],
    ["019a3c7e-0b1d-4c44-8f6e-2b9d1c5a7e30", "version 4"],
    ["019a3c7e-0b1d-7c44-cf6e-2b9d1c5a7e30", "another variant"],
    ["019a3c7e0b1d7c448f6e2b9d1c5a7e30", "without hyphens"],
    ["{019a3c7e-0b1d-7c44-8f6e-2b9d1c5a7e30}", "in braces"],
  ])("refuses %j: %s", (text) => {
    expect(parseId(text).ok).toBe(false);
  });
});

describe("IdGenerator", () => {
  it("puts the time into the first 48 bits (RFC 9562 §5.7)", () => {
    const id = new IdGenerator({ nowMs: () => 0x017f22e279b0, fillRandom: zeros }).next();
    expect(id).toBe("017f22e2-79b0-7000-8000-000000000000");
  });

  it("makes ids that are valid and rise, whatever the clock and chance do", () => {
    const steps = fc.array(fc.record({ ms: fc.nat(50), byte: fc.nat(255) }), { minLength: 2, maxLength: 100 });
    fc.assert(
      fc.property(steps, (given) => {
        let at = 0;
        const generator = new IdGenerator({
          nowMs: () => given[at]?.ms ?? 0,
          fillRandom: (bytes) => void bytes.fill(given[at]?.byte ?? 0),
        });
        const ids = given.map((_, index) => {
          at = index;
          return generator.next();
        });
        expect(ids.toSorted()).toEqual(ids);
        expect(new Set(ids).size).toBe(ids.length);
        expect(ids.every((id) => parseId(id).ok)).toBe(true);
      }),
    );
  });

  it("counts up from the highest random start without overflowing", () => {
    const generator = new IdGenerator({ nowMs: () => 1, fillRandom: (bytes) => void bytes.fill(0xff) });
    const ids = Array.from({ length: 1000 }, () => generator.next());
    expect(ids.toSorted()).toEqual(ids);
    expect(ids.every((id) => id.startsWith("00000000-0001-7"))).toBe(true);
  });
});
