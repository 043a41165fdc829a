import type { ServiceImpl } from "@connectrpc/connect";
import { BgpRouteSchema, type BgpService, BgpSessionSchema, toMessage } from "@fiberlb/api";
import { notFound } from "@fiberlb/types";

import type { BgpRecord } from "../repository/announce-records.ts";
import { requireAdmin } from "./auth/tenant.ts";
import type { ServiceOptions } from "./service-options.ts";

/** What all live nodes say of their routers and of the VIPs that they announce. */
export function bgpService({ repository }: ServiceOptions): ServiceImpl<typeof BgpService> {
  const { announcements, nodes } = repository;
  const requireNode = (name: string): void => {
    if (name !== "" && !nodes.live.some((node) => node.name === name)) throw notFound("node", name);
  };
  const ofNode = <T extends { readonly node: string }>(all: readonly T[], name: string): readonly T[] =>
    name === "" ? all : all.filter(({ node }) => node === name);
  return {
    listSessions({ node }, context) {
      requireAdmin(context);
      requireNode(node);
      const sessions = ofNode(announcements.daemons, node).flatMap(sessionsOf);
      return { sessions: sessions.map((session) => toMessage(BgpSessionSchema, session)) };
    },
    listRoutes({ node }, context) {
      requireAdmin(context);
      requireNode(node);
      const routes = ofNode(announcements.records, node);
      return { routes: routes.map((route) => toMessage(BgpRouteSchema, route)) };
    },
  };
}

/** A daemon that cannot be used has no sessions, but a reason. */
function sessionsOf({ node, localAsn, problem, sessions }: BgpRecord): readonly object[] {
  if (problem !== "") return [{ node, localAsn, problem }];
  return sessions.map((session) => ({ ...session, node, localAsn }));
}
