import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import {
  encodeFiveTuple,
  encodeFiveTupleInto,
  encodeSource,
  FlowHash,
  jhash,
  MAX_FLOW_KEY_BYTES,
  scale,
} from "../../src/index.ts";

const ipv4 = { sourceAddress: "10.77.1.7", destinationAddress: "203.0.113.9" };
const ipv6 = { sourceAddress: "2001:db8::7", destinationAddress: "2001:db8:1::9" };

// Conntrack marks that Linux 6.18 set by `ct mark set jhash … mod M seed S` for real packets.
describe("the kernel's own choice", () => {
  test.each([
    [ipv4, 40_000, 37_301],
    [ipv4, 40_001, 32_824],
    [ipv4, 65_535, 36_434],
    [ipv6, 40_000, 65_016],
    [ipv6, 40_001, 26_060],
    [ipv6, 65_535, 43_039],
  ])("saddr . daddr . udp sport . udp dport mod 65537 seed 0x1234abcd: %j port %d", (ends, sourcePort, slot) => {
    const hash = new FlowHash({ seed: 0x1234abcd }).fiveTuple({ ...ends, sourcePort, destinationPort: 8001 });
    expect(scale(hash, 65_537)).toBe(slot);
  });

  test.each([
    [ipv4, 28_592],
    [ipv6, 10_965],
  ])("saddr mod 65537 seed 0x7: %j", ({ sourceAddress }, slot) => {
    expect(scale(new FlowHash({ seed: 7 }).source(sourceAddress), 65_537)).toBe(slot);
  });

  test.each([
    [40_000, 97],
    [40_001, 582],
    [65_535, 987],
  ])("saddr . daddr . udp sport . udp dport . meta l4proto mod 1021 seed 0x5: port %d", (sourcePort, slot) => {
    const flow = { ...ipv4, sourcePort, destinationPort: 8003, protocol: 17 };
    expect(scale(new FlowHash({ seed: 5 }).fiveTuple(flow), 1021)).toBe(slot);
  });

  test("a dual-stack socket's mapped address chooses as IPv4 does", () => {
    const hash = new FlowHash({ seed: 7 });
    expect(hash.source("::ffff:10.77.1.7")).toBe(hash.source("10.77.1.7"));
  });
});

describe("flow keys", () => {
  const ports = { sourcePort: 0x1234, destinationPort: 80 };
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

  test("fields are in network order, each padded to four bytes", () => {
    expect(hex(encodeFiveTuple({ ...ipv4, ...ports }))).toBe("0a4d0107cb0071091234000000500000");
    expect(hex(encodeFiveTuple({ ...ipv4, ...ports, protocol: 6 }))).toMatch(/0050000006000000$/);
    expect(encodeFiveTuple({ ...ipv6, ...ports })).toHaveLength(40);
    expect(encodeFiveTuple({ ...ipv6, ...ports, protocol: 6 })).toHaveLength(MAX_FLOW_KEY_BYTES);
    expect(hex(encodeSource(ipv4.sourceAddress))).toBe("0a4d0107");
  });

  test("a reused buffer does not leak the key before", () => {
    const [first, second] = [fc.ipV4(), fc.oneof(fc.ipV4(), fc.ipV6())];
    fc.assert(
      fc.property(first, second, fc.nat(65_535), (a, b, sourcePort) => {
        const hash = new FlowHash({ seed: 9 });
        hash.source(b);
        const flow = { sourceAddress: a, destinationAddress: "192.0.2.1", sourcePort, destinationPort: 80 };
        expect(hash.fiveTuple(flow)).toBe(jhash(encodeFiveTuple(flow), 9));
        expect(hash.source(b)).toBe(jhash(encodeSource(b), 9));
      }),
    );
  });

  test("both families in one flow are refused", () => {
    const flow = { sourceAddress: "10.0.0.1", destinationAddress: "2001:db8::1", ...ports };
    expect(() => encodeFiveTuple(flow)).toThrow(/10.0.0.1 to 2001:db8::1: one address is IPv4, the other IPv6/);
  });

  test.each([-1, 65_536, 1.5, Number.NaN])("port %d is refused", (sourcePort) => {
    expect(() => encodeFiveTuple({ ...ipv4, ...ports, sourcePort })).toThrow(`Cannot encode port ${sourcePort}`);
  });

  test.each([-1, 256, 1.5])("protocol %d is refused", (protocol) => {
    expect(() => encodeFiveTuple({ ...ipv4, ...ports, protocol })).toThrow(`Cannot encode protocol ${protocol}`);
  });

  test("a buffer without room for IPv6 is refused", () => {
    expect(() => encodeFiveTupleInto({ ...ipv4, ...ports }, new Uint8Array(16))).toThrow(/into 16 bytes.*needs 44/);
  });

  test.each([-1, 2 ** 32, 0.5])("seed %d is refused", (seed) => {
    expect(() => new FlowHash({ seed })).toThrow(`seed ${seed}`);
  });
});
