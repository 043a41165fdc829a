import type { ConnectRouter } from "@connectrpc/connect";
import { PodService } from "@fiberlb/api/k8shost";

import { PODS } from "../objects/kinds.ts";
import { callerOf } from "./caller.ts";
import type { ApiParts } from "./parts.ts";
import { listObjects, watchObjects } from "./reads.ts";

/** PodService. */
export const podRoutes =
  ({ pods, ...reads }: ApiParts) =>
  (router: ConnectRouter): void => {
    router.service(PodService, {
      createPod: async ({ pod }, context) => ({ pod: await pods.create(pod, callerOf(context)) }),
      getPod: async (place, context) => ({ pod: await pods.get({ ...callerOf(context), ...place }) }),
      async listPods(request, context) {
        const { objects, ...page } = await listObjects(PODS, request, { ...reads, context });
        return { pods: objects, ...page };
      },
      updatePod: async ({ pod, updateMask }, context) => ({
        pod: await pods.update(pod, { owner: callerOf(context), mask: updateMask?.paths ?? [] }),
      }),
      async deletePod({ namespace, name, gracePeriodS, uid }, context) {
        await pods.remove(
          { ...callerOf(context), namespace, name },
          {
            uid,
            // What was asked for last holds: an agent that is done says 0.
            edit: ({ spec }) => {
              if (spec !== undefined && gracePeriodS !== undefined) spec.terminationGracePeriodS = gracePeriodS;
            },
          },
        );
        return {};
      },
      async *watchPods(request, context) {
        for await (const { object: pod, ...event } of watchObjects(PODS, request, { ...reads, context }))
          yield { ...event, ...(pod !== undefined && { pod }) };
      },
    });
  };
