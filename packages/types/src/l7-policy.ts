import { z } from "zod";

import type { L7PolicyId } from "./ids.ts";
import { l7PolicyRules } from "./l7-policy-rules.ts";
import { fixedResponse, l7PolicySpec, type L7PolicySpec } from "./l7-policy-spec.ts";
import { defineResource, type EntityOf, recordFields, tenantFields, type TenantRecord } from "./resource.ts";

export * from "./l7-policy-spec.ts";

/** What happens to requests that all of its rules match. */
export type L7Policy = EntityOf<L7PolicySpec, TenantRecord<L7PolicyId>>;

/** What the generic code knows of L7 policies. */
export const l7Policy = defineResource({
  label: "L7 policy",
  spec: l7PolicySpec,
  stored: z.strictObject({ ...recordFields, ...tenantFields }),
  rules: l7PolicyRules,
  resolve: (parsed): L7PolicySpec =>
    parsed.action === "FIXED_RESPONSE"
      ? { ...parsed, fixedResponse: parsed.fixedResponse ?? fixedResponse.parse({}) }
      : parsed,
  immutable: ["listenerId"],
});
