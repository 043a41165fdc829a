import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { createEntity, madeUpName, parseSpec, resourceKinds, specOf } from "../src/index.ts";
import { badFields, check, idOf, minimal, sample, sentences, specOfMinimal, valueOf } from "./samples.ts";

// The defaults of contract.md, field by field.
describe("defaults", () => {
  it("of a load balancer", () => {
    expect(specOfMinimal("loadBalancer")).toEqual({
      description: "",
      tags: {},
      adminStateUp: true,
      ipFamily: "IPV4",
      deleteProtection: false,
    });
  });

  it("of a listener", () => {
    expect(specOfMinimal("listener", { protocol: "HTTP" })).toEqual({
      description: "",
      tags: {},
      adminStateUp: true,
      loadBalancerId: idOf(1),
      protocol: "HTTP",
      port: 80,
      certificateIds: [],
      clientAuth: "NONE",
      tlsMinVersion: "TLS_1_2",
      alpnProtocols: [],
      connectionLimit: 0,
      clientIdleTimeoutMs: 60_000,
      backendConnectTimeoutMs: 5000,
      backendIdleTimeoutMs: 60_000,
      requestTimeoutMs: 0,
      requestHeaderTimeoutMs: 10_000,
      maxRequestHeaderBytes: 65_536,
      maxUriBytes: 16_384,
      maxHeaderCount: 128,
      maxRequestBodyBytes: 0,
      allowedCidrs: [],
      acceptProxyProtocol: false,
      proxyProtocolTrustedCidrs: [],
      forwardedHeaders: "APPEND",
      addRequestId: true,
      hstsMaxAgeS: 0,
      pathNormalization: "ON",
      exposeReasonHeader: false,
      accessLog: { format: "OFF" },
      newConnectionsPerSPerSource: 0,
      requestsPerSPerSource: 0,
    });
  });

  it.each([
    ["TCP", 350_000, []],
    ["UDP", 60_000, []],
    ["TLS", 350_000, []],
    ["HTTP", 60_000, []],
    ["HTTPS", 60_000, ["h2", "http/1.1"]],
  ])("of a %s listener: idle timeout and ALPN", (protocol, clientIdleTimeoutMs, alpnProtocols) => {
    const certificateIds = protocol === "TLS" || protocol === "HTTPS" ? [idOf(5)] : [];
    const spec = specOfMinimal("listener", { protocol, certificateIds });
    expect(spec).toMatchObject({ clientIdleTimeoutMs, alpnProtocols });
  });

  it("of a pool", () => {
    expect(specOfMinimal("pool")).toEqual({
      description: "",
      tags: {},
      adminStateUp: true,
      loadBalancerId: idOf(1),
      protocol: "TCP",
      algorithm: "ROUND_ROBIN",
      sendProxyProtocol: "NONE",
      drainTimeoutS: 30,
      slowStartS: 0,
      panicThresholdPercent: 0,
      maglev: { tableSize: 0, hashKey: "FIVE_TUPLE" },
      forwarding: "NAT_MASQUERADE",
      onBackendDown: "RESET",
      queueTimeoutMs: 0,
    });
  });

  it("of what a pool may have", () => {
    const spec = specOfMinimal("pool", {
      protocol: "HTTPS",
      outlierDetection: {},
      sessionPersistence: { type: "LB_COOKIE" },
    });
    expect(spec).toMatchObject({
      outlierDetection: { consecutiveErrors: 5, ejectionS: 30, maxEjectedPercent: 10 },
      sessionPersistence: { type: "LB_COOKIE", cookieName: "FIBERLB", timeoutS: 0 },
      backendTls: { skipVerify: false, alpnProtocols: ["http/1.1"] },
    });
    expect(specOfMinimal("pool", { protocol: "HTTPS", backendTls: { skipVerify: true } })).toMatchObject({
      backendTls: { skipVerify: true, alpnProtocols: ["http/1.1"] },
    });
  });

  it("of a backend", () => {
    expect(specOfMinimal("backend")).toEqual({
      description: "",
      tags: {},
      adminStateUp: true,
      poolId: idOf(2),
      address: "192.0.2.10",
      port: 8080,
      weight: 1,
      backup: false,
      maxConnections: 0,
      monitorPort: 0,
      ttlS: 0,
      metadata: {},
    });
  });

  it("of a health check, with http just where it belongs", () => {
    const timing = { intervalMs: 5000, timeoutMs: 2000, rise: 2, fall: 3 };
    const tcp = specOfMinimal("healthCheck");
    expect(tcp).toMatchObject(timing);
    expect(tcp).not.toHaveProperty("http");
    expect(specOfMinimal("healthCheck", { type: "HTTPS" })).toMatchObject({
      ...timing,
      http: { method: "GET", path: "/", expectedCodes: "200" },
    });
  });

  it("of an L7 policy", () => {
    expect(specOfMinimal("l7Policy")).toMatchObject({
      position: 0,
      pools: [],
      redirectHttpCode: 302,
      adminStateUp: true,
    });
    expect(specOfMinimal("l7Policy", { action: "FIXED_RESPONSE" })).toMatchObject({
      fixedResponse: { code: 200, contentType: "text/plain; charset=utf-8", body: "" },
    });
    expect(specOfMinimal("l7Policy", { action: "REDIRECT_TO_POOL", pools: [{ poolId: idOf(2) }] })).toMatchObject({
      pools: [{ poolId: idOf(2), weight: 1 }],
    });
  });

  it("of an L7 rule, a certificate and a VIP pool", () => {
    expect(specOfMinimal("l7Rule")).toMatchObject({ invert: false });
    expect(specOfMinimal("certificate")).not.toHaveProperty("adminStateUp");
    expect(specOfMinimal("vipPool")).toMatchObject({ autoAssign: true, description: "" });
  });
});

describe("parseSpec", () => {
  it.each(resourceKinds)("takes its own answer for a %s again, unchanged", (kind) => {
    const first = specOfMinimal(kind);
    expect(valueOf(parseSpec(kind, first))).toEqual(first);
  });

  it("keeps zero and false apart from absent", () => {
    expect(specOfMinimal("backend", { weight: 0, adminStateUp: false })).toMatchObject({
      weight: 0,
      adminStateUp: false,
    });
    expect(specOfMinimal("pool", { drainTimeoutS: 0 })).toMatchObject({ drainTimeoutS: 0 });
    expect(specOfMinimal("listener", { clientIdleTimeoutMs: 0 })).toMatchObject({ clientIdleTimeoutMs: 0 });
  });

  it("takes empty texts and null for absent, as protobuf does", () => {
    const spec = specOfMinimal("listener", {
      name: "",
      defaultPoolId: "",
      description: null,
      accessLog: { format: "" },
    });
    expect(spec).toEqual(specOfMinimal("listener"));
    expect(sentences(check("listener", { protocol: "" }))).toEqual(["protocol is required"]);
  });

  it("understands enums in short and in full", () => {
    expect(specOfMinimal("pool", { algorithm: "POOL_ALGORITHM_MAGLEV", protocol: "H2C" })).toMatchObject({
      algorithm: "MAGLEV",
      protocol: "H2C",
    });
    const tls = { protocol: "LISTENER_PROTOCOL_TLS", certificateIds: [idOf(5)], tlsMinVersion: "TLS_VERSION_TLS_1_3" };
    expect(specOfMinimal("listener", tls)).toMatchObject({ protocol: "TLS", tlsMinVersion: "TLS_1_3" });
  });

  it("lists every bad field at once: types, ranges, formats, unknown names, and rules between the good ones", () => {
    const result = check("pool", {
      loadBalancerId: "lb-1",
      algorithm: "FASTEST",
      drainTimeoutS: -1,
      panicThresholdPercent: 101,
      slowStartS: "10",
      tags: { a: 1 },
      sessionPersistence: { type: "APP_COOKIE" },
      maglev: { tableSize: 100 },
      backendTls: {},
      aglorithm: "MAGLEV",
    });
    expect(sentences(result)).toEqual([
      'tags["a"] must be printable text, not 1',
      'load_balancer_id must be an id such as 019a3c7e-0b1d-7c44-8f6e-2b9d1c5a7e30, not "lb-1"',
      'algorithm must be one of ROUND_ROBIN, LEAST_CONNECTIONS, IP_HASH, WEIGHTED_ROUND_ROBIN, RANDOM, MAGLEV, not "FASTEST"',
      "drain_timeout_s must be 0 to 86400, not -1",
      'slow_start_s must be a whole number, not "10"',
      "panic_threshold_percent must be 0 to 100, not 101",
      "aglorithm is not a field that a pool takes; did you mean algorithm?",
      "session_persistence.cookie_name is required with APP_COOKIE: the name of the backend's cookie",
      "session_persistence.type must be SOURCE_IP with protocol TCP, not APP_COOKIE",
      "maglev.table_size must be a prime or 0, not 100; the nearest are 97 and 101",
      "backend_tls can only be used with protocol HTTPS, not with TCP",
    ]);
  });

  it("names required fields and gives each violation a reason", () => {
    expect(parseSpec("backend", {})).toEqual({
      ok: false,
      violations: [
        { field: "pool_id", description: "is required", reason: "REQUIRED" },
        { field: "address", description: "is required", reason: "REQUIRED" },
        { field: "port", description: "is required", reason: "REQUIRED" },
      ],
    });
  });

  it("does not blame a field twice when a rule needs what is bad by itself", () => {
    const result = check("listener", {
      protocol: "HTTPS",
      certificateIds: ["x"],
      clientAuth: "REQUIRED",
      clientCaCertificateId: "y",
    });
    expect(badFields(result)).toEqual(["certificate_ids[0]", "client_ca_certificate_id"]);
  });

  it.each([undefined, null, 7, "text", [], [{}]])("refuses %p, which is no object", (input) => {
    expect(sentences(parseSpec("pool", input))[0]).toMatch(/^ (is required|must be an object, not .*)$/);
  });

  it.each(resourceKinds)("never throws and never accepts nonsense for a %s", (kind) => {
    const names = Object.keys(minimal[kind]);
    const nonsense = fc.dictionary(
      fc.oneof(fc.constantFrom(...names, "tags", "name", "maglev", "http"), fc.string()),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(nonsense, (input) => {
        const result = parseSpec(kind, { ...input, zzz: 1 });
        expect(badFields(result)).toContain("zzz");
      }),
    );
  });
});

describe("names", () => {
  it.each(["a", "x".repeat(255), "🙂".repeat(255), "Größe 12", "a/b:c", "日本語"])("accepts %j", (name) => {
    expect(specOfMinimal("pool", { name }).name).toBe(name);
  });

  it.each(["x".repeat(256), " a", "a ", "a\nb", "a\u0000", "\u200b", "a\u2028b", "\ud800"])("refuses %j", (name) => {
    expect(badFields(check("pool", { name }))).toEqual(["name"]);
  });

  it("are made up from kind and id", () => {
    expect(madeUpName("healthCheck", idOf(7))).toBe("health-check-2b9d1c5a7e37");
    expect(valueOf(check("l7Policy", { name: madeUpName("l7Policy", idOf(7)) })).name).toBe("l7-policy-2b9d1c5a7e37");
  });
});

describe("tags", () => {
  it("are at most 64, with keys without spaces", () => {
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, "v"]));
    expect(sentences(check("pool", { tags: many }))).toEqual(["tags must have at most 64 entries, not 65"]);
    expect(badFields(check("pool", { tags: { "a b": "v" } }))).toEqual(['tags["a b"]']);
    expect(badFields(check("pool", { tags: { a: "v".repeat(257) } }))).toEqual(['tags["a"]']);
    expect(specOfMinimal("pool", { tags: { "fiberlb.io/managed-by": "" } }).tags).toEqual({
      "fiberlb.io/managed-by": "",
    });
  });
});

describe("createEntity", () => {
  const times = { createdAt: "2026-01-02T03:04:05.678Z", updatedAt: "2026-01-02T03:04:05.678Z" };
  const record = { id: idOf(9) as never, orgId: "acme", projectId: "shop", name: "web", revision: 1, ...times };

  it("puts spec and record together, the record winning, and fills what is stored only", () => {
    const spec = specOfMinimal("pool", { name: "other" });
    const maglev = { tableSize: 0, hashKey: "FIVE_TUPLE", effectiveTableSize: 0 };
    expect(createEntity("pool", spec, record)).toEqual({ ...spec, ...record, maglev });
  });

  it("refuses a record that is none", () => {
    expect(() => createEntity("pool", specOfMinimal("pool"), { ...record, revision: 0 })).toThrow("must be 1 to");
    expect(() => createEntity("pool", specOfMinimal("pool"), { ...record, orgId: "a/b" })).toThrow(
      "must be 1 to 63 of",
    );
  });
});

it("specOf gives back what Create would take", () => {
  const pool = sample("pool");
  expect(valueOf(parseSpec("pool", specOf("pool", pool)))).toEqual({ ...specOfMinimal("pool"), name: "sample" });
});
