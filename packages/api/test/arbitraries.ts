import {
  announceKinds,
  clientAuths,
  completeEntity,
  type Entities,
  forwardedHeaderModes,
  healthCheckTypes,
  IdGenerator,
  ipFromBigInt,
  l7CompareTypes,
  listenerProtocols,
  maglevHashKeys,
  onBackendDownActions,
  parseSpec,
  pathNormalizations,
  poolAlgorithms,
  poolForwardings,
  poolProtocols,
  probeMethods,
  proxyProtocolVersions,
  redirectCodes,
  type ResourceKind,
  resourceKinds,
  sessionPersistenceTypes,
  tlsVersions,
  toCamelCase,
  whenAllDownActions,
} from "@fiberlb/types";
import fc from "fast-check";

// Arbitraries for what Create takes. Each field is drawn by its own rules; what breaks a rule between fields is left out
// afterwards by `parseSpec` itself, so that these lists don't repeat the rules.

const id = fc
  .tuple(fc.nat(2 ** 40), fc.uint8Array({ minLength: 10, maxLength: 10 }))
  .map(([ms, random]): string => new IdGenerator({ nowMs: () => ms, fillRandom: (bytes) => bytes.set(random) }).next());
const ipv4 = fc.bigInt(1n << 24n, (223n << 24n) | 0xffffffn).map((value): string => ipFromBigInt(value, "IPV4"));
const ipv6 = fc.bigInt(0x2001n << 112n, (0x2002n << 112n) - 1n).map((value): string => ipFromBigInt(value, "IPV6"));
const ip = fc.oneof(ipv4, ipv6);
const host = fc.oneof(ip, fc.domain());
const cidr = fc.oneof(
  ipv4.map((address) => `${address}/32`),
  ipv6.map((address) => `${address}/128`),
  fc.constant("::/0"),
);
const port = fc.integer({ min: 1, max: 65_535 });
const uint32 = fc.oneof(fc.constant(0), fc.nat(4_294_967_295));
const flag = fc.boolean();
const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,20}$/);
const name = fc.oneof(word, fc.constantFrom("web", "x".repeat(255), "Größe 🙂", '"quoted"'));
const path = fc.stringMatching(/^\/[a-z0-9/._-]{0,20}$/);
const labels = fc.dictionary(
  fc.oneof(word, fc.constant("fiberlb.io/managed-by")),
  fc.string({ maxLength: 20, unit: fc.constantFrom("a", "Z", "é", " ") }),
  {
    maxKeys: 5,
  },
);
const timeoutMs = fc.nat(604_800_000);
const maybe = <T>(values: readonly T[]) => fc.constantFrom(...values);
const unique = (item: fc.Arbitrary<string>, maxLength = 4) => fc.uniqueArray(item, { maxLength });

type Fields = Record<string, fc.Arbitrary<unknown>>;

/** Any of the fields may be absent, but for those named. */
const some = (fields: Fields, required: readonly string[] = []): fc.Arbitrary<object> =>
  fc.record(fields, { requiredKeys: [...required] });

const common: Fields = {
  name,
  description: fc.string({ maxLength: 50, unit: "grapheme-ascii" }),
  tags: labels,
  adminStateUp: flag,
};

const specs: { readonly [K in ResourceKind]: fc.Arbitrary<object> } = {
  loadBalancer: some({ ...common, vipAddress: ip, vipPool: word, deleteProtection: flag }),
  listener: some(
    {
      ...common,
      loadBalancerId: id,
      protocol: maybe(listenerProtocols),
      port,
      defaultPoolId: id,
      certificateIds: unique(id),
      clientAuth: maybe(clientAuths),
      clientCaCertificateId: id,
      tlsMinVersion: maybe(tlsVersions),
      alpnProtocols: unique(maybe(["h2", "http/1.1"])),
      connectionLimit: uint32,
      clientIdleTimeoutMs: timeoutMs,
      backendConnectTimeoutMs: timeoutMs,
      backendIdleTimeoutMs: timeoutMs,
      requestTimeoutMs: timeoutMs,
      requestHeaderTimeoutMs: timeoutMs,
      maxRequestHeaderBytes: fc.integer({ min: 70_000, max: 1_048_576 }),
      maxUriBytes: fc.integer({ min: 64, max: 60_000 }),
      maxHeaderCount: fc.integer({ min: 1, max: 10_000 }),
      maxRequestBodyBytes: fc.nat(Number.MAX_SAFE_INTEGER),
      allowedCidrs: unique(cidr),
      acceptProxyProtocol: flag,
      proxyProtocolTrustedCidrs: unique(cidr),
      forwardedHeaders: maybe(forwardedHeaderModes),
      addRequestId: flag,
      hstsMaxAgeS: uint32,
      pathNormalization: maybe(pathNormalizations),
      exposeReasonHeader: flag,
      accessLog: some({ format: fc.constantFrom("OFF", "JSON", "%h %r"), path: word }),
      newConnectionsPerSPerSource: uint32,
      requestsPerSPerSource: uint32,
    },
    ["loadBalancerId", "protocol", "port"],
  ),
  pool: some(
    {
      ...common,
      loadBalancerId: id,
      protocol: maybe(poolProtocols),
      algorithm: maybe(poolAlgorithms),
      sessionPersistence: some({ type: maybe(sessionPersistenceTypes), cookieName: word, timeoutS: fc.nat(604_800) }, [
        "type",
      ]),
      sendProxyProtocol: maybe(proxyProtocolVersions),
      backendTls: some({
        caCertificateId: id,
        serverName: host,
        clientCertificateId: id,
        skipVerify: flag,
        alpnProtocols: unique(maybe(["h2", "http/1.1"])),
      }),
      drainTimeoutS: fc.nat(86_400),
      slowStartS: fc.nat(3600),
      panicThresholdPercent: fc.nat(100),
      maglev: some({
        tableSize: fc.constantFrom(0, 7, 65_537, 5_000_011),
        hashKey: maybe(maglevHashKeys),
        hashKeyName: word,
      }),
      forwarding: maybe(poolForwardings),
      onBackendDown: maybe(onBackendDownActions),
      outlierDetection: some({
        consecutiveErrors: fc.integer({ min: 1, max: 1000 }),
        ejectionS: fc.integer({ min: 1, max: 86_400 }),
        maxEjectedPercent: fc.nat(100),
      }),
      queueTimeoutMs: fc.nat(600_000),
    },
    ["loadBalancerId"],
  ),
  backend: some(
    {
      ...common,
      poolId: id,
      address: host,
      port,
      weight: fc.nat(256),
      backup: flag,
      maxConnections: uint32,
      monitorAddress: host,
      monitorPort: fc.nat(65_535),
      ttlS: fc.nat(86_400),
      metadata: labels,
    },
    ["poolId", "address", "port"],
  ),
  healthCheck: some(
    {
      ...common,
      poolId: id,
      type: maybe(healthCheckTypes),
      intervalMs: fc.integer({ min: 10_000, max: 3_600_000 }),
      timeoutMs: fc.integer({ min: 1, max: 5000 }),
      rise: fc.integer({ min: 1, max: 100 }),
      fall: fc.integer({ min: 1, max: 100 }),
      http: some({
        method: maybe(probeMethods),
        path,
        host: word,
        expectedCodes: fc.constantFrom("200", "200,204", "200-299"),
      }),
      grpcService: word,
    },
    ["poolId", "type"],
  ),
  l7Policy: fc.oneof(
    policy("REDIRECT_TO_POOL", {
      redirectPoolId: id,
      rewrite: some({ host: word, pathPrefix: path }, ["host"]),
      setRequestHeaders: labelsOf("x-"),
    }),
    policy("REDIRECT_TO_POOL", { pools: weightedPools() }, ["pools"]),
    policy("REDIRECT_TO_URL", { redirectUrl: fc.webUrl(), redirectHttpCode: maybe(redirectCodes) }, ["redirectUrl"]),
    policy(
      "REDIRECT_PREFIX",
      { redirectPrefix: fc.constant("https://#{host}/v2"), redirectHttpCode: maybe(redirectCodes) },
      ["redirectPrefix"],
    ),
    policy("REJECT", {}),
    policy("FIXED_RESPONSE", {
      fixedResponse: some({
        code: fc.integer({ min: 400, max: 599 }),
        contentType: fc.constant("text/html"),
        body: word,
      }),
    }),
  ),
  l7Rule: fc.oneof(
    rule(["HOST_NAME", "SNI"], l7CompareTypes, fc.domain()),
    rule(["PATH"], l7CompareTypes, path),
    rule(["FILE_TYPE", "METHOD"], ["EQUAL_TO", "REGEX"], word),
    rule(["SOURCE_IP"], ["EQUAL_TO"], fc.oneof(ip, cidr)),
    rule(["HEADER", "COOKIE", "QUERY", "SSL_DN_FIELD"], l7CompareTypes, word, {
      key: fc.stringMatching(/^[A-Za-z]{1,9}$/),
    }),
    rule(["SSL_CONN_HAS_CERT"], ["EQUAL_TO"], fc.constantFrom("true", "false")),
  ),
  certificate: some(
    {
      name,
      description: word,
      tags: labels,
      type: fc.constant("SERVER"),
      certificatePem: fc.constant("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
      privateKeyPem: fc.constant("-----BEGIN EC PRIVATE KEY-----\nMIIB\n-----END EC PRIVATE KEY-----\n"),
    },
    ["type", "certificatePem", "privateKeyPem"],
  ),
  vipPool: some(
    {
      name,
      description: word,
      cidrs: fc.uniqueArray(cidr, { minLength: 1, maxLength: 3 }),
      autoAssign: flag,
      announce: some({ kind: maybe(announceKinds), interface: fc.constantFrom("eth0", "bond0.17") }),
      bgp: some({
        nextHop: fc.oneof(fc.constant("self"), ipv4),
        nextHopV6: fc.oneof(fc.constant("self"), ipv6),
        communities: unique(fc.tuple(fc.nat(65_535), fc.nat(65_535)).map((parts) => parts.join(":"))),
        largeCommunities: unique(fc.tuple(uint32, uint32, uint32).map((parts) => parts.join(":"))),
        localPref: uint32,
        med: uint32,
        aggregateV4: fc.integer({ min: 8, max: 32 }),
        aggregateV6: fc.integer({ min: 16, max: 128 }),
        whenAllDown: maybe(whenAllDownActions),
      }),
    },
    ["name", "cidrs"],
  ),
};

function policy(action: string, fields: Fields, required: readonly string[] = []): fc.Arbitrary<object> {
  const own = {
    action: fc.constant(action),
    listenerId: id,
    position: fc.nat(1_000_000),
    setResponseHeaders: labelsOf("y-"),
  };
  return some({ ...common, ...own, ...fields }, ["action", "listenerId", ...required]);
}

function weightedPools(): fc.Arbitrary<object[]> {
  return fc.array(some({ poolId: id, weight: fc.nat(256) }, ["poolId"]), { minLength: 1, maxLength: 4 });
}

function labelsOf(prefix: string): fc.Arbitrary<Record<string, string>> {
  return fc.dictionary(
    fc.stringMatching(/^[a-z]{1,8}$/).map((key) => prefix + key),
    fc.oneof(word, fc.constant("")),
    { maxKeys: 4 },
  );
}

function rule(
  types: readonly string[],
  compareTypes: readonly string[],
  value: fc.Arbitrary<string>,
  fields: Fields = {},
): fc.Arbitrary<object> {
  const own = { l7PolicyId: id, type: maybe(types), compareType: maybe(compareTypes), value, invert: flag, ...fields };
  return some({ ...common, ...own }, Object.keys(own));
}

/** A stored entity of any kind, and its kind. */
export interface AnyEntity<K extends ResourceKind = ResourceKind> {
  readonly kind: K;
  /** What a client sent. */
  readonly input: object;
  readonly entity: Entities[K];
}

const timestamp = fc
  .date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true })
  .map((date) => date.toISOString());

const record = fc.record({
  id,
  revision: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  createdAt: timestamp,
  updatedAt: timestamp,
});

const extras: { readonly [K in ResourceKind]?: fc.Arbitrary<object> } = {
  loadBalancer: fc.record({ vipAddress: ip, vipPool: word }),
  pool: fc.nat(5_000_011).map((effectiveTableSize) => ({ maglev: { effectiveTableSize } })),
  l7Policy: fc.record({ position: fc.integer({ min: 1, max: 1_000_000 }) }),
  certificate: fc.record({
    subject: word.map((cn) => `CN=${cn}`),
    sans: fc.array(fc.domain(), { maxLength: 3 }),
    notBefore: timestamp,
    notAfter: timestamp,
    fingerprintSha256: fc.stringMatching(/^[0-9a-f]{64}$/),
  }),
};

/** What a client may send to create a resource of the kind; every rule is kept. */
export const specInput = (kind: ResourceKind): fc.Arbitrary<object> =>
  specs[kind].map((input) => withoutViolations(kind, input)).filter((input) => parseSpec(kind, input).ok);

/** Leaves out the fields that the rules refuse beside the others, which keeps most draws. */
function withoutViolations(kind: ResourceKind, input: object): object {
  const result = parseSpec(kind, input);
  if (result.ok) return input;
  const refused = new Set(result.violations.map(({ field }) => toCamelCase(/^[a-z0-9_]+/.exec(field)?.[0] ?? "")));
  const kept = Object.entries(input).filter(([field]) => !refused.has(field));
  return kept.length < Object.keys(input).length ? withoutViolations(kind, Object.fromEntries(kept)) : input;
}

export function entityOf(kind: ResourceKind): fc.Arbitrary<AnyEntity> {
  return fc.tuple(specInput(kind), record, extras[kind] ?? fc.constant({})).map(([input, written, extra]) => {
    const parsed = parseSpec(kind, input);
    if (!parsed.ok) throw new Error("specInput gives valid input");
    const { privateKeyPem: _, ...spec } = parsed.value as { name?: string; privateKeyPem?: string; maglev?: object };
    const tenant = kind === "vipPool" ? {} : { orgId: "acme", projectId: "shop" };
    const maglev = "maglev" in extra ? { maglev: { ...spec.maglev, ...(extra.maglev as object) } } : {};
    const value = { name: "made-up", ...tenant, ...extra, ...spec, ...maglev, ...written };
    if (kind === "l7Policy") Object.assign(value, extra);
    return { kind, input, entity: completeEntity(kind, value) };
  });
}

export const anyEntity: fc.Arbitrary<AnyEntity> = fc.constantFrom(...resourceKinds).chain(entityOf);
