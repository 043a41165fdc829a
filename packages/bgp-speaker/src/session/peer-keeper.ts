import type { GobgpApi } from "../gobgp/api.ts";
import { isRefusal, wordsOf } from "../gobgp/fault.ts";
import type { SpeakerLogger } from "../logger.ts";
import type { WantedPeer } from "../peers/check-managed.ts";
import { diffPeers, noPeerChanges } from "../peers/diff.ts";
import { withPasswords } from "../peers/passwords.ts";
import { peerStatuses } from "../peers/peer-statuses.ts";
import { StuckPeers } from "../peers/stuck-peers.ts";
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
  readonly #stuck = new StuckPeers();

  constructor(options: PeerKeeperOptions) {
    this.#options = options;
  }

  /**
   * Corrects what differs; a peer that can't be made as wanted has the reason in its status.
   * @returns whether all is well: each session established, and with BFD where it is wanted
   */
  async reconcile(): Promise<boolean> {
    const peers = await this.#look();
    this.#options.onStatus(peers);
    return peers.every(
      ({ state, bfd = "UP", problem }) => state === "ESTABLISHED" && bfd === "UP" && problem === undefined,
    );
  }

  async #look(): Promise<PeerStatus[]> {
    const { api, wanted } = this.#options;
    const held = await api.listPeers(LIMITS);
    if (wanted === undefined) return peerStatuses(held);
    const { peers, problems } = await withPasswords(wanted);
    const renew = this.#stuck.observe(held);
    const changes = diffPeers(peers, held, { leave: new Set(problems.keys()), renew });
    const refusals = noPeerChanges(changes) ? [] : await this.#correct(changes);
    return peerStatuses(noPeerChanges(changes) ? held : await api.listPeers(LIMITS), {
      wanted: wanted.map(({ settings }) => settings),
      problems: new Map([...problems, ...refusals]),
    });
  }

  /** @returns what the daemon would not do, by address */
  async #correct({ remove, replace, add }: ReturnType<typeof diffPeers>): Promise<(readonly [string, string])[]> {
    const { api, logger } = this.#options;
    const gone = [...remove, ...replace.map(({ address }) => address)];
    const made = [...replace, ...add];
    const refusals: (readonly [string, string])[] = [];
    const attempt = async (what: "add" | "remove", address: string, call: () => Promise<void>): Promise<void> => {
      try {
        await call();
        logger.info(`BGP peer ${address}: ${what === "add" ? "added" : "removed"}`);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        refusals.push([address, `GoBGP refused to ${what} it: ${wordsOf(error)}`]);
      }
    };
    for (const address of gone) await attempt("remove", address, () => api.deletePeer(address, LIMITS));
    for (const peer of made) await attempt("add", peer.address, () => api.addPeer(peer, LIMITS));
    return refusals;
  }
}
