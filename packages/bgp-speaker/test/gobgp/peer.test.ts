import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";

import { PeerSchema as PeerV3 } from "../../src/gen/gobgp/v3/gobgp_pb.ts";
import {
  type BfdPeerState_SessionState as BfdState,
  BfdPeerState_SessionState,
  type Peer,
  PeerSchema as PeerV4,
  PeerState_SessionState as SessionState,
} from "../../src/gen/gobgp/v4/gobgp_pb.ts";
import { decodePeer, encodePeer } from "../../src/gobgp/peer.ts";
import { decodePeer as decodeV4, encodePeer as encodeV4 } from "../../src/gobgp/v4/peer.ts";
import { peerSettings } from "../peers/held-peer.ts";

const full = peerSettings({
  port: 1790,
  password: "s3cret",
  multihopTtl: 4,
  localAddress: "10.0.0.1",
  passive: true,
  restartTimeS: 20,
});
const bfd = { intervalUs: 50_000, multiplier: 5 };

test.each([peerSettings(), full])("GoBGP 3.x: a peer comes back as it was set", (settings) => {
  const wire = fromBinary(PeerV3, toBinary(PeerV3, create(PeerV3, encodePeer(settings))));
  expect(decodePeer(wire)).toEqual({
    settings,
    state: "UNKNOWN",
    advertised: 0,
    bfdSupported: false,
    lastError: "",
  });
});

test.each([peerSettings(), full, { ...full, bfd }])("GoBGP 4.x: a peer comes back as it was set", (settings) => {
  const wire = fromBinary(PeerV4, toBinary(PeerV4, create(PeerV4, encodeV4(settings))));
  expect(decodeV4(wire).settings).toEqual(settings);
});

test("IPv4 and IPv6 unicast go over each session", () => {
  const { afiSafis } = encodePeer(full);
  expect(afiSafis.map(({ config }) => config)).toEqual([
    { family: { afi: 1, safi: 1 }, enabled: true },
    { family: { afi: 2, safi: 1 }, enabled: true },
  ]);
});

describe("a listed peer", () => {
  const listed = (state: SessionState, bfdState?: BfdState): Peer =>
    create(PeerV4, {
      ...encodeV4({ ...full, bfd }),
      state: {
        sessionState: state,
        disconnectMessage: "hold timer expired",
        bfdState: { sessionState: bfdState ?? 0 },
      },
      timers: { state: { uptime: { seconds: 1_700_000_000n, nanos: 500_000_000 } } },
      afiSafis: [{ state: { advertised: 3n } }, { state: { advertised: 4n } }],
    });

  test("that is established tells since when, and how many routes it was sent", () => {
    expect(decodeV4(listed(SessionState.ESTABLISHED, BfdPeerState_SessionState.UP))).toMatchObject({
      state: "ESTABLISHED",
      establishedAt: new Date(1_700_000_000_500),
      advertised: 7,
      bfd: "UP",
      bfdSupported: true,
      lastError: "hold timer expired",
    });
  });

  test("that is not tells neither, though the daemon may remember", () => {
    const peer = decodeV4(listed(SessionState.OPENSENT));
    expect(peer).toMatchObject({ state: "OPEN_SENT", advertised: 0 });
    expect(peer.establishedAt).toBeUndefined();
    expect(peer.bfd).toBeUndefined();
  });
});
