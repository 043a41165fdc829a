import { absent, put, read, type Store } from "@fiberlb/store";

import { decodeJson, encodeJson } from "./codec.ts";
import { CLUSTER_KEY_KEY } from "./keys.ts";

/** Whose key seals the cluster's secrets. */
export interface KeyClaim {
  /** Names the key without giving it away. */
  readonly fingerprint: string;
  /** The node that came first. */
  readonly node: string;
}

/**
 * Sees to it that all nodes of a cluster have one key: the first node leaves its fingerprint in the store.
 *
 * @throws Error that names both keys and says what to do, when this node's is another one.
 */
export async function claimClusterKey(
  store: Store,
  own: KeyClaim & { /** For the message: where this node's key is from. */ readonly keyFile: string },
): Promise<void> {
  const { keyFile, ...claim } = own;
  const { succeeded, results } = await store.txn({
    compare: [absent(CLUSTER_KEY_KEY)],
    success: [put(CLUSTER_KEY_KEY, encodeJson(claim))],
    failure: [read(CLUSTER_KEY_KEY)],
  });
  const [found] = results;
  if (succeeded || found?.type !== "get" || found.kv === undefined) return;
  const first = decodeJson(found.kv.value) as KeyClaim;
  if (first.fingerprint === own.fingerprint) return;
  throw new Error(
    `Cannot join the cluster: secrets.keyFile ${keyFile} holds key ${own.fingerprint}, and the cluster's secrets are sealed with key ${first.fingerprint} (of node ${first.node}); copy that node's key file`,
  );
}
