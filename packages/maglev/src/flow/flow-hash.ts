import { jhash } from "../hash/jhash.ts";
import { encodeFiveTupleInto, encodeSourceInto, MAX_FLOW_KEY_BYTES } from "./flow-key.ts";
import type { Flow } from "./flow-key.ts";

/** Options of {@link FlowHash}. */
export interface FlowHashOptions {
  /** Unsigned 32-bit seed, the `seed` of the nft expression; default 0. */
  readonly seed?: number;
}

/**
 * Hashes flows as the kernel's `jhash … seed S` does, without allocating: one instance a thread and pool. Pass the
 * result to `table.lookup`, and user space picks the slot that nftables picks.
 */
export class FlowHash {
  /** Unsigned 32-bit seed. */
  readonly seed: number;
  readonly #key = new Uint8Array(MAX_FLOW_KEY_BYTES);

  /** @throws RangeError if the seed is no unsigned 32-bit integer */
  constructor({ seed = 0 }: FlowHashOptions = {}) {
    if (!Number.isInteger(seed) || seed < 0 || seed > 0xffff_ffff) {
      throw new RangeError(`Cannot hash flows with seed ${seed}: a seed is a whole number from 0 to 4294967295`);
    }
    this.seed = seed;
  }

  /** Hash of addresses and ports (and the protocol, if given); see {@link encodeFiveTupleInto}. */
  fiveTuple(flow: Flow): number {
    return jhash(this.#key, this.seed, encodeFiveTupleInto(flow, this.#key));
  }

  /** Hash of the client's address alone: all its connections go to one backend. */
  source(sourceAddress: string): number {
    return jhash(this.#key, this.seed, encodeSourceInto(sourceAddress, this.#key));
  }
}
