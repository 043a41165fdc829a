import type { ConnectRouter } from "@connectrpc/connect";
import { DeploymentService } from "@fiberlb/api/k8shost";

import { DEPLOYMENTS } from "../objects/kinds.ts";
import { callerOf } from "./caller.ts";
import type { ApiParts } from "./parts.ts";
import { listObjects, watchObjects } from "./reads.ts";

/** DeploymentService. */
export const deploymentRoutes =
  ({ deployments, ...reads }: ApiParts) =>
  (router: ConnectRouter): void => {
    router.service(DeploymentService, {
      createDeployment: async ({ deployment }, context) => ({
        deployment: await deployments.create(deployment, callerOf(context)),
      }),
      getDeployment: async (place, context) => ({
        deployment: await deployments.get({ ...callerOf(context), ...place }),
      }),
      async listDeployments(request, context) {
        const { objects, ...page } = await listObjects(DEPLOYMENTS, request, { ...reads, context });
        return { deployments: objects, ...page };
      },
      updateDeployment: async ({ deployment, updateMask }, context) => ({
        deployment: await deployments.update(deployment, { owner: callerOf(context), mask: updateMask?.paths ?? [] }),
      }),
      async deleteDeployment({ namespace, name, uid }, context) {
        await deployments.remove({ ...callerOf(context), namespace, name }, { uid });
        return {};
      },
      async *watchDeployments(request, context) {
        for await (const { object: deployment, ...event } of watchObjects(DEPLOYMENTS, request, { ...reads, context }))
          yield { ...event, ...(deployment !== undefined && { deployment }) };
      },
    });
  };
