/**
 * Settings that the API takes and this release's data plane does not act on: never ignored in silence, but an ERROR of the
 * load balancer with the reason. Pure.
 */
import type { Listener, Pool } from "@fiberlb/types";

import type { Problem } from "./snapshot.ts";

/** A load balancer's parts that may ask for too much. */
export interface UnservedSource {
  readonly loadBalancer: { readonly id: string };
  readonly listeners: readonly Listener[];
  readonly pools: readonly Pool[];
}

/** One problem for each setting that is asked for in vain. */
export function unservedSettings({ loadBalancer, listeners, pools }: UnservedSource): readonly Problem[] {
  const { id: loadBalancerId } = loadBalancer;
  const ofListeners = listeners.flatMap((listener) =>
    listenerSettings(listener).map((what) => ({
      loadBalancerId,
      listenerId: listener.id,
      reason: `listener ${listener.name}: ${what} is not served by this release; remove it`,
    })),
  );
  const ofPools = pools.flatMap((pool) =>
    poolSettings(pool).map((what) => ({ loadBalancerId, reason: `pool ${pool.name}: ${what}` })),
  );
  return [...ofListeners, ...ofPools];
}

/** What a protocol cannot have, the API refuses. */
function listenerSettings(listener: Listener): readonly string[] {
  return [
    ...(listener.requestsPerSPerSource > 0 ? ["requests_per_s_per_source"] : []),
    ...(listener.accessLog.format === "OFF" ? [] : ["access_log"]),
  ];
}

function poolSettings(pool: Pool): readonly string[] {
  const release = "is not served by this release; remove it";
  return [
    ...(pool.outlierDetection === undefined ? [] : [`outlier_detection ${release}`]),
    ...(pool.queueTimeoutMs === 0 ? [] : [`queue_timeout_ms ${release}`]),
  ];
}
