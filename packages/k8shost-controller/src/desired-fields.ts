import {
  type HealthCheckSpec,
  type ListenerSpec,
  parseSpec,
  type PoolSpec,
  type ResourceKind,
  type Specs,
  toSnakeCase,
  type Violation,
} from "@fiberlb/types";

import { HEALTH_CHECK_FIELDS, PREFIX } from "./annotations.ts";
import { type Problem, problemAt, problemIn } from "./problem.ts";

/** The fields of each kind that the controller decides; what else a resource has is left to people. */
export const OWNED = {
  listener: ["protocol", "port", "allowedCidrs", "certificateIds"],
  pool: ["protocol", "algorithm", "sendProxyProtocol", "sessionPersistence"],
  healthCheck: ["type", "intervalMs", "timeoutMs", "rise", "fall", "http", "grpcService"],
} as const;

/** Of a listener, canonical. */
export type ListenerFields = Pick<ListenerSpec, (typeof OWNED.listener)[number]>;
/** Of a pool, canonical. */
export type PoolFields = Pick<PoolSpec, (typeof OWNED.pool)[number]>;
/** Of a health check, canonical. */
export type HealthCheckFields = Pick<HealthCheckSpec, (typeof OWNED.healthCheck)[number]>;

/** Stands for a parent that need not exist yet. */
const ANY_ID = "00000000-0000-7000-8000-000000000000";

function check<K extends ResourceKind>(
  kind: K,
  input: object,
  parent: string,
): { value?: Specs[K]; violations: readonly Violation[] } {
  const result = parseSpec(kind, { ...input, [parent]: ANY_ID });
  return result.ok ? { value: result.value, violations: [] } : { violations: result.violations };
}

const pick = <T extends object, K extends keyof T>(value: T, keys: readonly K[]): Pick<T, K> =>
  Object.fromEntries(keys.flatMap((key) => (value[key] === undefined ? [] : [[key, value[key]]]))) as Pick<T, K>;

/** A listener's fields; those that are wrong are reported in the words of the Service. */
export function checkListener(
  input: { readonly [Field in keyof ListenerFields]: unknown },
  { namesCertificates, problems }: { readonly namesCertificates: boolean; readonly problems: Problem[] },
): ListenerFields {
  const { value, violations } = check("listener", input, "loadBalancerId");
  for (const { field, description } of violations) {
    if (field.startsWith("allowed_cidrs")) {
      problems.push(problemAt(field.replace("allowed_cidrs", "loadBalancerSourceRanges"), description));
    } else if (field.startsWith("certificate_ids")) {
      // Names that were not found are told already.
      if (!namesCertificates)
        problems.push(
          problemIn(`${PREFIX}certificate`, `must name a certificate for protocol ${String(input.protocol)}`),
        );
      else if (problems.length === 0) problems.push(problemIn(`${PREFIX}certificate`, description));
    } else {
      problems.push(problemAt(field === "port" ? "port" : `listener ${field}`, description));
    }
  }
  return pick(value ?? (input as ListenerFields), OWNED.listener);
}

/** A pool's fields. */
export function checkPool(input: object, problems: Problem[]): PoolFields {
  const { value, violations } = check("pool", input, "loadBalancerId");
  for (const { field, description } of violations) {
    problems.push(
      field === "send_proxy_protocol"
        ? problemIn(`${PREFIX}proxy-protocol`, description)
        : problemAt(`pool ${field}`, description),
    );
  }
  return pick(value ?? (input as PoolFields), OWNED.pool);
}

/** A health check's fields; undefined when they are wrong. */
export function checkHealthCheck(input: object, problems: Problem[]): HealthCheckFields | undefined {
  const { value, violations } = check("healthCheck", input, "poolId");
  const annotations = new Map<string, string>(
    Object.entries(HEALTH_CHECK_FIELDS).map(([field, name]) => [toSnakeCase(field), name]),
  );
  for (const { field, description } of violations) {
    problems.push(problemIn(`${PREFIX}${annotations.get(field) ?? "health-check-type"}`, description));
  }
  return value === undefined ? undefined : pick(value, OWNED.healthCheck);
}
