import type { ServiceImpl } from "@connectrpc/connect";
import type { L7RuleService } from "@fiberlb/api";
import type { Violation } from "@fiberlb/types";

import type { Stored } from "../repository/entity-reader.ts";
import { createCrud, type RuleInput } from "./crud.ts";
import { pathRewriteFits, regexFits, ruleFits } from "./fits.ts";
import { requireListenerOf, rulesOf } from "./references.ts";
import type { ServiceOptions } from "./service-options.ts";

export function l7RuleService(options: ServiceOptions): ServiceImpl<typeof L7RuleService> {
  const rules = (input: RuleInput<"l7Rule">): Promise<Violation[]> => ruleRules(options, input);
  const crud = createCrud({ kind: "l7Rule", plural: "l7Rules", rules }, options);
  return {
    createL7Rule: crud.create,
    getL7Rule: crud.get,
    listL7Rules: crud.list,
    updateL7Rule: crud.update,
    deleteL7Rule: crud.delete,
  };
}

async function ruleRules({ repository }: ServiceOptions, input: RuleInput<"l7Rule">): Promise<Violation[]> {
  const { tenant, wanted, before } = input;
  const policy = input.parent as Stored<"l7Policy">;
  const { entity: listener } = await requireListenerOf(repository, policy);
  const others = (await rulesOf(repository, tenant, policy.location.id)).filter(({ id }) => id !== before?.id);
  return [
    ...ruleFits(listener, wanted),
    ...regexFits(wanted),
    ...pathRewriteFits(policy.entity, [...others, wanted], "type"),
  ];
}
