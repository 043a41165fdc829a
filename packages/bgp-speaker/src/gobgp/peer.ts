import type { IpAddress } from "@fiberlb/types";

import type { SessionState } from "../status.ts";
import type { BfdSettings, HeldPeer, PeerSettings } from "./api.ts";
import { families } from "./families.ts";

/** BGP's own port, which the daemon writes as 0. */
export const BGP_PORT = 179;

/** The part of a peer that both generations have alike. */
export interface WirePeer {
  readonly conf?:
    | { readonly neighborAddress: string; readonly peerAsn: number; readonly authPassword: string }
    | undefined;
  readonly ebgpMultihop?: { readonly enabled: boolean; readonly multihopTtl: number } | undefined;
  readonly state?: { readonly sessionState: number } | undefined;
  readonly timers?: WireTimers | undefined;
  readonly transport?:
    | { readonly localAddress: string; readonly passiveMode: boolean; readonly remotePort: number }
    | undefined;
  readonly gracefulRestart?: { readonly enabled: boolean; readonly restartTime: number } | undefined;
  readonly afiSafis: readonly { readonly state?: { readonly advertised: bigint } | undefined }[];
}

interface WireTimers {
  readonly config?:
    | { readonly connectRetry: bigint; readonly holdTime: bigint; readonly keepaliveInterval: bigint }
    | undefined;
  readonly state?: { readonly uptime?: { readonly seconds: bigint; readonly nanos: number } | undefined } | undefined;
}

/** For AddPeer of both generations. */
export function encodePeer(peer: PeerSettings) {
  const restarts = peer.restartTimeS > 0;
  return {
    conf: { neighborAddress: peer.address, peerAsn: peer.asn, authPassword: peer.password },
    ebgpMultihop: { enabled: peer.multihopTtl > 0, multihopTtl: peer.multihopTtl },
    timers: {
      config: {
        connectRetry: BigInt(peer.connectRetryS),
        holdTime: BigInt(peer.holdTimeS),
        keepaliveInterval: BigInt(peer.keepaliveS),
        // The default of 30 s keeps a session down long after its reason is gone. 3.10 does not listen to it.
        idleHoldTimeAfterReset: 1n,
      },
    },
    transport: { localAddress: peer.localAddress, passiveMode: peer.passive, remotePort: peer.port },
    gracefulRestart: {
      enabled: restarts,
      restartTime: peer.restartTimeS,
      // Without saying that we have restarted, the router would drop the routes that it kept (RFC 4724 section 4.2).
      localRestarting: restarts,
      // We need no routes of the router before we announce ours.
      deferralTime: 1,
    },
    afiSafis: families.map((family) => ({
      config: { family, enabled: true },
      mpGracefulRestart: { config: { enabled: restarts } },
    })),
  };
}

/** A listed peer. `extra` is what only 4.x tells. */
export function decodePeer(
  wire: WirePeer,
  extra: Partial<Pick<HeldPeer, "bfd" | "bfdSupported" | "lastError">> & { readonly bfdSettings?: BfdSettings } = {},
): HeldPeer {
  const state = SESSION_STATES[wire.state?.sessionState ?? 0] ?? "UNKNOWN";
  const uptime = wire.timers?.state?.uptime;
  return {
    settings: { ...settingsOf(wire), ...(extra.bfdSettings !== undefined && { bfd: extra.bfdSettings }) },
    state,
    ...(state === "ESTABLISHED" &&
      uptime !== undefined && { establishedAt: new Date(Number(uptime.seconds) * 1000 + uptime.nanos / 1e6) }),
    // 3.x goes on counting when the session is gone.
    advertised: state === "ESTABLISHED" ? advertisedOf(wire) : 0,
    ...(extra.bfd !== undefined && { bfd: extra.bfd }),
    bfdSupported: extra.bfdSupported ?? false,
    lastError: extra.lastError ?? "",
  };
}

const advertisedOf = ({ afiSafis }: WirePeer): number =>
  afiSafis.reduce((sum, one) => sum + Number(one.state?.advertised ?? 0n), 0);

function settingsOf({ conf, ebgpMultihop, timers, transport, gracefulRestart }: WirePeer): PeerSettings {
  return {
    address: (conf?.neighborAddress ?? "") as IpAddress,
    asn: conf?.peerAsn ?? 0,
    password: conf?.authPassword ?? "",
    multihopTtl: ebgpMultihop?.enabled === true ? ebgpMultihop.multihopTtl : 0,
    restartTimeS: gracefulRestart?.enabled === true ? gracefulRestart.restartTime : 0,
    ...timersOf(timers?.config),
    ...transportOf(transport),
  };
}

const timersOf = (config: WireTimers["config"]) => ({
  holdTimeS: Number(config?.holdTime ?? 0n),
  keepaliveS: Number(config?.keepaliveInterval ?? 0n),
  connectRetryS: Number(config?.connectRetry ?? 0n),
});

const transportOf = (transport: WirePeer["transport"]) => ({
  port: transport?.remotePort || BGP_PORT,
  localAddress: transport?.localAddress ?? "",
  passive: transport?.passiveMode ?? false,
});

/** The same numbers in both generations. */
const SESSION_STATES: readonly SessionState[] = [
  "UNKNOWN",
  "IDLE",
  "CONNECT",
  "ACTIVE",
  "OPEN_SENT",
  "OPEN_CONFIRM",
  "ESTABLISHED",
];
