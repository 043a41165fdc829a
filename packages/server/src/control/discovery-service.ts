import { equals } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { type DiscoveryService, type Endpoint, EndpointSchema, toMessage } from "@fiberlb/api";
import { notFound } from "@fiberlb/types";

import { HEALTH_PREFIX, nameKey, NODE_PREFIX, type Tenant, unitKey } from "../repository/keys.ts";
import { invalidField } from "../repository/refusals.ts";
import { tenantOf } from "./auth/tenant.ts";
import type { ServiceOptions } from "./service-options.ts";

/** Where a load balancer is reached, by its name. */
export function discoveryService(options: ServiceOptions): ServiceImpl<typeof DiscoveryService> {
  return {
    async resolve({ name }, context) {
      if (name === "") throw invalidField("name", "is required", "REQUIRED");
      const endpoint = await resolveName(options, tenantOf(context), name);
      if (endpoint === undefined) throw notFound("load balancer", name);
      return { endpoint };
    },
    async *watch({ name }, context) {
      if (name === "") throw invalidField("name", "is required", "REQUIRED");
      const tenant = tenantOf(context);
      const changes = followName(options, { tenant, name }, context.signal);
      let told: Endpoint | undefined | "nothing" = "nothing";
      try {
        while (!context.signal.aborted) {
          const endpoint = await resolveName(options, tenant, name);
          changes.about(endpoint?.loadBalancerId);
          if (told === "nothing" || !sameEndpoint(told, endpoint)) yield endpoint === undefined ? {} : { endpoint };
          told = endpoint;
          await changes.next();
        }
      } finally {
        changes.stop();
      }
    },
  };
}

const sameEndpoint = (a: Endpoint | undefined, b: Endpoint | undefined): boolean =>
  a === undefined || b === undefined ? a === b : equals(EndpointSchema, a, b);

async function resolveName(
  { repository, presenter }: ServiceOptions,
  tenant: Tenant,
  name: string,
): Promise<Endpoint | undefined> {
  const { items } = await repository.list({ tenant, kind: "loadBalancer", name, tags: {}, limit: 1 });
  const [found] = items;
  if (found === undefined) return undefined;
  const [shown] = await presenter.trees([{ tenant: found.tenant, loadBalancerId: found.location.id }]);
  if (shown === undefined) return undefined;
  const { loadBalancer, listeners } = shown.observed.tree;
  const ports = listeners.map((listener) => ({
    name: listener.name,
    protocol: listener.protocol,
    port: listener.port,
    operatingStatus: shown.status.listeners.get(listener.id)?.operatingStatus,
  }));
  const where = { loadBalancerId: loadBalancer.id, name, vipAddress: loadBalancer.vipAddress };
  return toMessage(EndpointSchema, { ...where, ports, ...shown.status.loadBalancer });
}

interface NameChanges {
  /** Which load balancer has the name now. */
  about(loadBalancerId: string | undefined): void;
  /** Resolves at the next change that may concern the answer, at once when there was one since the last call. */
  next(): Promise<void>;
  stop(): void;
}

/** Level-triggered: only that something changed is remembered, the answer is read afresh. */
function followName(
  { repository }: ServiceOptions,
  { tenant, name }: { readonly tenant: Tenant; readonly name: string },
  signal: AbortSignal,
): NameChanges {
  const { orgId, projectId } = tenant;
  const named = nameKey({ orgId, projectId }, { kind: "loadBalancer", parentId: "", name });
  let current: string | undefined;
  let changed = false;
  let wake = (): void => undefined;
  const notice = (): void => {
    changed = true;
    wake();
  };
  const concerns = (key: string): boolean =>
    key === named ||
    key.startsWith(NODE_PREFIX) ||
    (current !== undefined && (key === unitKey(current) || key.startsWith(`${HEALTH_PREFIX}${current}/`)));
  const unsubscribe = repository.feed.subscribe({
    onChange: ({ kv }) => concerns(kv.key) && notice(),
    onReload: async () => notice(),
  });
  signal.addEventListener("abort", notice);
  return {
    about(loadBalancerId) {
      // What happened to it between the read and now was not noticed: read once more.
      if (loadBalancerId !== current) changed = true;
      current = loadBalancerId;
    },
    async next() {
      if (!changed) await new Promise<void>((resolve) => (wake = resolve));
      changed = false;
    },
    stop() {
      unsubscribe();
      signal.removeEventListener("abort", notice);
    },
  };
}
