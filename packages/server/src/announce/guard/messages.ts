import type { SpeakerTls } from "@fiberlb/bgp-speaker";

import type { GuardedRoute } from "../bgp/route-set.ts";

/** What a guard has to know, said once, over the pipe: key material must not stand among a process's arguments. */
export interface GuardOrders {
  readonly kind: "orders";
  readonly gobgp: string;
  readonly tls?: SpeakerTls;
  /** How long routes to what the kernel forwards stay when nobody watches backends any more. */
  readonly orphanTimeoutMs: number;
  /**
   * Where the process that follows asks this guard to leave. Absent: none could, and the guard must not act later than at
   * once.
   */
  readonly socketPath?: string;
}

/** From the process that is watched to its guard, a line each. The end of the pipe without a goodbye: it is dead. */
export type ToGuard =
  | GuardOrders
  /** Exactly these are announced. */
  | { readonly kind: "routes"; readonly routes: readonly GuardedRoute[] }
  /** All is withdrawn, or another process goes on with it. */
  | { readonly kind: "goodbye" };
