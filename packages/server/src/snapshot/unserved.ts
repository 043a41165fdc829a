/**
 * Settings that the API takes and this release's data plane does not act on: never ignored in silence, but an ERROR of the
 * load balancer with the reason. Pure.
 */
import type { L7Policy, Listener, Pool } from "@fiberlb/types";

import type { Problem } from "./snapshot.ts";

/** A load balancer's parts that may ask for too much. */
export interface UnservedSource {
  readonly loadBalancer: { readonly id: string };
  readonly listeners: readonly Listener[];
  readonly pools: readonly Pool[];
  readonly l7Policies: readonly L7Policy[];
}

/** One problem for each setting that is asked for in vain. */
export function unservedSettings({ loadBalancer, listeners, pools, l7Policies }: UnservedSource): readonly Problem[] {
  const { id: loadBalancerId } = loadBalancer;
  const ofListeners = listeners.flatMap((listener) =>
    listenerSettings(listener, l7Policies).map((what) => ({
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
function listenerSettings(listener: Listener, policies: readonly L7Policy[]): readonly string[] {
  const hasPolicies = policies.some((policy) => policy.listenerId === listener.id && policy.adminStateUp);
  return [
    ...(listener.acceptProxyProtocol ? ["accept_proxy_protocol"] : []),
    ...(listener.accessLog.format === "OFF" ? [] : ["access_log"]),
    ...(listener.protocol === "TCP" && hasPolicies ? ["routing by SNI"] : []),
  ];
}

function poolSettings(pool: Pool): readonly string[] {
  const release = "is not served by this release; remove it";
  return [
    ...(pool.forwarding === "NAT_MASQUERADE"
      ? []
      : [
          `forwarding ${pool.forwarding} needs the kernel driver, which this release does not have; use NAT_MASQUERADE`,
        ]),
    ...(pool.sendProxyProtocol === "NONE" ? [] : [`send_proxy_protocol ${release}`]),
  ];
}
