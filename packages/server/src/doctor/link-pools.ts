import type { Config } from "../config/config.ts";

/** A VIP pool that the file has announced on a link (l2). */
export interface LinkPool {
  readonly name: string;
  readonly cidrs: readonly string[];
  readonly device: string;
}

/** Those of the file; later the store's pools rule. */
export function linkPools({ vipPools = [] }: Config): readonly LinkPool[] {
  return vipPools.flatMap(({ name, cidrs, announce }) =>
    announce?.kind === "l2" && announce.interface !== undefined ? [{ name, cidrs, device: announce.interface }] : [],
  );
}
