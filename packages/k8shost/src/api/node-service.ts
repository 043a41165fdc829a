import type { ConnectRouter } from "@connectrpc/connect";
import { NodeService } from "@fiberlb/api/k8shost";

import { metaOf, NODES } from "../objects/kinds.ts";
import { heartbeat, registerNode } from "../objects/nodes.ts";
import { requireAdmin } from "./caller.ts";
import type { ApiParts } from "./parts.ts";
import { listObjects } from "./reads.ts";

/** NodeService; admin only. */
export const nodeRoutes =
  ({ nodes, requestedOn, ...reads }: ApiParts) =>
  (router: ConnectRouter): void => {
    router.service(NodeService, {
      async registerNode({ node }, context) {
        requireAdmin(context);
        return { node: await registerNode(nodes, node, reads.clock.epochMs()) };
      },
      async heartbeat({ name, conditions }, context) {
        requireAdmin(context);
        await heartbeat(nodes, { name, conditions }, reads.clock.epochMs());
        return {};
      },
      async listNodes(request, context) {
        requireAdmin(context);
        const { objects, ...page } = await listObjects(NODES, request, { ...reads, context });
        for (const node of objects)
          if (node.status !== undefined) node.status.requested = requestedOn(metaOf(node).name);
        return { nodes: objects, ...page };
      },
    });
  };
