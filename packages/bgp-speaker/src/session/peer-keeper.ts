import type { GobgpApi } from "../gobgp/api.ts";
import { isRefusal, wordsOf } from "../gobgp/fault.ts";
import type { SpeakerLogger } from "../logger.ts";
import type { WantedPeer } from "../peers/check-managed.ts";
import { diffPeers, noPeerChanges } from "../peers/diff.ts";
import { withPasswords } from "../peers/passwords.ts";
import { peerStatuses } from "../peers/peer-statuses.ts";
import type { PeerStatus } from "../status.ts";
import { CALL_TIMEOUT_MS } from "./timing.ts";

/** What a peer keeper works on, and whom it tells. */
export interface PeerKeeperOptions {
  readonly api: GobgpApi;
  /** Absent: peers are only looked at. */
  readonly wanted: readonly WantedPeer[] | undefined;
  readonly logger: SpeakerLogger;
  readonly onStatus: (peers: readonly PeerStatus[]) => void;
}

const LIMITS = { timeoutMs: CALL_TIMEOUT_MS };

/** Makes the daemon's peers the wanted ones, and tells how they do. */
export class PeerKeeper {
  readonly #options: PeerKeeperOptions;

  constructor(options: PeerKeeperOptions) {
    this.#options = options;
  }

  /** Corrects what differs; a peer that can't be made as wanted has the reason in its status. */
  async reconcile(): Promise<void> {
    const { api, wanted, onStatus } = this.#options;
    const held = await api.listPeers(LIMITS);
    if (wanted === undefined) return onStatus(peerStatuses(held));
    const { peers, problems } = await withPasswords(wanted);
    const changes = diffPeers(peers, held, new Set(problems.keys()));
    const refusals = noPeerChanges(changes) ? [] : await this.#correct(changes);
    onStatus(
      peerStatuses(noPeerChanges(changes) ? held : await api.listPeers(LIMITS), {
        wanted: wanted.map(({ settings }) => settings),
        problems: new Map([...problems, ...refusals]),
      }),
    );
  }

  /** @returns what the daemon would not do, by address */
  async #correct({ remove, replace, add }: ReturnType<typeof diffPeers>): Promise<(readonly [string, string])[]> {
    const { api, logger } = this.#options;
    const gone = [...remove, ...replace.map(({ address }) => address)];
    const made = [...replace, ...add];
    const refusals: (readonly [string, string])[] = [];
    const attempt = async (address: string, what: string, call: () => Promise<void>): Promise<void> => {
      try {
        await call();
        logger.info(`BGP peer ${address}: ${what}`);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        refusals.push([address, `GoBGP refused (${what}): ${wordsOf(error)}`]);
      }
    };
    for (const address of gone) await attempt(address, "removed", () => api.deletePeer(address, LIMITS));
    for (const peer of made) await attempt(peer.address, "added", () => api.addPeer(peer, LIMITS));
    return refusals;
  }
}
