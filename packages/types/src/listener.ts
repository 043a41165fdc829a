import { z } from "zod";

import type { ListenerId } from "./ids.ts";
import { listenerRules } from "./listener-rules.ts";
import { type ListenerProtocol, listenerSpec, type ListenerSpec } from "./listener-spec.ts";
import { defineResource, type EntityOf, recordFields, tenantFields, type TenantRecord } from "./resource.ts";

export * from "./listener-spec.ts";

/** A port of a load balancer and how its connections are treated. */
export type Listener = EntityOf<ListenerSpec, TenantRecord<ListenerId>>;

/** TCP and TLS live as long as NAT tables usually let them; requests and UDP flows are short. */
export const defaultClientIdleTimeoutMs = (protocol: ListenerProtocol): number =>
  protocol === "TCP" || protocol === "TLS" ? 350_000 : 60_000;

/** An HTTPS listener offers HTTP/2; a TLS listener cannot know what its backends speak and offers nothing. */
export const defaultAlpnProtocols = (protocol: ListenerProtocol): readonly string[] =>
  protocol === "HTTPS" ? ["h2", "http/1.1"] : [];

/** What the generic code knows of listeners. */
export const listener = defineResource({
  label: "listener",
  spec: listenerSpec,
  stored: z.strictObject({ ...recordFields, ...tenantFields }),
  rules: listenerRules,
  resolve: (parsed): ListenerSpec => ({
    ...parsed,
    clientIdleTimeoutMs: parsed.clientIdleTimeoutMs ?? defaultClientIdleTimeoutMs(parsed.protocol),
    alpnProtocols: parsed.alpnProtocols.length > 0 ? parsed.alpnProtocols : [...defaultAlpnProtocols(parsed.protocol)],
  }),
  immutable: ["loadBalancerId", "protocol", "port"],
});
