import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import {
  MAX_PROXY_HEADER_BYTES,
  parseProxyHeader,
  type ProxiedEndpoints,
  writeDatagramProxyHeader,
  writeProxyHeader,
} from "../../../src/data/l4/proxy-protocol.ts";
import { FUZZ_RUNS } from "../l7/http1-fuzz.ts";
import { flipped } from "./mutations.ts";

const bytes = (...parts: readonly (string | readonly number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part))));
const fill = (length: number, byte: number): number[] => Array.from({ length }, () => byte);
const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";
/** A header of version 2: command, family, and what its length counts. */
const v2 = (command: number, family: number, ...rest: readonly (string | readonly number[])[]): Buffer => {
  const body = bytes(...rest);
  return bytes(SIGNATURE, [command, family, body.length >> 8, body.length & 0xff], [...body]);
};
const IPV4 = [192, 0, 2, 7, 203, 0, 113, 1, 0x9c, 0x40, 0x01, 0xbb];
const ENDPOINTS: ProxiedEndpoints = {
  source: { address: "192.0.2.7", port: 40_000 },
  destination: { address: "203.0.113.1", port: 443 },
};

describe("version 1", () => {
  it.each<[string, ProxiedEndpoints | undefined]>([
    ["PROXY TCP4 192.0.2.7 203.0.113.1 40000 443\r\n", ENDPOINTS],
    [
      "PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n",
      { source: { address: "2001:db8::1", port: 0 }, destination: { address: "::1", port: 65_535 } },
    ],
    ["PROXY TCP6 ::ffff:192.0.2.7 ::ffff:203.0.113.1 40000 443\r\n", ENDPOINTS],
    ["PROXY UNKNOWN\r\n", undefined],
    ["PROXY UNKNOWN ff:ff whatever 1 2\r\n", undefined],
  ])("reads %j", (line, endpoints) => {
    expect(parseProxyHeader(bytes(line, "GET / HTTP/1.1\r\n"))).toEqual({
      kind: "header",
      endpoints,
      length: line.length,
    });
  });

  it.each([
    "GET / HTTP/1.1\r\n",
    "proxy TCP4 192.0.2.7 203.0.113.1 1 2\r\n",
    "PROXY  TCP4 192.0.2.7 203.0.113.1 1 2\r\n",
    "PROXY TCP4 192.0.2.7 203.0.113.1 1 2\n",
    "PROXY TCP4 192.0.2.7 203.0.113.1 1 2 \r\n",
    "PROXY TCP4 192.0.2.7 203.0.113.1 1\r\n",
    "PROXY TCP4 192.0.2.07 203.0.113.1 1 2\r\n",
    "PROXY TCP4 192.0.2.256 203.0.113.1 1 2\r\n",
    "PROXY TCP4 0x7f.1 203.0.113.1 1 2\r\n",
    "PROXY TCP4 ::1 ::2 1 2\r\n",
    "PROXY TCP6 192.0.2.7 203.0.113.1 1 2\r\n",
    "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    "PROXY TCP6 [::1] ::1 1 2\r\n",
    "PROXY TCP4 192.0.2.7 203.0.113.1 01 2\r\n",
    "PROXY TCP4 192.0.2.7 203.0.113.1 65536 2\r\n",
    "PROXY TCP4 192.0.2.7 203.0.113.1 -1 2\r\n",
    "PROXY TCP5 192.0.2.7 203.0.113.1 1 2\r\n",
    `PROXY UNKNOWN ${"x".repeat(92)}\r\n`,
    `PROXY TCP6 ${"0".repeat(120)}`,
  ])("refuses %j", (line) => expect(parseProxyHeader(bytes(line))).toMatchObject({ kind: "failed" }));

  it("takes a line of 107 bytes and no longer one", () => {
    const line = (length: number): Buffer => bytes(`PROXY UNKNOWN ${"x".repeat(length - 16)}\r\n`);
    expect(parseProxyHeader(line(107))).toMatchObject({ kind: "header", length: 107 });
    expect(parseProxyHeader(line(108))).toMatchObject({ kind: "failed" });
  });
});

describe("version 2", () => {
  it.each<[string, Buffer, ProxiedEndpoints | undefined]>([
    ["IPv4", v2(0x21, 0x11, IPV4), ENDPOINTS],
    ["TLVs after the addresses", v2(0x21, 0x11, IPV4, [0x04, 0, 2, 9, 9, 0xee, 0, 0]), ENDPOINTS],
    ["LOCAL, whatever it says of addresses", v2(0x20, 0x11, IPV4), undefined],
    ["LOCAL without addresses", v2(0x20, 0x00), undefined],
    ["an unspecified family", v2(0x21, 0x00), undefined],
    ["UNIX sockets", v2(0x21, 0x31, fill(216, 0x61)), undefined],
  ])("reads %s", (_what, header, endpoints) => {
    expect(parseProxyHeader(bytes([...header], "data"))).toEqual({ kind: "header", endpoints, length: header.length });
  });

  it("takes IPv4 in IPv6 for IPv4", () => {
    const mapped = [...fill(10, 0), 0xff, 0xff];
    const header = v2(0x21, 0x21, mapped, IPV4.slice(0, 4), mapped, IPV4.slice(4, 8), IPV4.slice(8));
    expect(parseProxyHeader(header)).toMatchObject({ endpoints: ENDPOINTS });
  });

  it.each<[string, Buffer]>([
    ["another signature", bytes("\r\n\r\n\0\r\nQUIT\r", [0x21, 0x11, 0, 12], IPV4)],
    ["version 1 in version 2", v2(0x11, 0x11, IPV4)],
    ["an unknown command", v2(0x22, 0x11, IPV4)],
    ["an unknown family", v2(0x21, 0x41, IPV4)],
    ["an unknown transport", v2(0x21, 0x13, IPV4)],
    ["datagrams on a connection", v2(0x21, 0x12, IPV4)],
    ["too short for its addresses", v2(0x21, 0x11, IPV4.slice(1))],
    ["a TLV that is cut off", v2(0x21, 0x11, IPV4, [0x04, 0])],
    ["a TLV longer than the header", v2(0x21, 0x11, IPV4, [0x04, 0, 2, 9])],
    ["a checksum of the wrong size", v2(0x21, 0x11, IPV4, [0x03, 0, 2, 0, 0])],
    ["a wrong checksum", v2(0x21, 0x11, IPV4, [0x03, 0, 4, 0, 0, 0, 0])],
    ["longer than is read", bytes(SIGNATURE, [0x21, 0x11, MAX_PROXY_HEADER_BYTES >> 8, 0])],
  ])("refuses %s", (_what, header) => expect(parseProxyHeader(header)).toMatchObject({ kind: "failed" }));

  it("checks a checksum as RFC 4960 computes it", () => {
    const unchecked = v2(0x21, 0x11, IPV4, [0x03, 0, 4, 0, 0, 0, 0]);
    const crc = crc32c(unchecked);
    const header = Buffer.concat([unchecked.subarray(0, -4), Buffer.from([crc >>> 24, crc >>> 16, crc >>> 8, crc])]);
    expect(parseProxyHeader(header)).toMatchObject({ endpoints: ENDPOINTS });
  });
});

/** By a table, unlike the code under test. "123456789" has 0xe3069283 (RFC 3720 and others). */
function crc32c(data: Uint8Array): number {
  const table = Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    return crc >>> 0;
  });
  return (data.reduce((crc, byte) => (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!, 0xffffffff) ^ 0xffffffff) >>> 0;
}

it("the checksum that tests compute is CRC-32C", () => expect(crc32c(bytes("123456789"))).toBe(0xe3069283));

describe("what is written", () => {
  it("is what the specification shows", () => {
    expect(writeProxyHeader("V1", ENDPOINTS).toString()).toBe("PROXY TCP4 192.0.2.7 203.0.113.1 40000 443\r\n");
    expect(writeProxyHeader("V2", ENDPOINTS)).toEqual(v2(0x21, 0x11, IPV4));
    expect(writeDatagramProxyHeader(ENDPOINTS)).toEqual(v2(0x21, 0x12, IPV4));
  });

  it("says both ends in one family", () => {
    const mixed = { ...ENDPOINTS, destination: { address: "2001:db8::1", port: 443 } };
    expect(writeProxyHeader("V1", mixed).toString()).toBe("PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 40000 443\r\n");
    for (const version of ["V1", "V2"] as const) {
      expect(parseProxyHeader(writeProxyHeader(version, mixed))).toMatchObject({ endpoints: mixed });
    }
  });

  const endpoint = (address: fc.Arbitrary<string>) => fc.record({ address, port: fc.nat(65_535) });
  const v6 = fc
    .array(fc.nat(0xffff), { minLength: 8, maxLength: 8 })
    .map((groups) => new URL(`http://[${groups.map((group) => group.toString(16)).join(":")}]/`).hostname.slice(1, -1))
    .filter((text) => !text.startsWith("::ffff:"));

  it("is read again, whole, and only whole", () => {
    const pairs = fc.oneof(
      fc.record({ source: endpoint(fc.ipV4()), destination: endpoint(fc.ipV4()) }),
      fc.record({ source: endpoint(v6), destination: endpoint(v6) }),
    );
    fc.assert(
      fc.property(fc.constantFrom("V1" as const, "V2" as const), pairs, fc.uint8Array(), (version, endpoints, rest) => {
        const header = writeProxyHeader(version, endpoints);
        expect(parseProxyHeader(Buffer.concat([header, rest]))).toEqual({
          kind: "header",
          endpoints,
          length: header.length,
        });
        for (let cut = 0; cut < header.length; cut++) {
          expect(parseProxyHeader(header.subarray(0, cut))).toEqual({ kind: "incomplete" });
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("anything else", () => {
  const seeds = [
    writeProxyHeader("V1", ENDPOINTS),
    writeProxyHeader("V2", ENDPOINTS),
    v2(0x21, 0x21, fill(36, 7), [0x01, 0, 2, 0x68, 0x32]),
    v2(0x20, 0x00, [0x04, 0, 1, 0]),
    bytes("PROXY UNKNOWN\r\n"),
  ];

  it("is never read beyond its end, never throws, and means the same in pieces", () => {
    fc.assert(
      fc.property(fc.oneof(flipped(seeds), fc.uint8Array({ maxLength: 300 })), (input) => {
        const whole = parseProxyHeader(input);
        // Behind the view lies something else: who reads over the end sees it.
        const inside = Buffer.concat([Buffer.from([1, 2, 3]), input, Buffer.alloc(8, 0x20)]);
        expect(parseProxyHeader(inside.subarray(3, 3 + input.length))).toEqual(whole);
        let first = 0;
        while (first < input.length && parseProxyHeader(input.subarray(0, first)).kind === "incomplete") first++;
        // The verdict that comes first is the last word, however much follows.
        const verdict = parseProxyHeader(input.subarray(0, first));
        if (verdict.kind === "header") expect(whole).toEqual(verdict);
        expect(whole.kind).toBe(verdict.kind);
      }),
      { numRuns: FUZZ_RUNS },
    );
  });
});
