import type { IpAddress } from "@fiberlb/types";

import type { HeldPeer, PeerSettings } from "../../src/gobgp/api.ts";

/** A peer as wanted. */
export const peerSettings = (settings: Partial<PeerSettings> = {}): PeerSettings => ({
  address: "10.0.0.254" as IpAddress,
  asn: 64_500,
  port: 179,
  password: "",
  holdTimeS: 9,
  keepaliveS: 3,
  connectRetryS: 5,
  multihopTtl: 0,
  localAddress: "",
  passive: false,
  restartTimeS: 0,
  ...settings,
});

/** A peer as a daemon of 4.5 or newer lists it. */
export const heldPeer = (peer: Partial<HeldPeer> = {}): HeldPeer => ({
  settings: peerSettings(),
  state: "ESTABLISHED",
  advertised: 0,
  bfdSupported: true,
  lastError: "",
  ...peer,
});
