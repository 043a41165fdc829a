import { type IpFamily, rangeBounds } from "@fiberlb/types";

import type { Log } from "../../log.ts";
import type { AnnouncedPool, LinkVips } from "../../vip/link-vips.ts";
import type { LinkPoolFile } from "./link-pool-file.ts";
import { permitNonlocalBind } from "./nonlocal-bind.ts";

/** Pools, and word of their changes. */
export interface PoolSource {
  /** None: the store could not be read so far. */
  all(): Iterable<AnnouncedPool>;
  onChange(listener: () => void): () => void;
}

/** How {@link followLinkPools} works. */
export interface FollowOptions {
  readonly linkVips: LinkVips;
  /** Of the configuration: what counts while nothing better is known. */
  readonly configured: readonly AnnouncedPool[];
  /** What was so last; absent: nothing is remembered. */
  readonly file?: LinkPoolFile;
  readonly log: Log;
  /** Default: the real one. */
  readonly permit?: typeof permitNonlocalBind;
}

/**
 * Keeps up with which pools are announced on a link, and prepares the host for their listeners. To be called before
 * listeners are opened and VIPs put on `lo`: also when the store is away, no other node's VIP may get there.
 * @returns the way to end it
 */
export function followLinkPools(pools: PoolSource, options: FollowOptions): () => void {
  const { linkVips, configured, file, log, permit = permitNonlocalBind } = options;
  const said = new Set<string>();
  let written: string | undefined;
  const remember = (onLink: readonly AnnouncedPool[]): void => {
    const text = JSON.stringify(onLink);
    if (text !== written) file?.write(onLink);
    written = text;
  };
  const follow = (): void => {
    const stored = [...pools.all()];
    const onLink = linkPoolsOf(stored.length > 0 ? stored : (file?.read() ?? configured));
    if (stored.length > 0) remember(onLink);
    for (const reason of permit(familiesOf(onLink), { log }).values()) {
      if (!said.has(reason)) log.warn("VIPs of the link cannot be served", { reason });
      said.add(reason);
    }
    linkVips.set(onLink);
  };
  follow();
  return pools.onChange(follow);
}

const linkPoolsOf = (pools: readonly AnnouncedPool[]): readonly AnnouncedPool[] =>
  pools.flatMap(({ cidrs, announce }) => (announce?.kind === "L2" ? [{ cidrs, announce }] : []));

const familiesOf = (pools: readonly AnnouncedPool[]): ReadonlySet<IpFamily> =>
  new Set(pools.flatMap(({ cidrs }) => cidrs.map((range) => rangeBounds(range).family)));
