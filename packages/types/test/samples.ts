import {
  type CheckResult,
  completeEntity,
  type Entities,
  type Id,
  parseSpec,
  type ResourceKind,
  type Specs,
  type Violation,
} from "../src/index.ts";

/** Ids that differ in their last digit. */
export const idOf = (digit: number): Id => `019a3c7e-0b1d-7c44-8f6e-2b9d1c5a7e3${digit}` as Id;

const PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const KEY = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";

/** The least that each Create takes. */
export const minimal: { readonly [K in ResourceKind]: Readonly<Record<string, unknown>> } = {
  loadBalancer: {},
  listener: { loadBalancerId: idOf(1), protocol: "TCP", port: 80 },
  pool: { loadBalancerId: idOf(1) },
  backend: { poolId: idOf(2), address: "192.0.2.10", port: 8080 },
  healthCheck: { poolId: idOf(2), type: "TCP" },
  l7Policy: { listenerId: idOf(3), action: "REJECT" },
  l7Rule: { l7PolicyId: idOf(4), type: "PATH", compareType: "STARTS_WITH", value: "/api" },
  certificate: { type: "SERVER", certificatePem: PEM, privateKeyPem: KEY },
  vipPool: { name: "default", cidrs: ["203.0.113.0/24"] },
};

const tenantRecord = { id: idOf(9), orgId: "acme", projectId: "shop", name: "sample", revision: 1 };
const times = { createdAt: "2026-01-02T03:04:05.678Z", updatedAt: "2026-01-02T03:04:05.678Z" };

const extras: { readonly [K in ResourceKind]?: object } = {
  loadBalancer: { vipAddress: "203.0.113.7", vipPool: "default" },
  l7Policy: { position: 1 },
  certificate: {
    subject: "CN=example.com",
    sans: ["example.com"],
    notBefore: "2026-01-01T00:00:00.000Z",
    notAfter: "2027-01-01T00:00:00.000Z",
    fingerprintSha256: "ab".repeat(32),
    sealedPrivateKey: "c2VhbGVk",
  },
};

/** What `parseSpec` makes of the least input with `fields` over it. */
export const check = <K extends ResourceKind>(kind: K, fields: object = {}): CheckResult<Specs[K]> =>
  parseSpec(kind, { ...minimal[kind], ...fields });

export function specOfMinimal<K extends ResourceKind>(kind: K, fields: object = {}): Specs[K] {
  return valueOf(check(kind, fields));
}

/** A stored entity of the kind. */
export function sample<K extends ResourceKind>(kind: K, fields: object = {}): Entities[K] {
  const { orgId, projectId, ...untenanted } = tenantRecord;
  const record = kind === "vipPool" ? untenanted : { ...untenanted, orgId, projectId };
  const { privateKeyPem: _, ...spec } = specOfMinimal(kind, fields) as { privateKeyPem?: string };
  return completeEntity(kind, { ...spec, ...record, ...times, ...extras[kind] });
}

export function valueOf<T>(result: CheckResult<T>): T {
  if (result.ok) return result.value;
  throw new Error(result.violations.map(({ field, description }) => `${field} ${description}`).join("; "));
}

export function violationsOf(result: CheckResult<unknown>): readonly Violation[] {
  return result.ok ? [] : result.violations;
}

/** `port must be …`, as a person reads them. */
export const sentences = (result: CheckResult<unknown>): readonly string[] =>
  violationsOf(result).map(({ field, description }) => `${field} ${description}`);

export const badFields = (result: CheckResult<unknown>): readonly string[] =>
  violationsOf(result).map(({ field }) => field);
