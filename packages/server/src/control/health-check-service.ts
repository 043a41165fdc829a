import type { ServiceImpl } from "@connectrpc/connect";
import type { HealthCheckService } from "@fiberlb/api";
import type { Violation } from "@fiberlb/types";

import type { Stored } from "../repository/entity-reader.ts";
import { createCrud, type RuleInput } from "./crud.ts";
import { healthCheckFits } from "./fits.ts";
import type { ServiceOptions } from "./service-options.ts";

export function healthCheckService(options: ServiceOptions): ServiceImpl<typeof HealthCheckService> {
  const rules = async ({ wanted, parent }: RuleInput<"healthCheck">): Promise<Violation[]> =>
    healthCheckFits(wanted, (parent as Stored<"pool">).entity);
  const crud = createCrud({ kind: "healthCheck", plural: "healthChecks", rules }, options);
  return {
    createHealthCheck: crud.create,
    getHealthCheck: crud.get,
    listHealthChecks: crud.list,
    updateHealthCheck: crud.update,
    deleteHealthCheck: crud.delete,
  };
}
