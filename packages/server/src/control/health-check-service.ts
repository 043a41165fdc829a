import type { ServiceImpl } from "@connectrpc/connect";
import type { HealthCheckService } from "@fiberlb/api";

import { createCrud } from "./crud.ts";
import type { ServiceOptions } from "./service-options.ts";

export function healthCheckService(options: ServiceOptions): ServiceImpl<typeof HealthCheckService> {
  const crud = createCrud({ kind: "healthCheck", plural: "healthChecks" }, options);
  return {
    createHealthCheck: crud.create,
    getHealthCheck: crud.get,
    listHealthChecks: crud.list,
    updateHealthCheck: crud.update,
    deleteHealthCheck: crud.delete,
  };
}
