import { expect, test } from "@jest/globals";
import fc from "fast-check";

import {
  formatCommunity,
  formatLargeCommunity,
  parseCommunity,
  parseLargeCommunity,
} from "../../src/routes/communities.ts";

const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });

test("a community is 32 bits, high part first (RFC 1997)", () => {
  expect(parseCommunity("65535:0")).toBe(0xffff_0000);
  expect(parseCommunity("65535:65281")).toBe(0xffff_ff01); // NO_EXPORT
  expect(formatCommunity(0xffff_0000)).toBe("65535:0");
});

test("every community comes back as it was written", () => {
  fc.assert(
    fc.property(uint16, uint16, (high, low) => {
      expect(formatCommunity(parseCommunity(`${high}:${low}`))).toBe(`${high}:${low}`);
    }),
  );
  fc.assert(
    fc.property(uint32, uint32, uint32, (...parts) => {
      expect(formatLargeCommunity(parseLargeCommunity(parts.join(":")))).toBe(parts.join(":"));
    }),
  );
});

test.each(["", "1", "1:2:3", "65536:0", "0:65536", "-1:2", "01:2", "1:2 ", "a:b", "1:0x2", "no-export"])(
  "%j is no community",
  (text) => {
    expect(() => parseCommunity(text)).toThrow(`community ${JSON.stringify(text)} must be asn:value`);
  },
);

test.each(["", "1:2", "1:2:3:4", "4294967296:0:0", "1::3", "1:2:+3"])("%j is no large community", (text) => {
  expect(() => parseLargeCommunity(text)).toThrow("must be global:local1:local2");
});
