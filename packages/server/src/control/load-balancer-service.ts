import type { ServiceImpl } from "@connectrpc/connect";
import { type LoadBalancerService, LoadBalancerStatusSchema, toMessage } from "@fiberlb/api";
import { invalid, labelOf, notFound } from "@fiberlb/types";

import type { TreeAddress } from "../repository/tree.ts";
import { tenantOf } from "./auth/tenant.ts";
import { createCrud } from "./crud.ts";
import { idViolations } from "./request-checks.ts";
import type { ServiceOptions } from "./service-options.ts";
import { statusTree } from "./status/status-message.ts";

export function loadBalancerService(options: ServiceOptions): ServiceImpl<typeof LoadBalancerService> {
  const { repository, presenter, traffic } = options;
  const crud = createCrud({ kind: "loadBalancer", plural: "loadBalancers" }, options);
  const locate = async (id: string, context: Parameters<typeof tenantOf>[0]): Promise<TreeAddress> => {
    const violations = idViolations("id", id);
    if (violations.length > 0) throw invalid(violations);
    const { tenant, location } = await repository.get(tenantOf(context), "loadBalancer", id.toLowerCase());
    return { tenant, loadBalancerId: location.id };
  };
  const gone = (id: string) => notFound(labelOf("loadBalancer"), id);
  return {
    createLoadBalancer: crud.create,
    getLoadBalancer: crud.get,
    listLoadBalancers: crud.list,
    updateLoadBalancer: crud.update,
    deleteLoadBalancer: crud.delete,
    async getLoadBalancerStatus({ id }, context) {
      const [found] = await presenter.trees([await locate(id, context)]);
      if (found === undefined) throw gone(id);
      return { loadBalancer: toMessage(LoadBalancerStatusSchema, statusTree(found.observed.tree, found.status)) };
    },
    async getLoadBalancerStats({ id }, context) {
      const tree = await repository.readTree(await locate(id, context));
      if (tree === undefined) throw gone(id);
      await traffic.refreshFigures?.();
      const figures = tree.listeners.map((listener) => traffic.listenerFigures(listener.id));
      const sum = (pick: (one: (typeof figures)[number]) => number): bigint =>
        BigInt(figures.reduce((total, one) => total + pick(one), 0));
      return {
        stats: {
          bytesIn: sum(({ bytesIn }) => bytesIn),
          bytesOut: sum(({ bytesOut }) => bytesOut),
          activeConnections: sum(({ connectionsActive }) => connectionsActive),
          totalConnections: sum(({ connectionsTotal }) => connectionsTotal),
          requestErrors: sum(({ rejected }) => Object.values(rejected).reduce((a, b) => a + b, 0)),
        },
      };
    },
  };
}
