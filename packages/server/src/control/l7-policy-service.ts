import type { ServiceImpl } from "@connectrpc/connect";
import type { L7PolicyService } from "@fiberlb/api";
import type { Violation } from "@fiberlb/types";

import type { Stored } from "../repository/entity-reader.ts";
import { createCrud, type RuleInput } from "./crud.ts";
import { policyFits, poolFits, redirectFits, rewriteHasRule } from "./fits.ts";
import { requirePool, rulesOf } from "./references.ts";
import type { ServiceOptions } from "./service-options.ts";

export function l7PolicyService(options: ServiceOptions): ServiceImpl<typeof L7PolicyService> {
  const rules = (input: RuleInput<"l7Policy">): Promise<Violation[]> => policyRules(options, input);
  const crud = createCrud({ kind: "l7Policy", plural: "l7Policies", rules }, options);
  return {
    createL7Policy: crud.create,
    getL7Policy: crud.get,
    listL7Policies: crud.list,
    updateL7Policy: crud.update,
    deleteL7Policy: crud.delete,
  };
}

async function policyRules({ repository }: ServiceOptions, input: RuleInput<"l7Policy">): Promise<Violation[]> {
  const { tenant, wanted, before } = input;
  const { entity: listener, location } = input.parent as Stored<"listener">;
  const violations = [...policyFits(listener, wanted), ...redirectFits(wanted)];
  const targets = [
    ...(wanted.redirectPoolId === undefined ? [] : [{ id: wanted.redirectPoolId, field: "redirect_pool_id" }]),
    ...wanted.pools.map(({ poolId }, index) => ({ id: poolId, field: `pools[${index}].pool_id` })),
  ];
  for (const { id, field } of targets) {
    const pool = await requirePool(repository, { tenant, loadBalancerId: location.loadBalancerId, id });
    violations.push(...poolFits(field, { listener: listener.protocol, pool: pool.protocol }));
  }
  if (before === undefined) return violations;
  return [...violations, ...rewriteHasRule(wanted, await rulesOf(repository, tenant, before.id))];
}
