import type { GuardedRoute } from "../bgp/route-set.ts";

/** Watches over routes from outside of this process, and withdraws them when it dies without a word. */
export interface RouteGuard {
  /** Exactly these are announced from now on. */
  hold(routes: readonly GuardedRoute[]): void;
  /** Nobody need watch any more: all is withdrawn, or another process goes on with it. */
  release(): Promise<void>;
}
