import { networkInterfaces } from "node:os";

import { expect, test } from "@jest/globals";

import { readHost } from "../../../../src/data/l4/nftables/host.ts";

test("VIPs of ours that are on an interface at the moment are no addresses of the host", () => {
  const [one] = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const address = one?.address ?? "127.0.0.1";
  const { addresses, links = [] } = readHost((candidate) => candidate === address);
  expect(readHost().addresses.has(address)).toBe(one !== undefined);
  expect(addresses.has(address)).toBe(false);
  expect(links.some((link) => link.address === address)).toBe(false);
});
