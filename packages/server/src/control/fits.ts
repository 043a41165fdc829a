import {
  type HealthCheckSpec,
  healthCheckMisfit,
  type L7Policy,
  type L7PolicySpec,
  type L7Rule,
  type L7RuleSpec,
  type Listener,
  type ListenerProtocol,
  type Pool,
  poolMisfit,
  type PoolProtocol,
  ruleMisfit,
  type Violation,
} from "@fiberlb/types";

import { compileRedirectPrefix, compileRedirectUrl } from "../data/l7/redirect.ts";
import { compileRegex } from "../data/route/regex.ts";

const combination = (field: string, description: string): Violation => ({
  field,
  description,
  reason: "INVALID_COMBINATION",
});

/** The rules of a listener's pool and of a rule's listener are the domain's own; a list of what is wrong is what services want. */
const listOf = (violation: Violation | undefined): Violation[] => (violation === undefined ? [] : [violation]);

/** Whether a pool fits the listener that refers to it in `field`. */
export const poolFits = (
  field: string,
  { listener, pool }: { readonly listener: ListenerProtocol; readonly pool: PoolProtocol },
): Violation[] => listOf(poolMisfit(field, listener, pool));

/** Whether a pool can be probed so. */
export const healthCheckFits = (
  { type }: Pick<HealthCheckSpec, "type">,
  { protocol }: Pick<Pool, "protocol">,
): Violation[] => listOf(healthCheckMisfit("type", type, protocol));

/** A TCP listener's policies choose by SNI, before any byte is decrypted (passthrough); TLS and UDP listeners have none. */
export function policyFits(
  { protocol }: Listener,
  policy: Pick<L7PolicySpec, "action" | "rewrite" | "setRequestHeaders" | "setResponseHeaders">,
): Violation[] {
  if (protocol === "HTTP" || protocol === "HTTPS") return [];
  if (protocol !== "TCP")
    return [combination("listener_id", `must be a listener of protocol HTTP, HTTPS or TCP, not ${protocol}`)];
  const refused: Violation[] = [];
  const { action } = policy;
  if (action !== "REDIRECT_TO_POOL" && action !== "REJECT") {
    refused.push(combination("action", `must be REDIRECT_TO_POOL or REJECT on a TCP listener, not ${action}`));
  }
  if (policy.rewrite !== undefined) refused.push(combination("rewrite", "cannot be used on a TCP listener"));
  for (const field of ["setRequestHeaders", "setResponseHeaders"] as const) {
    if (Object.keys(policy[field]).length === 0) continue;
    const path = field === "setRequestHeaders" ? "set_request_headers" : "set_response_headers";
    refused.push(combination(path, "cannot be used on a TCP listener"));
  }
  return refused;
}

/** Whether a rule can be judged where it stands. */
export const ruleFits = ({ protocol }: Listener, { type }: Pick<L7RuleSpec, "type">): Violation[] =>
  listOf(ruleMisfit("type", protocol, type));

/** Whether the engine takes a rule's regular expression. */
export function regexFits({ compareType, value }: Pick<L7RuleSpec, "compareType" | "value">): Violation[] {
  if (compareType !== "REGEX") return [];
  const compiled = compileRegex(value);
  return compiled.ok ? [] : [{ field: "value", description: compiled.problem, reason: "INVALID_FORMAT" }];
}

/** Whether the URL of a redirect stays where the operator sends it, whatever the request fills in. */
export function redirectFits({ redirectUrl, redirectPrefix }: Partial<L7PolicySpec>): Violation[] {
  const targets = [
    { field: "redirect_url", compiled: redirectUrl === undefined ? undefined : compileRedirectUrl(redirectUrl) },
    {
      field: "redirect_prefix",
      compiled: redirectPrefix === undefined ? undefined : compileRedirectPrefix(redirectPrefix),
    },
  ];
  return targets.flatMap(({ field, compiled }) =>
    compiled === undefined || compiled.ok ? [] : [{ field, description: compiled.problem, reason: "INVALID_FORMAT" }],
  );
}

const isPathPrefix = ({ type, compareType, invert }: L7RuleSpec): boolean =>
  type === "PATH" && compareType === "STARTS_WITH" && !invert;

/**
 * `rewrite.path_prefix` replaces the value of the policy's only PATH STARTS_WITH rule, so there must not be two. Rules come
 * after their policy: none at all is accepted, and nothing is replaced.
 */
export function pathRewriteFits(
  policy: Pick<L7Policy, "rewrite">,
  rules: readonly L7RuleSpec[],
  field: string,
): Violation[] {
  if (policy.rewrite?.pathPrefix === undefined || rules.filter(isPathPrefix).length <= 1) return [];
  return [
    combination(field, "must leave the policy with one PATH STARTS_WITH rule: rewrite.path_prefix replaces its value"),
  ];
}

/** With `rewrite.path_prefix` on a policy that has rules, one of them must be the one whose value it replaces. */
export function rewriteHasRule(policy: Pick<L7PolicySpec, "rewrite">, rules: readonly L7Rule[]): Violation[] {
  if (policy.rewrite?.pathPrefix === undefined || rules.length === 0) return [];
  if (rules.filter(isPathPrefix).length === 1) return [];
  return [
    combination(
      "rewrite.path_prefix",
      "needs the policy to have exactly one PATH STARTS_WITH rule, whose value it replaces",
    ),
  ];
}
