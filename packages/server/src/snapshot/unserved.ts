/**
 * Settings that the API takes and this release's data plane does not act on: never ignored in silence, but an ERROR of the
 * load balancer with the reason. Pure.
 */
import type { Listener } from "@fiberlb/types";

import type { Problem } from "./snapshot.ts";

/** A load balancer's parts that may ask for too much. */
export interface UnservedSource {
  readonly loadBalancer: { readonly id: string };
  readonly listeners: readonly Listener[];
}

/** One problem for each setting that is asked for in vain. */
export function unservedSettings({ loadBalancer, listeners }: UnservedSource): readonly Problem[] {
  const { id: loadBalancerId } = loadBalancer;
  return listeners.flatMap((listener) =>
    listenerSettings(listener).map((what) => ({
      loadBalancerId,
      listenerId: listener.id,
      reason: `listener ${listener.name}: ${what} is not served by this release; remove it`,
    })),
  );
}

/** What a protocol cannot have, the API refuses. */
function listenerSettings(listener: Listener): readonly string[] {
  return listener.accessLog.format === "OFF" ? [] : ["access_log"];
}
