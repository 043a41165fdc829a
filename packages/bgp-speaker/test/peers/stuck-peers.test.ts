import { expect, test } from "@jest/globals";

import type { HeldPeer } from "../../src/gobgp/api.ts";
import { StuckPeers } from "../../src/peers/stuck-peers.ts";
import { heldPeer, peerSettings } from "./held-peer.ts";

const settings = peerSettings({ bfd: { intervalUs: 100_000, multiplier: 3 } });
const up = heldPeer({ settings, bfd: "UP" });
const stuck = heldPeer({ settings, state: "ACTIVE", bfd: "UP" });
const cut = heldPeer({ settings, state: "ACTIVE", bfd: "DOWN" });

/** Numbers of the looks, from 1, after which the peer was to be started anew. */
function renewals(...looks: readonly HeldPeer[]): number[] {
  const peers = new StuckPeers();
  return looks.flatMap((peer, index) => (peers.observe([peer]).size > 0 ? [index + 1] : []));
}

const times = (count: number, peer: HeldPeer): HeldPeer[] => Array.from({ length: count }, () => peer);

test("ten looks with BFD up and no session, then again after thirty", () => {
  expect(renewals(up, ...times(80, stuck))).toEqual([11, 41, 71]);
});

test("not while BFD says that the router is gone", () => {
  expect(renewals(up, ...times(100, cut))).toEqual([]);
  expect(renewals(up, ...times(9, stuck), ...times(9, cut), ...times(9, stuck))).toEqual([]);
});

test("not when the session came back in between", () => {
  expect(renewals(up, ...times(9, stuck), up, ...times(9, stuck))).toEqual([]);
});

test("not when there never was a session, or no BFD is wanted", () => {
  expect(renewals(...times(50, stuck))).toEqual([]);
  expect(renewals(heldPeer(), ...times(50, heldPeer({ state: "ACTIVE" })))).toEqual([]);
});
