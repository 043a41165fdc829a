import type { HeldPeer, PeerSettings } from "../gobgp/api.ts";

/** What makes the daemon's peers the wanted ones. */
export interface PeerChanges {
  readonly remove: readonly string[];
  /** Removed and added again: all that can be set is said when a session opens, so each change costs the session anyway. */
  readonly replace: readonly PeerSettings[];
  readonly add: readonly PeerSettings[];
}

/** Peers to treat otherwise, by address. */
export interface PeerExceptions {
  /** Neither removed nor changed. */
  readonly leave?: ReadonlySet<string>;
  /** Replaced even when they are as wanted. */
  readonly renew?: ReadonlySet<string>;
}

/** Compares what is wanted with what the daemon has. */
export function diffPeers(
  wanted: readonly PeerSettings[],
  held: readonly HeldPeer[],
  { leave = NONE, renew = NONE }: PeerExceptions = {},
): PeerChanges {
  const byAddress = new Map(held.map((peer) => [peer.settings.address as string, peer]));
  const addresses = new Set<string>(wanted.map(({ address }) => address));
  return {
    remove: [...byAddress.keys()].filter((address) => !addresses.has(address) && !leave.has(address)),
    replace: wanted.filter((peer) => {
      const now = byAddress.get(peer.address);
      return now !== undefined && (renew.has(peer.address) || !isAs(peer, now));
    }),
    add: wanted.filter(({ address }) => !byAddress.has(address)),
  };
}

const NONE: ReadonlySet<string> = new Set();

const COMPARED = [
  "asn",
  "port",
  "password",
  "holdTimeS",
  "keepaliveS",
  "connectRetryS",
  "multihopTtl",
  "passive",
  "restartTimeS",
] as const satisfies readonly (keyof PeerSettings)[];

function isAs(wanted: PeerSettings, { settings, bfdSupported }: HeldPeer): boolean {
  return (
    COMPARED.every((name) => wanted[name] === settings[name]) &&
    // Where the system chooses, the daemon may show what it chose.
    (wanted.localAddress === "" || wanted.localAddress === settings.localAddress) &&
    (!bfdSupported || sameBfd(wanted, settings))
  );
}

const sameBfd = ({ bfd: wanted }: PeerSettings, { bfd: held }: PeerSettings): boolean =>
  wanted?.intervalUs === held?.intervalUs && wanted?.multiplier === held?.multiplier;

/** Whether there is nothing to do. */
export const noPeerChanges = ({ remove, replace, add }: PeerChanges): boolean =>
  remove.length + replace.length + add.length === 0;
