import type { ConnectRouter } from "@connectrpc/connect";
import { ServiceService } from "@fiberlb/api/k8shost";

import { SERVICES } from "../objects/kinds.ts";
import { callerOf } from "./caller.ts";
import type { ApiParts } from "./parts.ts";
import { listObjects, watchObjects } from "./reads.ts";

/** ServiceService. */
export const serviceRoutes =
  ({ services, ...reads }: ApiParts) =>
  (router: ConnectRouter): void => {
    router.service(ServiceService, {
      createService: async ({ service }, context) => ({ service: await services.create(service, callerOf(context)) }),
      getService: async (place, context) => ({ service: await services.get({ ...callerOf(context), ...place }) }),
      async listServices(request, context) {
        const { objects, ...page } = await listObjects(SERVICES, request, { ...reads, context });
        return { services: objects, ...page };
      },
      updateService: async ({ service, updateMask }, context) => ({
        service: await services.update(service, { owner: callerOf(context), mask: updateMask?.paths ?? [] }),
      }),
      async deleteService({ namespace, name, uid }, context) {
        await services.remove({ ...callerOf(context), namespace, name }, { uid });
        return {};
      },
      async *watchServices(request, context) {
        for await (const { object: service, ...event } of watchObjects(SERVICES, request, { ...reads, context }))
          yield { ...event, ...(service !== undefined && { service }) };
      },
    });
  };
