import type { ConnectRouter } from "@connectrpc/connect";

import { deploymentRoutes } from "./deployment-service.ts";
import { nodeRoutes } from "./node-service.ts";
import type { ApiParts } from "./parts.ts";
import { podRoutes } from "./pod-service.ts";
import { serviceRoutes } from "./service-service.ts";

/** All services of `k8shost.v1`. */
export const apiRoutes =
  (parts: ApiParts) =>
  (router: ConnectRouter): void => {
    for (const routes of [podRoutes, serviceRoutes, nodeRoutes, deploymentRoutes]) routes(parts)(router);
  };
