import { isIP } from "node:net";

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { encodeAddress, encodeAddressInto } from "../../src/index.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("encodeAddress", () => {
  test.each([
    ["0.0.0.0", "00000000"],
    ["10.77.1.7", "0a4d0107"],
    ["255.255.255.255", "ffffffff"],
    ["::", "00000000000000000000000000000000"],
    ["::1", "00000000000000000000000000000001"],
    ["1::", "00010000000000000000000000000000"],
    ["2001:db8:1::9", "20010db8000100000000000000000009"],
    ["2001:DB8:0:0:8:800:200C:417A", "20010db80000000000080800200c417a"],
    ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
    ["fe80::1%eth0", "fe800000000000000000000000000001"],
    ["64:ff9b::192.0.2.33", "0064ff9b0000000000000000c0000221"],
    ["1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304"],
  ])("%s", (text, expected) => {
    expect(hex(encodeAddress(text))).toBe(expected);
  });

  test.each(["::ffff:10.77.1.7", "::FFFF:0a4d:107"])("an IPv4-mapped %s is the IPv4 address on the wire", (text) => {
    expect(hex(encodeAddress(text))).toBe("0a4d0107");
  });

  test.each(
    [
      ["", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.", "1..2.3", "a.b.c.d", "1.2.3.4 "],
      [":", ":::", "1:", ":1", "1:2:3:4:5:6:7:8:", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "::1.2.3"],
      ["1:2:3:4:5:6:7::8", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4::", "::1:", "%eth0", "host.example"],
    ].flat(),
  )("%j is refused unless it is an address", (text) => {
    if (isIP(text) === 0) expect(() => encodeAddress(text)).toThrow(`Cannot encode "${text}"`);
    else expect(encodeAddress(text)).toHaveLength(16);
  });

  test("accepts what Node accepts, and means the same", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const bytes = encodeAddress(text);
        if (bytes.length === 4 && !text.includes(":")) expect(bytes.join(".")).toBe(text);
        else if (bytes.length === 16)
          expect(hex(encodeAddress(new URL(`http://[${text}]`).hostname.slice(1, -1)))).toBe(hex(bytes));
      }),
      { numRuns: 500 },
    );
  });

  test("refuses what Node refuses", () => {
    const nearly = fc.string({ unit: fc.constantFrom("0", "1", "f", "25", ":", "::", "."), maxLength: 14 });
    fc.assert(
      fc.property(nearly, (text) => {
        const isAddress = isIP(text) !== 0;
        if (isAddress) expect([4, 16]).toContain(encodeAddress(text).length);
        else expect(() => encodeAddress(text)).toThrow(TypeError);
      }),
      { numRuns: 3000 },
    );
  });

  test("writes at an offset and leaves the rest", () => {
    const bytes = new Uint8Array(24).fill(0xee);
    expect(encodeAddressInto("1.2.3.4", { bytes, offset: 3 })).toBe(4);
    expect(hex(bytes.subarray(0, 8))).toBe("eeeeee01020304ee");
  });
});
