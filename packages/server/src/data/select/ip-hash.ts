import { sourceHash } from "./flow-hash.ts";
import { rendezvous } from "./rendezvous.ts";
import type { Selector } from "./selector.ts";

/**
 * A client's address always leads to the same backend while that one is usable, on every worker and node. A backend
 * that goes takes only its own clients with it.
 */
export function ipHash(): Selector {
  return rendezvous(sourceHash(0));
}
