import type { IpAddress } from "@fiberlb/types";
import { describe, expect, test } from "@jest/globals";

import type { PeerSettings } from "../../src/gobgp/api.ts";
import { diffPeers, noPeerChanges } from "../../src/peers/diff.ts";
import { heldPeer, peerSettings } from "./held-peer.ts";

const other = "10.0.0.253" as IpAddress;
const bfd = { intervalUs: 100_000, multiplier: 3 };

test("missing peers are added, others removed, the same left alone", () => {
  const changes = diffPeers(
    [peerSettings(), peerSettings({ address: "10.0.0.252" as IpAddress })],
    [heldPeer(), heldPeer({ settings: peerSettings({ address: other }) })],
  );
  expect(changes).toEqual({
    remove: [other],
    replace: [],
    add: [peerSettings({ address: "10.0.0.252" as IpAddress })],
  });
});

describe("a peer is replaced when it differs in", () => {
  test.each<Partial<PeerSettings>>([
    { asn: 1 },
    { port: 1790 },
    { password: "s3cret" },
    { holdTimeS: 3 },
    { keepaliveS: 1 },
    { connectRetryS: 1 },
    { multihopTtl: 2 },
    { localAddress: "10.0.0.1" },
    { passive: true },
    { restartTimeS: 20 },
    { bfd },
  ])("%j", (difference) => {
    const wanted = peerSettings(difference);
    expect(diffPeers([wanted], [heldPeer()])).toEqual({ remove: [], replace: [wanted], add: [] });
    expect(noPeerChanges(diffPeers([wanted], [heldPeer({ settings: wanted })]))).toBe(true);
  });
});

describe("a peer is left alone", () => {
  test("where the system chose its address", () => {
    const held = heldPeer({ settings: peerSettings({ localAddress: "10.0.0.1" }) });
    expect(noPeerChanges(diffPeers([peerSettings()], [held]))).toBe(true);
  });

  test("where BFD is wanted and the daemon has none", () => {
    const held = heldPeer({ bfdSupported: false });
    expect(noPeerChanges(diffPeers([peerSettings({ bfd })], [held]))).toBe(true);
  });

  test("where its password can't be read", () => {
    const leave = new Set(["10.0.0.254"]);
    expect(noPeerChanges(diffPeers([], [heldPeer()], { leave }))).toBe(true);
  });
});

test("a peer to renew is replaced even when it is as wanted", () => {
  const renew = new Set(["10.0.0.254"]);
  expect(diffPeers([peerSettings()], [heldPeer()], { renew }).replace).toEqual([peerSettings()]);
});
