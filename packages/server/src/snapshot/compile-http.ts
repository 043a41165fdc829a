import type { L7Policy, L7Rule, Listener } from "@fiberlb/types";

import type { ActionUnit, HeaderEditUnit, HttpUnit, PathRewriteUnit, PolicyUnit, RuleUnit } from "./snapshot.ts";

/** The entities that policies are made of, in any order. */
export interface PolicySource {
  readonly l7Policies: readonly L7Policy[];
  readonly l7Rules: readonly L7Rule[];
}

/** Policies by listener, those of one in the order of their positions. */
export function compilePolicies({ l7Policies, l7Rules }: PolicySource): ReadonlyMap<string, readonly PolicyUnit[]> {
  const rules = Map.groupBy(
    l7Rules.filter(({ adminStateUp }) => adminStateUp),
    ({ l7PolicyId }) => l7PolicyId,
  );
  const policies = Map.groupBy(
    l7Policies.filter(({ adminStateUp }) => adminStateUp).toSorted((a, b) => a.position - b.position),
    ({ listenerId }) => listenerId,
  );
  const compileAll = (ordered: readonly L7Policy[]): readonly PolicyUnit[] =>
    ordered.map((policy) => compilePolicy(policy, (rules.get(policy.id) ?? []).toSorted(byId)));
  return new Map([...policies].map(([listenerId, ordered]) => [listenerId, compileAll(ordered)]));
}

/** The part of a listener that treats requests; undefined when it speaks no HTTP. */
export function compileHttp(listener: Listener, policies: readonly PolicyUnit[] = []): HttpUnit | undefined {
  if (listener.protocol !== "HTTP" && listener.protocol !== "HTTPS") return undefined;
  return {
    backendIdleTimeoutMs: listener.backendIdleTimeoutMs,
    requestTimeoutMs: listener.requestTimeoutMs,
    requestHeaderTimeoutMs: listener.requestHeaderTimeoutMs,
    maxRequestHeaderBytes: listener.maxRequestHeaderBytes,
    maxUriBytes: listener.maxUriBytes,
    maxHeaderCount: listener.maxHeaderCount,
    maxRequestBodyBytes: listener.maxRequestBodyBytes,
    ...(listener.requestsPerSPerSource > 0 && { requestsPerSPerSource: listener.requestsPerSPerSource }),
    forwardedHeaders: listener.forwardedHeaders,
    addRequestId: listener.addRequestId,
    hstsMaxAgeS: listener.hstsMaxAgeS,
    pathNormalization: listener.pathNormalization,
    exposeReasonHeader: listener.exposeReasonHeader,
    policies,
  };
}

/** Ids are UUIDv7: their order is that of creation. */
const byId = (a: L7Rule, b: L7Rule): number => (a.id < b.id ? -1 : 1);

function compilePolicy(policy: L7Policy, rules: readonly L7Rule[]): PolicyUnit {
  return {
    id: policy.id,
    name: policy.name,
    rules: rules.map(compileRule),
    action: compileAction(policy, rules),
    setResponseHeaders: headerEdits(policy.setResponseHeaders),
  };
}

function compileRule({ id, type, compareType, key, value, invert }: L7Rule): RuleUnit {
  return { id, type, compareType, ...(key !== undefined && { key }), value, invert };
}

function compileAction(policy: L7Policy, rules: readonly L7Rule[]): ActionUnit {
  switch (policy.action) {
    case "REDIRECT_TO_POOL":
      return compilePoolAction(policy, rules);
    case "REDIRECT_TO_URL":
    case "REDIRECT_PREFIX": {
      const url = (policy.action === "REDIRECT_TO_URL" ? policy.redirectUrl : policy.redirectPrefix) ?? "";
      return { type: policy.action, url, code: policy.redirectHttpCode };
    }
    case "FIXED_RESPONSE": {
      const { code = 200, contentType = "text/plain; charset=utf-8", body = "" } = policy.fixedResponse ?? {};
      return { type: "FIXED_RESPONSE", code, contentType, body };
    }
    case "REJECT":
      return { type: "REJECT" };
  }
}

function compilePoolAction(policy: L7Policy, rules: readonly L7Rule[]): ActionUnit {
  const { redirectPoolId, pools, rewrite } = policy;
  const rewritePath = compilePathRewrite(rewrite?.pathPrefix, rules);
  return {
    type: "REDIRECT_TO_POOL",
    pools:
      redirectPoolId === undefined
        ? pools.map(({ poolId, weight }) => ({ poolId, weight }))
        : [{ poolId: redirectPoolId, weight: 1 }],
    ...(rewrite?.host !== undefined && { rewriteHost: rewrite.host }),
    ...(rewritePath !== undefined && { rewritePath }),
    setRequestHeaders: headerEdits(policy.setRequestHeaders),
  };
}

/** What is replaced is the value of the policy's only PATH STARTS_WITH rule; without exactly one nothing is. */
function compilePathRewrite(to: string | undefined, rules: readonly L7Rule[]): PathRewriteUnit | undefined {
  const prefixes = rules.filter(
    ({ type, compareType, invert }) => type === "PATH" && compareType === "STARTS_WITH" && !invert,
  );
  const [only] = prefixes;
  return to === undefined || only === undefined || prefixes.length > 1 ? undefined : { from: only.value, to };
}

const headerEdits = (headers: Readonly<Record<string, string>>): readonly HeaderEditUnit[] =>
  Object.entries(headers)
    .map(([name, value]) => ({ name, value }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
