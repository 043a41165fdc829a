import type { IpAddress } from "@fiberlb/types";
import { describe, expect, test } from "@jest/globals";

import { gratuitousArp, parseMac, takeoverFrames, unsolicitedAdvertisement } from "../../../src/announce/l2/packets.ts";

const MAC = parseMac("02:00:5e:10:00:01");
const V4 = "192.0.2.200" as IpAddress;
const V6 = "2001:db8::200" as IpAddress;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const bytes = (...parts: readonly string[]): string => parts.join("").replaceAll(" ", "");

describe("gratuitous ARP", () => {
  test("as a request: sender and target are the address, nobody is asked for it", () => {
    const { bytes: frame, destination, etherType } = gratuitousArp(V4, MAC, "request");
    expect(hex(frame)).toBe(
      bytes(
        "ff ff ff ff ff ff  02 00 5e 10 00 01  08 06", // to everybody, from us, ARP
        "00 01 08 00 06 04 00 01", // Ethernet, IPv4, request
        "02 00 5e 10 00 01  c0 00 02 c8", // sender
        "00 00 00 00 00 00  c0 00 02 c8", // target
      ),
    );
    expect([hex(destination), etherType]).toEqual(["ffffffffffff", 0x0806]);
  });

  test("as a reply: the target's hardware address is the sender's", () => {
    expect(hex(gratuitousArp(V4, MAC, "reply").bytes)).toBe(
      bytes(
        "ff ff ff ff ff ff  02 00 5e 10 00 01  08 06",
        "00 01 08 00 06 04 00 02",
        "02 00 5e 10 00 01  c0 00 02 c8",
        "02 00 5e 10 00 01  c0 00 02 c8",
      ),
    );
  });
});

describe("an unsolicited neighbour advertisement", () => {
  test("goes to all nodes, overrides, and carries the link-layer address", () => {
    const { bytes: frame, destination, etherType } = unsolicitedAdvertisement(V6, MAC);
    expect(hex(frame)).toBe(
      bytes(
        "33 33 00 00 00 01  02 00 5e 10 00 01  86 dd",
        "60 00 00 00  00 20  3a  ff", // 32 bytes of ICMPv6, hop limit 255
        "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 02 00", // from the address itself
        "ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 01",
        "88 00  97 1c  20 00 00 00", // type 136, checksum, flag O
        "20 01 0d b8 00 00 00 00 00 00 00 00 00 00 02 00", // target
        "02 01  02 00 5e 10 00 01", // option: target's link-layer address
      ),
    );
    expect([hex(destination), etherType]).toEqual(["333300000001", 0x86dd]);
  });

  test("has a checksum with which the whole sums up to nothing", () => {
    for (const text of ["2001:db8::1", "fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::2"]) {
      const frame = unsolicitedAdvertisement(text as IpAddress, MAC).bytes;
      // Pseudo-header: both addresses, length, next header (RFC 8200 §8.1).
      const covered = [...frame.subarray(22), 0, 0, 0, 32, 0, 0, 0, 58];
      let sum = 0;
      for (let at = 0; at < covered.length; at += 2) sum += (covered[at]! << 8) + covered[at + 1]!;
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
      expect(sum).toBe(0xffff);
    }
  });
});

test("a takeover is told in both forms of ARP, or by an advertisement", () => {
  expect(takeoverFrames(V4, MAC).map(({ bytes: frame }) => frame[21])).toEqual([1, 2]);
  expect(takeoverFrames(V6, MAC)).toEqual([unsolicitedAdvertisement(V6, MAC)]);
});

test.each(["", "02:00:5e:10:00", "02:00:5e:10:00:01:02", "zz:00:5e:10:00:01"])("%j is no Ethernet address", (text) => {
  expect(() => parseMac(text)).toThrow("is no Ethernet address");
});
