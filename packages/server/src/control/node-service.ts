import type { ServiceImpl } from "@connectrpc/connect";
import { NodeSchema, type NodeService, toMessage } from "@fiberlb/api";
import { invalid, notFound } from "@fiberlb/types";

import { requireAdmin } from "./auth/tenant.ts";
import { unimplemented } from "./errors.ts";
import { decodeNamePageToken, encodeNamePageToken, pageSizeOf } from "./paging.ts";
import { listViolations } from "./request-checks.ts";
import type { ServiceOptions } from "./service-options.ts";

export function nodeService({ repository: { nodes } }: ServiceOptions): ServiceImpl<typeof NodeService> {
  return {
    async listNodes(request, context) {
      requireAdmin(context);
      const violations = listViolations({ ...request, name: "", tags: {} }, undefined);
      if (violations.length > 0) throw invalid(violations);
      const after = decodeNamePageToken(request.pageToken);
      const all = nodes.live.filter(({ name }) => after === undefined || name > after);
      const page = all.slice(0, pageSizeOf(request.pageSize));
      const last = page.at(-1);
      const nextPageToken = last !== undefined && page.length < all.length ? encodeNamePageToken(last.name) : "";
      return { nodes: page.map((node) => toMessage(NodeSchema, node)), nextPageToken };
    },
    async getNode({ name }, context) {
      requireAdmin(context);
      const node = nodes.live.find((candidate) => candidate.name === name);
      if (node === undefined) throw notFound("node", name);
      return { node: toMessage(NodeSchema, node) };
    },
    async drainNode(_request, context) {
      requireAdmin(context);
      throw unimplemented("draining nodes comes with clustering");
    },
    async undrainNode(_request, context) {
      requireAdmin(context);
      throw unimplemented("draining nodes comes with clustering");
    },
  };
}
