/**
 * The transactions by which VIPs of the link change hands. All are compare-and-swap: of two nodes that claim, one gets it.
 */
import { absent, type Compare, type LeaseId, type Op, put, remove, type Store, unchanged } from "@fiberlb/store";
import type { IpAddress } from "@fiberlb/types";

import { encodeJson } from "../../repository/codec.ts";
import { l2NodeKey, l2OwnerKey } from "../../repository/keys.ts";
import type { NodeClaims, OwnerRecord } from "./ownership-view.ts";

/** Who writes, and under which lease. */
export interface Claimant {
  readonly store: Store;
  readonly node: string;
  readonly lease: LeaseId;
}

/** VIPs that are given back in one transaction; each takes a comparison and an operation of etcd's 128. */
const RELEASES_PER_WRITE = 60;

/**
 * Makes a VIP this node's, when nobody has it, or when it stands as it was seen in `over`.
 * @returns what stands there now, or undefined when another node was faster
 */
export async function claimVip(
  { store, node, lease }: Claimant,
  vip: string,
  over: OwnerRecord | undefined,
): Promise<OwnerRecord | undefined> {
  const key = l2OwnerKey(vip as IpAddress);
  const { succeeded, revision } = await store.txn({
    compare: [over === undefined ? absent(key) : unchanged(key, over.modRevision)],
    success: [put(key, encodeJson({ node }), { lease })],
  });
  return succeeded ? { node, isReleased: false, lease, modRevision: revision } : undefined;
}

/** A VIP to give back. */
export interface Release {
  readonly vip: string;
  /** Nobody wants it any more. */
  readonly isGone: boolean;
}

/**
 * Gives VIPs back. Their addresses have to be off the link before: who sees this acts at once. One that is not this
 * lease's any more is left alone.
 * @returns by VIP, what stands there now; without those that were left alone
 */
export async function releaseVips(
  claimant: Claimant,
  releases: readonly Release[],
): Promise<ReadonlyMap<string, OwnerRecord>> {
  const released = new Map<string, OwnerRecord>();
  const write = async (some: readonly Release[]): Promise<boolean> => {
    const revision = await releaseTogether(claimant, some);
    if (revision === undefined) return false;
    const { node, lease } = claimant;
    for (const { vip } of some) released.set(vip, { node, isReleased: true, lease, modRevision: revision });
    return true;
  };
  for (let at = 0; at < releases.length; at += RELEASES_PER_WRITE) {
    const some = releases.slice(at, at + RELEASES_PER_WRITE);
    if (await write(some)) continue;
    for (const one of some) await write([one]);
  }
  return released;
}

/** @returns the revision, or undefined when one of them is not this lease's. */
async function releaseTogether(
  { store, node, lease }: Claimant,
  releases: readonly Release[],
): Promise<number | undefined> {
  const compare = releases.map(({ vip }): Compare => ({
    key: l2OwnerKey(vip as IpAddress),
    target: "lease",
    is: "=",
    to: lease,
  }));
  const success = releases.map(({ vip, isGone }): Op => {
    const key = l2OwnerKey(vip as IpAddress);
    return isGone ? remove(key) : put(key, encodeJson({ node, released: true }), { lease });
  });
  const { succeeded, revision } = await store.txn({ compare, success });
  return succeeded ? revision : undefined;
}

/** Tells the other nodes what this one could take. */
export async function publishClaims({ store, node, lease }: Claimant, claims: NodeClaims): Promise<void> {
  await store.txn({ success: [put(l2NodeKey(node), encodeJson(claims), { lease })] });
}
