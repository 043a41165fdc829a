import { createClient, createRouterTransport } from "@connectrpc/connect";
import { DeploymentService, type K8shostClient, NodeService, PodService, ServiceService } from "@fiberlb/api/k8shost";

import { openAuthenticator } from "../auth/authenticator.ts";
import { callerInterceptor } from "./caller.ts";
import { errorInterceptor, type OnUnexpected } from "./errors.ts";
import type { ApiParts } from "./parts.ts";
import { apiRoutes } from "./routes.ts";

/** The same services, rules and errors as over the network, without one: calls go straight to the handlers. */
export function createEmbeddedClient(parts: ApiParts, onUnexpected: OnUnexpected): K8shostClient {
  const interceptors = [errorInterceptor(onUnexpected), callerInterceptor(openAuthenticator, new Set())];
  const transport = createRouterTransport(apiRoutes(parts), { router: { interceptors } });
  return {
    pods: createClient(PodService, transport),
    services: createClient(ServiceService, transport),
    nodes: createClient(NodeService, transport),
    deployments: createClient(DeploymentService, transport),
    close: () => undefined,
  };
}
