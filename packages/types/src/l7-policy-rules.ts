import { redirectCodes } from "./http.ts";
import type { L7PolicySpec } from "./l7-policy-spec.ts";
import type { Report, Rules } from "./resource.ts";

type Spec = Partial<L7PolicySpec>;

/** Rules between the fields of an L7 policy. */
export const l7PolicyRules: Rules<L7PolicySpec> = (spec, report) => {
  checkPools(spec, report);
  checkRedirect(spec, report);
  checkFixedResponse(spec, report);
  checkRewrite(spec, report);
  checkHeaders("setRequestHeaders", spec.setRequestHeaders, report);
  checkHeaders("setResponseHeaders", spec.setResponseHeaders, report);
};

const MAX_WEIGHTED_POOLS = 32;

function checkPools({ action, redirectPoolId, pools }: Spec, report: Report): void {
  if (pools !== undefined) checkWeights(pools, report);
  if (action === undefined) return;
  const hasPools = pools !== undefined && pools.length > 0;
  if (action !== "REDIRECT_TO_POOL") {
    const description = `can only be used with REDIRECT_TO_POOL, not with ${action}`;
    if (redirectPoolId !== undefined) report("redirectPoolId", description);
    if (hasPools) report("pools", description);
    return;
  }
  if (redirectPoolId === undefined && pools?.length === 0) {
    report("redirectPoolId", "is required with REDIRECT_TO_POOL, or weighted pools instead", "REQUIRED");
  }
  if (redirectPoolId !== undefined && hasPools) report("pools", "cannot be used together with redirect_pool_id");
}

function checkWeights(pools: L7PolicySpec["pools"], report: Report): void {
  if (pools.length > MAX_WEIGHTED_POOLS) {
    report("pools", `must have at most ${MAX_WEIGHTED_POOLS} entries, not ${pools.length}`, "TOO_MANY");
  }
  pools.forEach(({ poolId }, index) => {
    if (pools.findIndex((other) => other.poolId === poolId) === index) return;
    report(`pools[${index}].poolId`, `must not be there twice: ${poolId}`, "DUPLICATE");
  });
  if (pools.length > 0 && pools.every(({ weight }) => weight === 0)) {
    report("pools", "must have at least one weight above 0", "NOT_ALLOWED");
  }
}

function checkRedirect(spec: Spec, report: Report): void {
  const { action, redirectUrl, redirectPrefix, redirectHttpCode: code } = spec;
  if (code !== undefined && !redirectCodes.some((allowed) => allowed === code)) {
    report("redirectHttpCode", `must be one of ${redirectCodes.join(", ")}, not ${code}`, "NOT_ALLOWED");
  }
  if (action === undefined) return;
  checkTarget({ at: "redirectUrl", value: redirectUrl, action, owner: "REDIRECT_TO_URL" }, report);
  checkTarget({ at: "redirectPrefix", value: redirectPrefix, action, owner: "REDIRECT_PREFIX" }, report);
  const redirects = action === "REDIRECT_TO_URL" || action === "REDIRECT_PREFIX";
  if (!redirects && code !== undefined && code !== 302) {
    report("redirectHttpCode", `can only be used with REDIRECT_TO_URL or REDIRECT_PREFIX, not with ${action}`);
  }
}

interface Target {
  readonly at: string;
  readonly value: string | undefined;
  readonly action: string;
  /** The action that the field belongs to. */
  readonly owner: string;
}

function checkTarget({ at, value, action, owner }: Target, report: Report): void {
  if (action === owner && value === undefined) report(at, `is required with ${owner}`, "REQUIRED");
  if (action !== owner && value !== undefined) report(at, `can only be used with ${owner}, not with ${action}`);
}

/** Codes whose responses have no content (RFC 9110 §15). */
const BODILESS = new Set([204, 205, 304]);

function checkFixedResponse({ action, fixedResponse }: Spec, report: Report): void {
  if (action === undefined || fixedResponse === undefined) return;
  const { code, body } = fixedResponse;
  if (action !== "FIXED_RESPONSE") report("fixedResponse", `can only be used with FIXED_RESPONSE, not with ${action}`);
  if (BODILESS.has(code) && body !== "") report("fixedResponse.body", `must be empty with code ${code}`);
}

function checkRewrite({ action, rewrite, setRequestHeaders }: Spec, report: Report): void {
  if (rewrite !== undefined && rewrite.host === undefined && rewrite.pathPrefix === undefined) {
    report("rewrite", "must name a host or a path_prefix", "REQUIRED");
  }
  if (action === undefined || action === "REDIRECT_TO_POOL") return;
  if (rewrite !== undefined) report("rewrite", `can only be used with REDIRECT_TO_POOL, not with ${action}`);
  if (setRequestHeaders !== undefined && Object.keys(setRequestHeaders).length > 0) {
    report(
      "setRequestHeaders",
      `can only be used with REDIRECT_TO_POOL, not with ${action}: no backend gets the request`,
    );
  }
}

/** Headers that frame the message or end at the next hop (RFC 9110 §7.6.1): rewriting them breaks the protocol. */
const FRAMING = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

function checkHeaders(
  at: "setRequestHeaders" | "setResponseHeaders",
  map: Readonly<Record<string, string>> = {},
  report: Report,
): void {
  const seen = new Set<string>();
  for (const name of Object.keys(map)) {
    const key = name.toLowerCase();
    const where = `${at}[${JSON.stringify(name)}]`;
    if (FRAMING.has(key))
      report(where, "cannot be set: it belongs to the connection, not to the message", "NOT_ALLOWED");
    if (key === "host" && at === "setRequestHeaders")
      report(where, "cannot be set here: use rewrite.host", "NOT_ALLOWED");
    if (seen.has(key)) report(where, "must not be there twice: header names ignore case", "DUPLICATE");
    seen.add(key);
  }
}
