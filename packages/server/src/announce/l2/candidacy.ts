import { isStoreError, type LeaseId } from "@fiberlb/store";

import type { Cancel, Clock } from "../../clock.ts";
import { type Claimant, publishClaims } from "./claims.ts";
import type { NodeClaims } from "./ownership-view.ts";

export interface CandidacyOptions {
  readonly clock: Clock;
  /** Who writes, now; undefined: there is no lease to write under. */
  readonly claimant: () => Claimant | undefined;
  /** What is to be said now. */
  readonly claims: () => NodeClaims;
  /** The store does not know this lease. */
  readonly onLost: (lease: LeaseId) => void;
  readonly onError: (error: unknown) => void;
}

/** At most ten writes a second, as with everything that a node says of itself. */
const WRITE_INTERVAL_MS = 100;

/** Tells the other nodes what this one could take, whenever that has changed. */
export class Candidacy {
  readonly #options: CandidacyOptions;
  /** What stands in the store, and under which lease. */
  #said = "";
  #isWriting = false;
  #timer: Cancel | undefined;
  #isStopped = false;

  constructor(options: CandidacyOptions) {
    this.#options = options;
  }

  /** It may have changed, or the lease has. */
  update(): void {
    if (this.#isWriting || this.#isStopped || this.#timer !== undefined) return;
    const claimant = this.#options.claimant();
    if (claimant === undefined) return;
    const claims = this.#options.claims();
    const saying = JSON.stringify([claimant.lease, claims]);
    if (saying === this.#said) return;
    this.#isWriting = true;
    void this.#write(claimant, claims, saying);
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.();
  }

  async #write(claimant: Claimant, claims: NodeClaims, saying: string): Promise<void> {
    try {
      await publishClaims(claimant, claims);
      this.#said = saying;
    } catch (error) {
      if (isStoreError(error, "LEASE_NOT_FOUND")) this.#options.onLost(claimant.lease);
      else if (!isStoreError(error, "CLOSED")) this.#options.onError(error);
    }
    this.#isWriting = false;
    if (this.#isStopped) return;
    this.#timer = this.#options.clock.after(WRITE_INTERVAL_MS, () => {
      this.#timer = undefined;
      this.update();
    });
  }
}
