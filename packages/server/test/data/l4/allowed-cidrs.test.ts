import { BlockList } from "node:net";

import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { AllowedCidrs } from "../../../src/data/l4/allowed-cidrs.ts";

describe("AllowedCidrs", () => {
  it("allows everybody when empty", () => {
    const allowed = new AllowedCidrs([]);
    expect(allowed.everybody).toBe(true);
    expect(allowed.includes("198.51.100.7")).toBe(true);
    expect(allowed.includes("2001:db8::1")).toBe(true);
  });

  it.each([
    ["10.0.0.0/8", "10.0.0.0", true],
    ["10.0.0.0/8", "10.255.255.255", true],
    ["10.0.0.0/8", "9.255.255.255", false],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["255.255.255.255/32", "255.255.255.255", true],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "2001:db8::1", true],
    ["::/0", "203.0.113.9", false],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::", false],
    ["10.0.0.0/8", "::ffff:10.1.2.3", true],
    ["::/0", "::ffff:10.1.2.3", false],
  ])("%s and %s: %s", (cidr, address, expected) => {
    expect(new AllowedCidrs([cidr]).includes(address)).toBe(expected);
  });

  it("finds an address between nested and neighbouring CIDRs", () => {
    const allowed = new AllowedCidrs(["10.0.1.0/24", "10.0.0.0/8", "10.0.1.128/25", "11.0.0.0/8", "192.0.2.1/32"]);
    for (const address of ["10.0.2.1", "10.200.0.1", "11.0.0.1", "192.0.2.1"])
      expect(allowed.includes(address)).toBe(true);
    for (const address of ["12.0.0.0", "192.0.2.0", "192.0.2.2"]) expect(allowed.includes(address)).toBe(false);
  });

  // Few distinct bits, so that addresses fall into CIDRs as often as beside them.
  const octet = fc.constantFrom(0, 1, 127, 128, 254, 255);
  const ipv4 = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join("."));
  const group = fc.constantFrom("0", "1", "7fff", "8000", "ffff");
  const ipv6 = fc.array(group, { minLength: 7, maxLength: 7 }).map((groups) => `2001:${groups.join(":")}`);
  const cidrOf = (address: fc.Arbitrary<string>, bits: number) =>
    fc.tuple(address, fc.integer({ min: 0, max: bits })).map(([text, length]) => ({ text, length }));

  it.each([
    ["ipv4", ipv4, 32],
    ["ipv6", ipv6, 128],
  ] as const)("agrees with node:net's BlockList (%s)", (family, addresses, bits) => {
    fc.assert(
      fc.property(fc.array(cidrOf(addresses, bits), { minLength: 1 }), fc.array(addresses), (cidrs, clients) => {
        const reference = new BlockList();
        for (const { text, length } of cidrs) reference.addSubnet(text, length, family);
        const allowed = new AllowedCidrs(cidrs.map(({ text, length }) => networkText(text, length, bits)));
        for (const client of clients) expect(allowed.includes(client)).toBe(reference.check(client, family));
      }),
    );
  });
});

/** The address with its host bits cleared, as canonical configuration has it. */
function networkText(address: string, length: number, bits: number): string {
  const [separator, radix, width] = bits === 32 ? [".", 10, 8] : [":", 16, 16];
  const parts = address.split(separator).map((part, index) => {
    const kept = Math.min(Math.max(length - index * width, 0), width);
    return (Number.parseInt(part, radix) & ~((1 << (width - kept)) - 1)).toString(radix);
  });
  return `${parts.join(separator)}/${length}`;
}
