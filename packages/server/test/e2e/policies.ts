import { type FiberlbClient, L7CompareType, L7RuleType, ListenerProtocol, PoolProtocol } from "@fiberlb/api";

import { type Declaration, type Declared, declare, untilApplied } from "./declare.ts";

type CreatePolicy = Parameters<FiberlbClient["l7Policies"]["createL7Policy"]>[0];
type CreateRule = Parameters<FiberlbClient["l7Rules"]["createL7Rule"]>[0];
type CreatePool = Parameters<FiberlbClient["pools"]["createPool"]>[0];

/** An HTTP listener with an HTTP pool. */
export function declareHttp(client: FiberlbClient, declaration: Declaration): Promise<Declared> {
  return declare(client, {
    ...declaration,
    pool: { protocol: PoolProtocol.HTTP, ...declaration.pool },
    listener: { protocol: ListenerProtocol.HTTP, ...declaration.listener },
  });
}

/** A policy and the rules that must all match. */
export interface PolicyDeclaration {
  readonly policy: CreatePolicy;
  readonly rules: readonly CreateRule[];
}

/** Adds a policy behind those that there are; resolves with its id when it is in force. */
export async function addPolicy(
  client: FiberlbClient,
  { listenerId, loadBalancerId }: Pick<Declared, "listenerId" | "loadBalancerId">,
  { policy, rules }: PolicyDeclaration,
): Promise<string> {
  const { id } = (await client.l7Policies.createL7Policy({ listenerId, ...policy })).l7Policy!;
  for (const rule of rules) await client.l7Rules.createL7Rule({ l7PolicyId: id, ...rule });
  await untilApplied(client, loadBalancerId);
  return id;
}

/** Adds an HTTP pool to a load balancer. */
export async function addPool(
  client: FiberlbClient,
  { loadBalancerId }: Pick<Declared, "loadBalancerId">,
  { pool = {}, ports }: { readonly pool?: CreatePool; readonly ports: readonly number[] },
): Promise<string> {
  const created = await client.pools.createPool({ loadBalancerId, protocol: PoolProtocol.HTTP, ...pool });
  const { id: poolId } = created.pool!;
  for (const port of ports) await client.backends.createBackend({ poolId, address: "127.0.0.1", port });
  return poolId;
}

export const hostIs = (value: string): CreateRule => ({
  type: L7RuleType.HOST_NAME,
  compareType: L7CompareType.EQUAL_TO,
  value,
});

export const pathStarts = (value: string): CreateRule => ({
  type: L7RuleType.PATH,
  compareType: L7CompareType.STARTS_WITH,
  value,
});
