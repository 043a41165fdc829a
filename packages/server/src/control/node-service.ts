import type { ServiceImpl } from "@connectrpc/connect";
import { NodeSchema, type NodeService, toMessage } from "@fiberlb/api";
import { type Node, invalid, notFound } from "@fiberlb/types";

import type { Repository } from "../repository/repository.ts";
import { requireAdmin } from "./auth/tenant.ts";
import { decodeNamePageToken, encodeNamePageToken, pageSizeOf } from "./paging.ts";
import { listViolations } from "./request-checks.ts";
import type { ServiceOptions } from "./service-options.ts";

/** How long DrainNode and UndrainNode wait for the node to say that it has heard. */
const HEARD_WAIT_MS = 1000;

export function nodeService({ repository }: ServiceOptions): ServiceImpl<typeof NodeService> {
  const { maintenance } = repository;
  return {
    async listNodes(request, context) {
      requireAdmin(context);
      const violations = listViolations({ ...request, name: "", tags: {} }, undefined);
      if (violations.length > 0) throw invalid(violations);
      const after = decodeNamePageToken(request.pageToken);
      const all = (await repository.readNodes()).filter(({ name }) => after === undefined || name > after);
      const page = all.slice(0, pageSizeOf(request.pageSize));
      const last = page.at(-1);
      const nextPageToken = last !== undefined && page.length < all.length ? encodeNamePageToken(last.name) : "";
      return { nodes: page.map((node) => toMessage(NodeSchema, node)), nextPageToken };
    },
    async getNode({ name }, context) {
      requireAdmin(context);
      return { node: toMessage(NodeSchema, await liveNode(repository, name)) };
    },
    async drainNode({ name }, context) {
      requireAdmin(context);
      await liveNode(repository, name);
      await maintenance.drain(name);
      await heard(repository, name, ({ state }) => state !== "READY");
      return { node: toMessage(NodeSchema, await liveNode(repository, name)) };
    },
    async undrainNode({ name }, context) {
      requireAdmin(context);
      if (!(await maintenance.undrain(name))) return { node: toMessage(NodeSchema, await liveNode(repository, name)) };
      // One that is away hears of it when it is back.
      await heard(repository, name, ({ state }) => state === "READY");
      const node = await findNode(repository, name);
      return node === undefined ? {} : { node: toMessage(NodeSchema, node) };
    },
  };
}

/** @throws DomainError `not-found` */
async function liveNode(repository: Repository, name: string): Promise<Node> {
  const node = await findNode(repository, name);
  if (node === undefined) throw notFound("node", name);
  return node;
}

/** Undefined: it is away, or never was. */
const findNode = async (repository: Repository, name: string): Promise<Node | undefined> =>
  (await repository.readNodes()).find((candidate) => candidate.name === name);

/** Resolves once the node shows that an order has reached it, at once when it is away, or after a second. */
const heard = ({ nodes }: Repository, name: string, shows: (node: Node) => boolean): Promise<void> =>
  nodes.waitFor((live) => live.every((node) => node.name !== name || shows(node)), HEARD_WAIT_MS);
