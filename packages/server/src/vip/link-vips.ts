import { type IpAddress, rangeMatcher, type VipPool } from "@fiberlb/types";

import type { VipBinder } from "./binder.ts";

/** What of a pool matters here. */
export type AnnouncedPool = Pick<VipPool, "cidrs" | "announce">;

/**
 * Which addresses are VIPs of the link (`announce.kind: l2`). Such a VIP is on the interface of one node, and on `lo` of
 * none: a host answers ARP for whatever address it has, wherever that is.
 */
export class LinkVips {
  #isInPool: (address: IpAddress) => boolean = () => false;
  readonly #listeners = new Set<() => void>();

  /** All pools, as they are now. */
  set(pools: Iterable<AnnouncedPool>): void {
    const ranges = [...pools].filter(({ announce }) => announce?.kind === "L2").flatMap(({ cidrs }) => cidrs);
    this.#isInPool = rangeMatcher(ranges);
    for (const listener of this.#listeners) listener();
  }

  has(address: string): boolean {
    return this.#isInPool(address as IpAddress);
  }

  /** @returns the way to unsubscribe */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** A binder that leaves VIPs of the link alone, and gives those back that have become such. */
export function sparingLinkVips(binder: VipBinder, linkVips: LinkVips): VipBinder {
  let last: ReadonlySet<string> | undefined;
  const apply = (desired: ReadonlySet<string>): ReturnType<VipBinder["apply"]> => {
    last = desired;
    return binder.apply(new Set([...desired].filter((vip) => !linkVips.has(vip))));
  };
  // What fails is in the log, and tried again with the next configuration.
  linkVips.onChange(() => last !== undefined && void apply(last));
  return { apply };
}
