import type { ActionUnit, HeaderEditUnit, PathRewriteUnit, PolicyUnit } from "../../snapshot/snapshot.ts";
import { WeightedPools } from "../route/weighted-pools.ts";
import { compileRedirectPrefix, compileRedirectUrl } from "./redirect.ts";
import type { RouteRequest } from "./route-request.ts";

/** What happens to a request. All but redirects are made once and shared by all requests. */
export type Route = PoolRoute | RedirectRoute | FixedResponseRoute | RejectRoute | BadRequestRoute | NoPoolRoute;

/** What routes of policies have in common. */
interface PolicyRoute {
  /** Absent when no policy took the request. */
  readonly policyId?: string;
  /** An empty value removes the header. */
  readonly setResponseHeaders: readonly HeaderEditUnit[];
}

/** To a pool. */
export interface PoolRoute extends PolicyRoute {
  readonly kind: "pool";
  readonly pools: WeightedPools;
  /** Authority that the backend gets instead of the client's. */
  readonly rewriteHost?: string;
  /** See `rewritePath`. */
  readonly rewritePath?: PathRewriteUnit;
  /** An empty value removes the header. */
  readonly setRequestHeaders: readonly HeaderEditUnit[];
}

/** Elsewhere: answer with `code` and this Location. */
export interface RedirectRoute extends PolicyRoute {
  readonly kind: "redirect";
  readonly code: number;
  /** Absolute URL, safe in a header. */
  readonly location: string;
}

/** Answered here. */
export interface FixedResponseRoute extends PolicyRoute {
  readonly kind: "fixed-response";
  readonly code: number;
  readonly contentType: string;
  readonly body: string;
}

/** Refused by a policy: 403. */
export interface RejectRoute extends PolicyRoute {
  readonly kind: "reject";
}

/** Why a request can't be routed. */
export type BadRequestReason = "ambiguous-path" | "too-long-for-regex" | "no-host";

/** Can't be judged by the policies: 400. */
export interface BadRequestRoute extends PolicyRoute {
  readonly kind: "bad-request";
  readonly reason: BadRequestReason;
}

/** No policy took it and the listener has no default pool: 503. */
export interface NoPoolRoute extends PolicyRoute {
  readonly kind: "no-pool";
}

/** What a policy does with a request that it takes. */
export type Outcome = (request: RouteRequest) => Route;

/** A policy's action as a function, or why it is none. */
export type OutcomeResult =
  | { readonly ok: true; readonly outcome: Outcome }
  | { readonly ok: false; readonly problem: string };

/** The route of a request that can't be judged. */
export const badRequest = (reason: BadRequestReason, policyId?: string): BadRequestRoute => ({
  kind: "bad-request",
  reason,
  ...(policyId !== undefined && { policyId }),
  setResponseHeaders: [],
});

/** The route of requests that no policy takes. */
export const defaultRoute = (poolId: string | undefined): PoolRoute | NoPoolRoute =>
  poolId === undefined
    ? { kind: "no-pool", setResponseHeaders: [] }
    : {
        kind: "pool",
        pools: new WeightedPools([{ poolId, weight: 1 }]),
        setRequestHeaders: [],
        setResponseHeaders: [],
      };

/** Compiles what a policy does. */
export function compileOutcome({ id: policyId, action, setResponseHeaders }: PolicyUnit): OutcomeResult {
  if ("url" in action) return compileRedirect(action, { policyId, setResponseHeaders });
  const route: Route = { ...fixedPart(action), policyId, setResponseHeaders };
  return { ok: true, outcome: () => route };
}

type RedirectAction = Extract<ActionUnit, { readonly url: string }>;

function compileRedirect({ type, url, code }: RedirectAction, policy: PolicyRoute): OutcomeResult {
  const compiled = type === "REDIRECT_TO_URL" ? compileRedirectUrl(url) : compileRedirectPrefix(url);
  if (!compiled.ok) return compiled;
  const noHost = badRequest("no-host", policy.policyId);
  const outcome: Outcome = (request) =>
    request.host === "" ? noHost : { kind: "redirect", code, location: compiled.target(request), ...policy };
  return { ok: true, outcome };
}

function fixedPart(action: Exclude<ActionUnit, RedirectAction>) {
  switch (action.type) {
    case "REDIRECT_TO_POOL": {
      const { type: _, pools, ...edits } = action;
      return { kind: "pool", pools: new WeightedPools(pools), ...edits } as const;
    }
    case "FIXED_RESPONSE": {
      const { code, contentType, body } = action;
      return { kind: "fixed-response", code, contentType, body } as const;
    }
    case "REJECT":
      return { kind: "reject" } as const;
  }
}
