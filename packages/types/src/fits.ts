import { type IpAddress, ipFamily } from "./address.ts";
import { type Cidr, rangeFamily } from "./cidr.ts";
import type { HealthCheckType } from "./health-check.ts";
import type { L7Policy, L7PolicyAction } from "./l7-policy.ts";
import type { L7Rule, L7RuleType } from "./l7-rule.ts";
import type { ListenerProtocol } from "./listener.ts";
import type { PoolProtocol } from "./pool.ts";
import { combination } from "./resource.ts";
import type { Violation } from "./result.ts";

// Rules between two resources. Each answers the violation, or undefined when the two fit; `field` is the proto path of the
// field that joins them in the request at hand.

const POOL_PROTOCOLS: Readonly<Record<ListenerProtocol, readonly PoolProtocol[]>> = {
  TCP: ["TCP"],
  TLS: ["TCP"],
  UDP: ["UDP"],
  HTTP: ["HTTP", "HTTPS", "H2C"],
  HTTPS: ["HTTP", "HTTPS", "H2C"],
};

/** Whether a listener can send what it gets to the pool. */
export const poolFitsListener = (listener: ListenerProtocol, pool: PoolProtocol): boolean =>
  POOL_PROTOCOLS[listener].includes(pool);

/** {@link poolFitsListener} with what would fit. */
export function poolMisfit(field: string, listener: ListenerProtocol, pool: PoolProtocol): Violation | undefined {
  if (poolFitsListener(listener, pool)) return undefined;
  const allowed = POOL_PROTOCOLS[listener].join(", ");
  return combination(
    field,
    `must name a pool with protocol ${allowed} when the listener's is ${listener}, not ${pool}`,
  );
}

/** UDP pools can be probed by what runs beside the service; connectionless probes say nothing about other pools. */
export const healthCheckFitsPool = (type: HealthCheckType, pool: PoolProtocol): boolean =>
  pool === "UDP" ? type === "UDP" || type === "TCP" || type === "HTTP" : type !== "UDP";

/** {@link healthCheckFitsPool} with what would fit. */
export function healthCheckMisfit(field: string, type: HealthCheckType, pool: PoolProtocol): Violation | undefined {
  if (healthCheckFitsPool(type, pool)) return undefined;
  const allowed = pool === "UDP" ? "must be UDP, TCP or HTTP" : "cannot be UDP";
  return combination(field, `${allowed} for a pool with protocol ${pool}${pool === "UDP" ? `, not ${type}` : ""}`);
}

/** Networks whose family is not the VIP's: they could never match. */
export function cidrMisfits(field: string, cidrs: readonly Cidr[], vip: IpAddress): readonly Violation[] {
  const family = ipFamily(vip);
  return cidrs.flatMap((cidr, index) =>
    rangeFamily(cidr) === family
      ? []
      : [combination(`${field}[${index}]`, `must be ${family} like the VIP ${vip}, not ${cidr}`)],
  );
}

/** What L7 policies can do on a listener: everything with HTTP, SNI passthrough with TCP, nothing elsewhere. */
export function policyMisfit(field: string, listener: ListenerProtocol, action: L7PolicyAction): Violation | undefined {
  if (listener === "HTTP" || listener === "HTTPS") return undefined;
  if (listener !== "TCP") return combination(field, `must name an HTTP, HTTPS or TCP listener, not a ${listener} one`);
  if (action === "REDIRECT_TO_POOL" || action === "REJECT") return undefined;
  return combination(field, `must be REDIRECT_TO_POOL or REJECT on a TCP listener, not ${action}`);
}

/** What L7 rules can look at on a listener: only SNI is visible in TCP, and without TLS there is neither SNI nor certificate. */
export function ruleMisfit(field: string, listener: ListenerProtocol, type: L7RuleType): Violation | undefined {
  if (listener === "TCP" && type !== "SNI") return combination(field, `must be SNI on a TCP listener, not ${type}`);
  const needsTls = type === "SNI" || type === "SSL_CONN_HAS_CERT" || type === "SSL_DN_FIELD";
  if (listener !== "HTTP" || !needsTls) return undefined;
  return combination(field, `cannot be ${type} on an HTTP listener, which has no TLS`);
}

/** `rewrite.path_prefix` replaces the value of the policy's only PATH STARTS_WITH rule, so there must be just one. */
export function rewriteMisfit(
  policy: Pick<L7Policy, "rewrite">,
  rules: readonly Pick<L7Rule, "type" | "compareType" | "invert">[],
): Violation | undefined {
  if (policy.rewrite?.pathPrefix === undefined) return undefined;
  const prefixes = rules.filter(
    ({ type, compareType, invert }) => type === "PATH" && compareType === "STARTS_WITH" && !invert,
  );
  if (prefixes.length === 1) return undefined;
  return combination("rewrite.path_prefix", `needs exactly one rule PATH STARTS_WITH, not ${prefixes.length}`);
}
