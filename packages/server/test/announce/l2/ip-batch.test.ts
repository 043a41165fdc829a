import { describe, expect, test } from "@jest/globals";

import {
  batchFailures,
  isOurs,
  keepCommand,
  parseAddresses,
  removeCommand,
} from "../../../src/announce/l2/ip-batch.ts";

test("addresses get a lifetime, are preferred for nothing, and make no network appear", () => {
  expect(keepCommand("eth0", "192.0.2.1", 2)).toBe("addr replace 192.0.2.1/32 dev eth0 valid_lft 2 preferred_lft 0");
  expect(keepCommand("eth0", "2001:db8::1", 2)).toBe(
    "addr replace 2001:db8::1/128 dev eth0 nodad valid_lft 2 preferred_lft 0",
  );
  expect(removeCommand("eth0", "2001:db8::1")).toBe("addr del 2001:db8::1/128 dev eth0");
});

test("failures are told apart by the number of their command", () => {
  const stderr = [
    "Error: ipv4: Address not found.",
    "Command failed -:1",
    'Cannot find device "eth9"',
    "Command failed -:3",
    "",
  ].join("\n");
  expect(batchFailures(stderr)).toEqual(
    new Map([
      [0, "Error: ipv4: Address not found."],
      [2, 'Cannot find device "eth9"'],
    ]),
  );
  expect(batchFailures("")).toEqual(new Map());
});

describe("addresses that are there", () => {
  const shown = JSON.stringify([
    {},
    {
      ifname: "eth0",
      addr_info: [
        { family: "inet", local: "192.0.2.1", prefixlen: 32, valid_life_time: 2, preferred_life_time: 0 },
        {
          family: "inet",
          local: "192.0.2.2",
          prefixlen: 32,
          valid_life_time: 4294967295,
          preferred_life_time: 4294967295,
        },
        { family: "inet", local: "192.0.2.3", prefixlen: 24, valid_life_time: 3600, preferred_life_time: 0 },
        { family: "inet6", local: "2001:db8::1", prefixlen: 128, valid_life_time: 1, preferred_life_time: 0 },
        { family: "inet6", local: "2001:db8::2", prefixlen: 64, valid_life_time: 7200, preferred_life_time: 600 },
      ],
    },
  ]);

  test("are read with their lifetimes", () => {
    expect(parseAddresses(shown).slice(0, 2)).toEqual([
      { device: "eth0", address: "192.0.2.1", prefixLength: 32, validS: 2, preferredS: 0 },
      { device: "eth0", address: "192.0.2.2", prefixLength: 32, validS: undefined, preferredS: undefined },
    ]);
    expect(parseAddresses("")).toEqual([]);
  });

  test("are ours when they end soon, are preferred for nothing and are alone in their network", () => {
    expect(
      parseAddresses(shown)
        .filter(isOurs)
        .map(({ address }) => address),
    ).toEqual(["192.0.2.1", "2001:db8::1"]);
  });
});
