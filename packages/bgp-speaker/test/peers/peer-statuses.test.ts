import type { IpAddress } from "@fiberlb/types";
import { expect, test } from "@jest/globals";

import { peerStatuses } from "../../src/peers/peer-statuses.ts";
import { heldPeer, peerSettings } from "./held-peer.ts";

const [near, far] = ["10.0.0.253" as IpAddress, "10.0.0.254" as IpAddress];

test("shows held peers, and wanted ones that are not there", () => {
  const establishedAt = new Date(0);
  const held = heldPeer({ settings: peerSettings({ password: "s3cret" }), advertised: 3, establishedAt, bfd: "UP" });
  const wishes = { wanted: [peerSettings(), peerSettings({ address: near })], problems: new Map([[near, "no file"]]) };
  expect(peerStatuses([held], wishes)).toEqual([
    { address: near, asn: 64_500, state: "IDLE", advertised: 0, problem: "no file" },
    { address: far, asn: 64_500, state: "ESTABLISHED", establishedAt, advertised: 3, bfd: "UP" },
  ]);
});

test("says when BFD is wanted and the daemon has none", () => {
  const wanted = [peerSettings({ bfd: { intervalUs: 1, multiplier: 3 } })];
  const [status] = peerStatuses([heldPeer({ bfdSupported: false })], { wanted, problems: new Map() });
  expect(status?.problem).toContain("no BFD");
});

test("tells why a session ended, where the daemon does", () => {
  expect(peerStatuses([heldPeer({ lastError: "hold timer expired" })])[0]?.lastError).toBe("hold timer expired");
});
