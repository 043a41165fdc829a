import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import {
  type AddressRange,
  type Cidr,
  cidrContains,
  type IpAddress,
  ipFromBigInt,
  parseAddressRange,
  parseCidr,
  rangeBounds,
  rangeContains,
  rangeFamily,
  rangeMatcher,
  rangesOverlap,
  rangeSize,
} from "../src/index.ts";

const range = (text: string): AddressRange => {
  const result = parseAddressRange(text);
  if (!result.ok) throw new Error(result.error);
  return result.value;
};

const address = fc.oneof(
  fc.bigInt(0n, (1n << 32n) - 1n).map((value) => ipFromBigInt(value, "IPV4")),
  fc.bigInt(0n, (1n << 128n) - 1n).map((value) => ipFromBigInt(value, "IPV6")),
);

describe("parseCidr", () => {
  it.each([
    ["10.0.0.0/8", "10.0.0.0/8"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["192.0.2.1/32", "192.0.2.1/32"],
    ["2001:DB8:0::/32", "2001:db8::/32"],
    ["::/0", "::/0"],
  ])("reads %s", (text, canonical) => {
    expect(parseCidr(text)).toEqual({ ok: true, value: canonical });
  });

  it.each([
    ["10.0.0.1/8", "has host bits set: the network is 10.0.0.0/8"],
    ["10.0.0.1", "has no prefix length: for this one address write 10.0.0.1/32"],
    ["2001:db8::1", "has no prefix length: for this one address write 2001:db8::1/128"],
    ["10.0.0.0/33", 'must have a prefix length of 0 to 32, not "33"'],
    ["10.0.0.0/08", 'must have a prefix length of 0 to 32, not "08"'],
    ["10.0.0.0/", 'must have a prefix length of 0 to 32, not ""'],
    ["10.0.0.0/255.0.0.0", 'must have a prefix length of 0 to 32, not "255.0.0.0"'],
    ["::ffff:10.0.0.0/104", 'must be written as IPv4, not as the IPv4-mapped "::ffff:10.0.0.0/104"'],
    ["10.0.0.0/8/8", 'must be a network such as 10.0.0.0/8 or 2001:db8::/32, not "10.0.0.0/8/8"'],
    ["", 'must be a network such as 10.0.0.0/8 or 2001:db8::/32, not ""'],
  ])("refuses %j and says why", (text, error) => {
    expect(parseCidr(text)).toEqual({ ok: false, error });
  });
});

describe("parseAddressRange", () => {
  it.each([
    ["192.0.2.10-192.0.2.20", "192.0.2.10-192.0.2.20"],
    ["192.0.2.10 - 192.0.2.10", "192.0.2.10-192.0.2.10"],
    ["2001:db8::1-2001:DB8::ff", "2001:db8::1-2001:db8::ff"],
    ["10.0.0.0/8", "10.0.0.0/8"],
  ])("reads %s", (text, canonical) => {
    expect(parseAddressRange(text)).toEqual({ ok: true, value: canonical });
  });

  it.each([
    ["192.0.2.20-192.0.2.10", "must go from the lower to the higher address: 192.0.2.10-192.0.2.20"],
    ["192.0.2.1-::1", 'must not mix IPv4 and IPv6: "192.0.2.1-::1"'],
    [
      "::ffff:1.2.3.4-::ffff:1.2.3.5",
      'must be written as IPv4, not as the IPv4-mapped "::ffff:1.2.3.4-::ffff:1.2.3.5"',
    ],
    ["192.0.2.1-20", 'must be a network or a range such as 192.0.2.10-192.0.2.20, not "192.0.2.1-20"'],
    [
      "192.0.2.1-192.0.2.2-192.0.2.3",
      'must be a network or a range such as 192.0.2.10-192.0.2.20, not "192.0.2.1-192.0.2.2-192.0.2.3"',
    ],
  ])("refuses %j and says why", (text, error) => {
    expect(parseAddressRange(text)).toEqual({ ok: false, error });
  });
});

describe("ranges", () => {
  it("hold their first and last address and nothing beside them", () => {
    fc.assert(
      fc.property(address, fc.nat(128), (ip, bits) => {
        const width = ip.includes(":") ? 128 : 32;
        const length = bits % (width + 1);
        const hostBits = BigInt(width - length);
        const { family, first } = rangeBounds(range(`${ip}/${width}`));
        const network = ipFromBigInt((first >> hostBits) << hostBits, family);
        fc.pre(!network.startsWith("::ffff:"));
        const cidr = range(`${network}/${length}`) as Cidr;
        const bounds = rangeBounds(cidr);
        expect(cidrContains(cidr, ip)).toBe(!ip.startsWith("::ffff:") || family === "IPV4");
        expect(rangeSize(cidr)).toBe(1n << hostBits);
        if (bounds.first > 0n) expect(cidrContains(cidr, ipFromBigInt(bounds.first - 1n, family))).toBe(false);
      }),
    );
  });

  it("tell IPv4 from IPv6, but an IPv4-mapped address slips past no list", () => {
    expect(rangeContains(range("10.0.0.0/8"), "::ffff:10.1.2.3" as IpAddress)).toBe(true);
    expect(rangeContains(range("::/0"), "10.1.2.3" as IpAddress)).toBe(false);
    expect(rangeFamily(range("::1-::2"))).toBe("IPV6");
  });

  it("overlap when they share an address", () => {
    expect(rangesOverlap(range("10.0.0.0/24"), range("10.0.0.255-10.0.1.0"))).toBe(true);
    expect(rangesOverlap(range("10.0.0.0/24"), range("10.0.1.0/24"))).toBe(false);
    expect(rangesOverlap(range("0.0.0.0/0"), range("::/0"))).toBe(false);
  });

  it("compile to a matcher that answers like each of them", () => {
    const matches = rangeMatcher(["10.0.0.0/8", "2001:db8::/32", "192.0.2.10-192.0.2.20"].map(range));
    expect(
      ["10.255.255.255", "2001:db8::9", "192.0.2.20", "::ffff:10.0.0.1"].map((ip) => matches(ip as IpAddress)),
    ).toEqual([true, true, true, true]);
    expect(["11.0.0.0", "2001:db9::", "192.0.2.21"].map((ip) => matches(ip as IpAddress))).toEqual([
      false,
      false,
      false,
    ]);
    expect(rangeMatcher([])("10.0.0.1" as IpAddress)).toBe(false);
  });
});
