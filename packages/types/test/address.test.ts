import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import {
  compareIp,
  type IpAddress,
  ipFamily,
  ipFromBigInt,
  ipScope,
  ipToBigInt,
  isIpv4Mapped,
  parseIp,
  unmapIpv4,
} from "../src/index.ts";

const ip = (text: string): IpAddress => {
  const result = parseIp(text);
  if (!result.ok) throw new Error(result.error);
  return result.value;
};

describe("parseIp", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"], // RFC 5952 §4.2.2: one zero group is not shortened
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"], // §4.2.3: the longest run is
    ["::", "::"],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
    ["::FFFF:c000:201", "::ffff:192.0.2.1"],
  ])("reads %s as %s", (text, canonical) => {
    expect(parseIp(text)).toEqual({ ok: true, value: canonical });
  });

  it.each([
    "",
    "192.0.2",
    "192.0.2.1.5",
    "192.0.2.256",
    "010.0.0.1", // octal to inet_aton
    "0x7f.0.0.1",
    "2130706433",
    "127.1",
    " 192.0.2.1",
    "192.0.2.1/32",
    "[::1]",
    "fe80::1%eth0",
    "1::2::3",
    "::ffff:010.0.0.1",
    "::ffff:1.2.3",
    "12345::",
    "example.com",
    ":",
  ])("refuses %j", (text) => {
    expect(parseIp(text).ok).toBe(false);
  });

  it("says what it wants", () => {
    expect(parseIp("127.1")).toEqual({ ok: false, error: 'must be an IPv4 or IPv6 address, not "127.1"' });
    expect(parseIp("fe80::1%eth0")).toEqual({
      ok: false,
      error: 'must be an address without a zone, not "fe80::1%eth0"',
    });
  });

  it("gives equal addresses equal texts, and back: every number has one text", () => {
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << 128n) - 1n), (value) => {
        const text = ipFromBigInt(value, "IPV6");
        expect(parseIp(text)).toEqual({ ok: true, value: text });
        expect(ipToBigInt(text)).toBe(value);
      }),
    );
    fc.assert(
      fc.property(fc.bigInt(0n, (1n << 32n) - 1n), (value) => {
        expect(ipToBigInt(ip(ipFromBigInt(value, "IPV4")))).toBe(value);
      }),
    );
  });

  it("agrees with any spelling of IPv6 groups", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const canonical = ip(text);
        expect(ip(canonical)).toBe(canonical);
        expect(ip(text.toUpperCase())).toBe(canonical);
      }),
    );
  });
});

describe("addresses as numbers", () => {
  it("refuses a number that the family cannot hold", () => {
    expect(() => ipFromBigInt(1n << 32n, "IPV4")).toThrow(
      "Cannot make an IPV4 address: 4294967296 does not fit 32 bits",
    );
    expect(() => ipFromBigInt(-1n, "IPV6")).toThrow(RangeError);
  });

  it("orders IPv4 before IPv6, then by number", () => {
    const sorted = ["9.255.255.255", "10.0.0.0", "::1", "2001:db8::"].map(ip);
    expect(sorted.toReversed().toSorted(compareIp)).toEqual(sorted);
    expect(compareIp(ip("::1"), ip("::1"))).toBe(0);
  });
});

describe("kinds of addresses", () => {
  it("knows IPv4-mapped addresses and what is in them", () => {
    expect(isIpv4Mapped(ip("::ffff:127.0.0.1"))).toBe(true);
    expect(unmapIpv4(ip("::ffff:7f00:1"))).toBe("127.0.0.1");
    expect(isIpv4Mapped(ip("::1"))).toBe(false);
    expect(unmapIpv4(ip("::1"))).toBe("::1");
    expect(ipFamily(ip("::ffff:127.0.0.1"))).toBe("IPV6");
  });

  it.each([
    ["0.0.0.0", "unspecified"],
    ["::", "unspecified"],
    ["127.10.0.1", "loopback"],
    ["::1", "loopback"],
    ["::ffff:127.0.0.1", "loopback"],
    ["169.254.169.254", "link-local"],
    ["fe80::1", "link-local"],
    ["224.0.0.1", "multicast"],
    ["ff02::1", "multicast"],
    ["255.255.255.255", "broadcast"],
    ["10.0.0.1", "unicast"],
    ["2001:db8::1", "unicast"],
  ])("%s is %s", (text, scope) => {
    expect(ipScope(ip(text))).toBe(scope);
  });
});
