import type { Problem, Unit } from "../../snapshot/snapshot.ts";
import { compileRoutes } from "./router.ts";

/** Policies of a load balancer that can't be carried out and so take no request. */
export function routeProblems({ loadBalancerId, listeners }: Unit): readonly Problem[] {
  return listeners.flatMap(({ id, http, sniPolicies }) =>
    compileRoutes(http?.policies ?? sniPolicies ?? []).problems.map(({ reason }) => ({
      loadBalancerId,
      listenerId: id,
      reason,
    })),
  );
}
