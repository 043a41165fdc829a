import { BfdPeerState_SessionState as BfdState, type Peer } from "../../gen/gobgp/v4/gobgp_pb.ts";
import type { BfdSettings, HeldPeer, PeerSettings } from "../api.ts";
import { decodePeer as decodeCommon, encodePeer as encodeCommon } from "../peer.ts";

/** Of single-hop BFD (RFC 5881 section 4). */
const BFD_PORT = 3784;

/** For AddPeer. Daemons before 4.5 ignore `bfd`, and list the peer without. */
export const encodePeer = (peer: PeerSettings) => ({
  ...encodeCommon(peer),
  ...(peer.bfd !== undefined && { bfd: bfdOf(peer.bfd) }),
});

const bfdOf = ({ intervalUs, multiplier }: BfdSettings) => ({
  enabled: true,
  port: BFD_PORT,
  desiredMinimumTxInterval: intervalUs,
  requiredMinimumReceive: intervalUs,
  detectionMultiplier: multiplier,
});

/** A listed peer. */
export function decodePeer(peer: Peer): HeldPeer {
  const bfd = peer.bfd?.enabled === true ? peer.bfd : undefined;
  const state = bfd === undefined ? undefined : BFD_STATES[peer.state?.bfdState?.sessionState ?? 0];
  return decodeCommon(peer, {
    ...(bfd !== undefined && {
      bfdSettings: { intervalUs: bfd.desiredMinimumTxInterval, multiplier: bfd.detectionMultiplier },
    }),
    ...(state !== undefined && { bfd: state }),
    bfdSupported: peer.bfd !== undefined,
    lastError: peer.state?.disconnectMessage ?? "",
  });
}

const BFD_STATES: Readonly<Record<BfdState, HeldPeer["bfd"]>> = {
  [BfdState.UNSPECIFIED]: undefined,
  [BfdState.UP]: "UP",
  [BfdState.DOWN]: "DOWN",
  [BfdState.ADMIN_DOWN]: "ADMIN_DOWN",
  [BfdState.INIT]: "INIT",
};
