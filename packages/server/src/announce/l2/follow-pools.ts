import { type IpFamily, rangeBounds } from "@fiberlb/types";

import type { Log } from "../../log.ts";
import type { AnnouncedPool, LinkVips } from "../../vip/link-vips.ts";
import { permitNonlocalBind } from "./nonlocal-bind.ts";

/** Pools, and word of their changes. */
export interface PoolSource {
  all(): Iterable<AnnouncedPool>;
  onChange(listener: () => void): () => void;
}

/**
 * Keeps up with which pools are announced on a link, and prepares the host for their listeners. To be called when pools
 * are known and before listeners are opened. @returns the way to end it
 */
export function followLinkPools(
  pools: PoolSource,
  { linkVips, log, permit = permitNonlocalBind }: FollowOptions,
): () => void {
  const said = new Set<string>();
  const follow = (): void => {
    const all = [...pools.all()];
    for (const reason of permit(familiesOf(all), { log }).values()) {
      if (!said.has(reason)) log.warn("VIPs of the link cannot be served", { reason });
      said.add(reason);
    }
    linkVips.set(all);
  };
  follow();
  return pools.onChange(follow);
}

/** How {@link followLinkPools} works. */
export interface FollowOptions {
  readonly linkVips: LinkVips;
  readonly log: Log;
  /** Default: the real one. */
  readonly permit?: typeof permitNonlocalBind;
}

function familiesOf(pools: readonly AnnouncedPool[]): ReadonlySet<IpFamily> {
  const ranges = pools.filter(({ announce }) => announce?.kind === "L2").flatMap(({ cidrs }) => cidrs);
  return new Set(ranges.map((range) => rangeBounds(range).family));
}
