import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { formatHostPort, type Host, isIpHost, parseDnsName, parseHost, parsePort } from "../src/index.ts";

describe("parsePort", () => {
  it("accepts 1 to 65535, as number or text, and nothing else", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 65_535 }), (port) => {
        expect(parsePort(port)).toEqual({ ok: true, value: port });
        expect(parsePort(String(port))).toEqual({ ok: true, value: port });
      }),
    );
    for (const bad of [0, -1, 65_536, 80.5, Number.NaN, "", "080", "0x50", "+80", "1e2", " 80", "65536"]) {
      expect(parsePort(bad).ok).toBe(false);
    }
    expect(parsePort(70_000)).toEqual({ ok: false, error: "must be a port, 1 to 65535, not 70000" });
  });
});

describe("parseDnsName", () => {
  it.each([
    ["Example.COM", "example.com"],
    ["example.com.", "example.com"],
    ["localhost", "localhost"],
    ["my_service.internal", "my_service.internal"],
    ["3com.com", "3com.com"],
    [`${"a".repeat(63)}.com`, `${"a".repeat(63)}.com`],
  ])("reads %s", (text, canonical) => {
    expect(parseDnsName(text)).toEqual({ ok: true, value: canonical });
  });

  it.each([
    "",
    ".",
    "a..b",
    "-a.com",
    "a-.com",
    `${"a".repeat(64)}.com`,
    "a b",
    "ä.de",
    "*.com",
    `${"a.".repeat(127)}com`,
  ])("refuses %j", (text) => {
    expect(parseDnsName(text).ok).toBe(false);
  });

  // getaddrinfo and URL parsers take these for 127.0.0.1: past a list of denied addresses they would lead to the host itself.
  it.each(["127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "1.2.3.4.5", "foo.0x1"])(
    "refuses %s, which is a number to some programs",
    (text) => {
      expect(parseDnsName(text).ok).toBe(false);
      expect(parseHost(text).ok).toBe(false);
    },
  );
});

describe("parseHost", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["2001:DB8::1", "2001:db8::1"],
    ["127.0.0.1", "127.0.0.1"],
    ["App.internal", "app.internal"],
  ])("reads %s", (text, canonical) => {
    expect(parseHost(text)).toEqual({ ok: true, value: canonical });
  });

  it.each([
    ["::ffff:10.0.0.1", "must be written as IPv4: 10.0.0.1"],
    ["0.0.0.0", "must be the address of one host, not the unspecified address 0.0.0.0"],
    ["ff02::1", "must be the address of one host, not the multicast address ff02::1"],
    ["255.255.255.255", "must be the address of one host, not the broadcast address 255.255.255.255"],
    ["example.com:80", 'must be an IP address or a DNS name, not "example.com:80"'],
    ["http://example.com", 'must be an IP address or a DNS name, not "http://example.com"'],
  ])("refuses %s and says why", (text, error) => {
    expect(parseHost(text)).toEqual({ ok: false, error });
  });

  it("never throws", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.ipV6(), fc.domain()), (text) => {
        const result = parseHost(text);
        if (result.ok) expect(parseHost(result.value)).toEqual(result);
      }),
    );
  });
});

it("writes host and port so that they can be read back", () => {
  expect(formatHostPort("192.0.2.1", 80)).toBe("192.0.2.1:80");
  expect(formatHostPort("2001:db8::1", 443)).toBe("[2001:db8::1]:443");
  expect(formatHostPort("app.internal", 80)).toBe("app.internal:80");
  expect(isIpHost("2001:db8::1" as Host)).toBe(true);
  expect(isIpHost("app.internal" as Host)).toBe(false);
});
