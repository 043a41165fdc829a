import {
  healthCheckMisfit,
  type HealthCheckType,
  type L7PolicyAction,
  type L7RuleType,
  type ListenerProtocol,
  type PoolProtocol,
  labelOf,
  policyMisfit,
  poolMisfit,
  type ResourceKind,
  rewriteMisfit,
  ruleMisfit,
  toCamelCase,
  type Violation,
} from "@fiberlb/types";

import { type FileFault, isRecord } from "../fields/check-keys.ts";
import { backendAddress } from "./actual.ts";
import type { Desired } from "./desired.ts";
import { hint } from "./ownership.ts";

/** What is wrong between the resources of a file: names twice, references to nothing, protocols that do not fit. */
export function checkDesired(
  resources: readonly Desired[],
  existingCertificates: readonly string[],
): readonly FileFault[] {
  const declared = childrenOf(resources, "certificate").map(nameOf);
  const certificates = new Set([...declared, ...existingCertificates]);
  return [
    ...duplicates(resources),
    ...childrenOf(resources, "loadBalancer").flatMap((loadBalancer) => checkLoadBalancer(loadBalancer, certificates)),
  ];
}

const childrenOf = (resources: readonly Desired[], kind: ResourceKind): readonly Desired[] =>
  resources.filter((resource) => resource.kind === kind);

const nameOf = ({ fields }: Desired): string => String(fields["name"]);

function checkLoadBalancer(loadBalancer: Desired, certificates: ReadonlySet<string>): readonly FileFault[] {
  const pools = new Map(childrenOf(loadBalancer.children, "pool").map((pool) => [nameOf(pool), pool]));
  return [
    ...duplicates(loadBalancer.children),
    ...[...pools.values()].flatMap((pool) => checkPool(pool, certificates)),
    ...childrenOf(loadBalancer.children, "listener").flatMap((listener) =>
      checkListener(listener, { pools, certificates }),
    ),
  ];
}

function checkPool(pool: Desired, certificates: ReadonlySet<string>): readonly FileFault[] {
  const protocol = pool.fields["protocol"] as PoolProtocol;
  const tls = pool.fields["backendTls"];
  const named = isRecord(tls) ? [tls["caCertificate"], tls["clientCertificate"]] : [];
  return [
    ...duplicates(pool.children),
    ...named.flatMap((name) =>
      missing(name, "certificate", { where: `${pool.where}.backendTls`, known: certificates }),
    ),
    ...childrenOf(pool.children, "healthCheck").flatMap((check) =>
      at(check, healthCheckMisfit("type", check.fields["type"] as HealthCheckType, protocol)),
    ),
  ];
}

interface Known {
  readonly pools: ReadonlyMap<string, Desired>;
  readonly certificates: ReadonlySet<string>;
}

function checkListener(listener: Desired, known: Known): readonly FileFault[] {
  const { defaultPool, certificates, clientCaCertificate } = listener.fields;
  const named = [...(Array.isArray(certificates) ? (certificates as unknown[]) : []), clientCaCertificate];
  return [
    ...duplicates(listener.children),
    ...checkPoolReference(listener, { owner: listener, name: defaultPool, field: "defaultPool" }, known.pools),
    ...named.flatMap((name) =>
      missing(name, "certificate", { where: `${listener.where}.certificates`, known: known.certificates }),
    ),
    ...listener.children.flatMap((policy) => checkPolicy(listener, policy, known.pools)),
  ];
}

function checkPolicy(listener: Desired, policy: Desired, pools: Known["pools"]): readonly FileFault[] {
  const { pool, pools: weighted } = policy.fields;
  const entries = Array.isArray(weighted) ? (weighted as unknown[]) : [];
  const names = entries.map(
    (entry, index) => [`pools[${index}].pool`, isRecord(entry) ? entry["pool"] : undefined] as const,
  );
  const rules = policy.children.map(({ fields }) => fields as never);
  const protocol = listener.fields["protocol"] as ListenerProtocol;
  return [
    ...duplicates(policy.children),
    ...[["pool", pool] as const, ...names].flatMap(([field, name]) =>
      checkPoolReference(listener, { owner: policy, name, field }, pools),
    ),
    ...at(policy, policyMisfit("action", protocol, policy.fields["action"] as L7PolicyAction)),
    ...at(policy, rewriteMisfit(policy.fields, rules)),
    ...policy.children.flatMap((rule) => at(rule, ruleMisfit("type", protocol, rule.fields["type"] as L7RuleType))),
  ];
}

interface PoolReference {
  readonly owner: Desired;
  readonly name: unknown;
  readonly field: string;
}

function checkPoolReference(
  listener: Desired,
  { owner, name, field }: PoolReference,
  pools: Known["pools"],
): readonly FileFault[] {
  const pool = typeof name === "string" ? pools.get(name) : undefined;
  if (pool === undefined) return missing(name, "pool", { where: `${owner.where}.${field}`, known: pools.keys() });
  return at(
    owner,
    poolMisfit(field, listener.fields["protocol"] as ListenerProtocol, pool.fields["protocol"] as PoolProtocol),
  );
}

function missing(
  name: unknown,
  kind: ResourceKind,
  { where, known }: { readonly where: string; readonly known: Iterable<string> },
): readonly FileFault[] {
  const names = [...known];
  if (typeof name !== "string" || names.includes(name)) return [];
  const scope = kind === "pool" ? " of this load balancer" : "";
  return [
    { where, problem: `names ${JSON.stringify(name)}, which is no ${labelOf(kind)}${scope}${hint(name, names)}` },
  ];
}

/** A resource with faults of its own already has no effective fields; rules about several then say nothing sensible. */
function at({ where }: Desired, violation: Violation | undefined): readonly FileFault[] {
  if (violation === undefined) return [];
  return [
    { where: `${where}.${violation.field.split(".").map(toCamelCase).join(".")}`, problem: violation.description },
  ];
}

/** Names, backend addresses and ports that two siblings want. */
function duplicates(siblings: readonly Desired[]): readonly FileFault[] {
  const seen = new Map<string, Desired>();
  return siblings.flatMap((sibling) =>
    claims(sibling).flatMap(([claim, what]): FileFault[] => {
      const first = seen.get(claim);
      if (first !== undefined) return [{ where: sibling.where, problem: `${what} is that of ${first.where}, too` }];
      seen.set(claim, sibling);
      return [];
    }),
  );
}

/** What only one sibling can have, and how to say it. */
function claims(sibling: Desired): readonly (readonly [claim: string, what: string])[] {
  const { kind, fields } = sibling;
  const { name, port, protocol, vipAddress } = fields;
  const found: [string, string][] = [];
  if (typeof name === "string") found.push([`${kind} name ${name}`, `name ${JSON.stringify(name)}`]);
  if (kind === "backend") found.push([`address ${backendAddress(sibling)}`, `address ${backendAddress(sibling)}`]);
  if (kind === "listener") found.push([`port ${portKey(sibling)}`, `port ${Number(port)} for ${String(protocol)}`]);
  if (kind === "loadBalancer" && typeof vipAddress === "string") found.push([`VIP ${vipAddress}`, `VIP ${vipAddress}`]);
  return found;
}

/** UDP has ports of its own. */
export const portKey = ({ fields }: Pick<Desired, "fields">): string =>
  `${Number(fields["port"])}/${fields["protocol"] === "UDP" ? "UDP" : "TCP"}`;
