import type { HeldPeer } from "../gobgp/api.ts";

/** So many looks, a second apart, with BFD up and no session. */
const LOOKS = 10;
/** After starting a peer anew, so many more. */
const PATIENCE = 20;

/**
 * Finds peers that are caught in their own resets. When BFD fails while there is no session, GoBGP 4.8 resets the next one as
 * soon as it is up; a router that ends BFD with each session makes that go on for ever. Starting the peer anew ends it.
 */
export class StuckPeers {
  /** Looks with BFD up, less those with BFD down, since a session was lost; by address. */
  readonly #looks = new Map<string, number>();

  /** To be called once a second while sessions are down. @returns addresses of peers to start anew */
  observe(peers: readonly HeldPeer[]): ReadonlySet<string> {
    const stuck = new Set<string>();
    for (const { settings, state, bfd } of peers) {
      const { address } = settings;
      if (settings.bfd === undefined) continue;
      if (state === "ESTABLISHED") this.#looks.set(address, 0);
      const looks = this.#looks.get(address);
      if (looks === undefined || state === "ESTABLISHED") continue; // it was never up: something else is wrong
      const now = bfd === "UP" ? looks + 1 : Math.max(Math.min(looks, 0), looks - 1);
      if (now >= LOOKS) stuck.add(address);
      this.#looks.set(address, now >= LOOKS ? -PATIENCE : now);
    }
    return stuck;
  }
}
