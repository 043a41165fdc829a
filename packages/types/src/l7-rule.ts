import { z } from "zod";

import type { L7RuleId } from "./ids.ts";
import { l7RuleRules } from "./l7-rule-rules.ts";
import { l7RuleSpec, type L7RuleSpec, type ParsedL7Rule } from "./l7-rule-spec.ts";
import { defineResource, type EntityOf, recordFields, tenantFields, type TenantRecord } from "./resource.ts";

export * from "./l7-rule-spec.ts";

/** One condition of a policy. */
export type L7Rule = EntityOf<L7RuleSpec, TenantRecord<L7RuleId>>;

/** Names without case are compared, and therefore kept, in lower case. */
function canonicalValue({ type, compareType, value = "true" }: ParsedL7Rule): string {
  const ignoresCase = type === "HOST_NAME" || type === "SNI" || type === "SSL_CONN_HAS_CERT";
  return ignoresCase && compareType !== "REGEX" ? value.toLowerCase() : value;
}

/** What the generic code knows of L7 rules. */
export const l7Rule = defineResource({
  label: "L7 rule",
  spec: l7RuleSpec,
  stored: z.strictObject({ ...recordFields, ...tenantFields }),
  rules: l7RuleRules,
  resolve: (parsed): L7RuleSpec => ({ ...parsed, value: canonicalValue(parsed) }),
  immutable: ["l7PolicyId"],
});
