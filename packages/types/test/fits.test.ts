import { describe, expect, it } from "@jest/globals";

import {
  type Cidr,
  cidrMisfits,
  healthCheckFitsPool,
  healthCheckMisfit,
  healthCheckTypes,
  type IpAddress,
  l7RuleTypes,
  listenerProtocols,
  policyMisfit,
  poolFitsListener,
  poolMisfit,
  poolProtocols,
  rewriteMisfit,
  ruleMisfit,
} from "../src/index.ts";

describe("pool and listener", () => {
  const fitting = listenerProtocols.flatMap((listener) =>
    poolProtocols.filter((pool) => poolFitsListener(listener, pool)).map((pool) => `${listener}→${pool}`),
  );

  it("fit just as the contract says", () => {
    expect(fitting).toEqual([
      "TCP→TCP",
      "UDP→UDP",
      "TLS→TCP",
      "HTTP→HTTP",
      "HTTP→HTTPS",
      "HTTP→H2C",
      "HTTPS→HTTP",
      "HTTPS→HTTPS",
      "HTTPS→H2C",
    ]);
  });

  it("say what would fit", () => {
    expect(poolMisfit("default_pool_id", "TCP", "TCP")).toBeUndefined();
    expect(poolMisfit("default_pool_id", "HTTP", "UDP")).toEqual({
      field: "default_pool_id",
      description: "must name a pool with protocol HTTP, HTTPS, H2C when the listener's is HTTP, not UDP",
      reason: "INVALID_COMBINATION",
    });
  });
});

describe("health check and pool", () => {
  it("UDP pools take UDP, TCP and HTTP checks, the others all but UDP", () => {
    expect(healthCheckTypes.filter((type) => healthCheckFitsPool(type, "UDP"))).toEqual(["TCP", "HTTP", "UDP"]);
    for (const pool of ["TCP", "HTTP", "HTTPS", "H2C"] as const) {
      expect(healthCheckTypes.filter((type) => !healthCheckFitsPool(type, pool))).toEqual(["UDP"]);
    }
  });

  it("say what would fit", () => {
    expect(healthCheckMisfit("type", "GRPC", "UDP")?.description).toBe(
      "must be UDP, TCP or HTTP for a pool with protocol UDP, not GRPC",
    );
    expect(healthCheckMisfit("type", "UDP", "TCP")?.description).toBe("cannot be UDP for a pool with protocol TCP");
    expect(healthCheckMisfit("type", "TCP", "TCP")).toBeUndefined();
  });
});

it("networks must be of the VIP's family", () => {
  const cidrs = ["10.0.0.0/8", "2001:db8::/32", "::/0"] as Cidr[];
  expect(cidrMisfits("allowed_cidrs", cidrs, "10.0.0.1" as IpAddress)).toEqual([
    expect.objectContaining({
      field: "allowed_cidrs[1]",
      description: "must be IPV4 like the VIP 10.0.0.1, not 2001:db8::/32",
    }),
    expect.objectContaining({ field: "allowed_cidrs[2]" }),
  ]);
  expect(cidrMisfits("allowed_cidrs", cidrs.slice(1), "2001:db8::1" as IpAddress)).toEqual([]);
});

describe("L7 on listeners", () => {
  it("policies work on HTTP and HTTPS, and as SNI passthrough on TCP", () => {
    expect(policyMisfit("action", "HTTP", "FIXED_RESPONSE")).toBeUndefined();
    expect(policyMisfit("action", "TCP", "REJECT")).toBeUndefined();
    expect(policyMisfit("action", "TCP", "REDIRECT_TO_URL")?.description).toBe(
      "must be REDIRECT_TO_POOL or REJECT on a TCP listener, not REDIRECT_TO_URL",
    );
    expect(policyMisfit("listener_id", "UDP", "REJECT")?.description).toBe(
      "must name an HTTP, HTTPS or TCP listener, not a UDP one",
    );
    expect(policyMisfit("listener_id", "TLS", "REJECT")).toBeDefined();
  });

  it("rules see SNI alone on TCP, no TLS on HTTP, everything on HTTPS", () => {
    expect(l7RuleTypes.filter((type) => ruleMisfit("type", "TCP", type) === undefined)).toEqual(["SNI"]);
    expect(l7RuleTypes.filter((type) => ruleMisfit("type", "HTTP", type) !== undefined)).toEqual([
      "SNI",
      "SSL_CONN_HAS_CERT",
      "SSL_DN_FIELD",
    ]);
    expect(l7RuleTypes.every((type) => ruleMisfit("type", "HTTPS", type) === undefined)).toBe(true);
  });

  it("rewriting a prefix needs the one rule that names it", () => {
    const prefix = { type: "PATH", compareType: "STARTS_WITH", invert: false } as const;
    const policy = { rewrite: { pathPrefix: "/v2" as const } };
    expect(rewriteMisfit(policy, [prefix, { ...prefix, compareType: "CONTAINS" }])).toBeUndefined();
    expect(rewriteMisfit(policy, [])?.description).toBe("needs exactly one rule PATH STARTS_WITH, not 0");
    expect(rewriteMisfit(policy, [prefix, prefix])).toBeDefined();
    expect(rewriteMisfit(policy, [{ ...prefix, invert: true }])).toBeDefined();
    expect(rewriteMisfit({ rewrite: { host: "a" } }, [])).toBeUndefined();
  });
});
