import type { HeldPeer, PeerSettings } from "../gobgp/api.ts";
import type { PeerStatus } from "../status.ts";

/** What peers should be, and what stood in the way. */
export interface PeerWishes {
  readonly wanted: readonly Omit<PeerSettings, "password">[];
  /** By address. */
  readonly problems: ReadonlyMap<string, string>;
}

/** Held peers as they are, and wanted ones that are not there, in order of their addresses' text. */
export function peerStatuses(
  held: readonly HeldPeer[],
  { wanted, problems }: PeerWishes = { wanted: [], problems: new Map() },
): PeerStatus[] {
  const wishes = new Map(wanted.map((peer) => [peer.address, peer]));
  const there = held.map((peer) => {
    const { address } = peer.settings;
    return statusOf(peer, problems.get(address) ?? bfdProblem(peer, wishes.get(address)));
  });
  const addresses = new Set(there.map(({ address }) => address));
  const missing = wanted
    .filter(({ address }) => !addresses.has(address))
    .map(({ address, asn }) => withProblem({ address, asn, state: "IDLE", advertised: 0 }, problems.get(address)));
  return [...there, ...missing].toSorted((a, b) => (a.address < b.address ? -1 : 1));
}

function statusOf({ settings, state, establishedAt, advertised, bfd, lastError }: HeldPeer, problem?: string) {
  return withProblem(
    {
      address: settings.address,
      asn: settings.asn,
      state,
      ...(establishedAt !== undefined && { establishedAt }),
      advertised,
      ...(bfd !== undefined && { bfd }),
      ...(lastError !== "" && { lastError }),
    },
    problem,
  );
}

const withProblem = (status: PeerStatus, problem: string | undefined): PeerStatus =>
  problem === undefined ? status : { ...status, problem };

const bfdProblem = ({ bfdSupported }: HeldPeer, wish: Pick<PeerSettings, "bfd"> | undefined): string | undefined =>
  wish?.bfd !== undefined && !bfdSupported
    ? "no BFD: this GoBGP does not have it, 4.5 and newer do; a dead path is noticed after the hold time"
    : undefined;
