import fc from "fast-check";

// Arbitrary files for apply: whole load balancers whose parts fit each other, with names, ports and addresses apart.

type Fields = Record<string, unknown>;

const word = fc.stringMatching(/^[a-z]{1,6}$/);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const some = (fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Fields> =>
  fc.record(fields, { requiredKeys: [] }) as fc.Arbitrary<Fields>;

const tags = fc.dictionary(word, word, { maxKeys: 2 });

const backend = fc
  .record({ host: fc.nat(5), port: fc.integer({ min: 1, max: 4 }), named: fc.boolean() })
  .chain(({ host, port, named }) =>
    some({ weight: fc.nat(256), backup: fc.boolean(), metadata: tags, maxConnections: fc.nat(9) }).map((own) => ({
      address: `10.0.0.${host}`,
      port,
      ...(named && { name: `b${host}-${port}` }),
      ...own,
    })),
  );

const healthChecks = {
  HTTP: some({
    intervalMs: fc.integer({ min: 2000, max: 9000 }),
    http: some({ path: fc.constant("/ready") }),
    rise: fc.integer({ min: 1, max: 4 }),
  }),
  TCP: some({ fall: fc.integer({ min: 1, max: 4 }) }),
} as const;

const healthCheck = fc
  .constantFrom("HTTP", "TCP")
  .chain((type) => healthChecks[type as "HTTP"].map((own) => ({ type, ...own })));

const pool = (name: string, protocol: string): fc.Arbitrary<Fields> =>
  fc
    .tuple(
      some({
        algorithm: fc.constantFrom("ROUND_ROBIN", "MAGLEV", "POOL_ALGORITHM_RANDOM"),
        drainTimeoutS: fc.nat(60),
        description: word,
        tags,
        outlierDetection: some({ ejectionS: fc.integer({ min: 1, max: 9 }) }),
        maglev: some({ tableSize: fc.constantFrom(0, 1021) }),
      }),
      fc.uniqueArray(backend, { selector: ({ address, port }) => `${address}:${port}`, maxLength: 4 }),
      maybe(healthCheck),
    )
    .map(([own, backends, check]) => ({
      name,
      protocol,
      ...own,
      backends,
      ...(check !== undefined && { healthCheck: check }),
    }));

const rule = fc.record({
  type: fc.constant("PATH"),
  compareType: fc.constantFrom("STARTS_WITH", "EQUAL_TO"),
  value: word.map((path) => `/${path}`),
});

const policy = (pools: readonly string[]): fc.Arbitrary<Fields> => {
  const action = fc.oneof(
    fc.constant<Fields>({ action: "REJECT" }),
    fc.constant<Fields>({ action: "FIXED_RESPONSE", fixedResponse: { code: 418 } }),
    fc.constantFrom(...pools).map((name): Fields => ({ action: "REDIRECT_TO_POOL", pool: name })),
    fc
      .constantFrom(...pools)
      .map((name): Fields => ({ action: "REDIRECT_TO_POOL", pools: [{ pool: name, weight: 3 }] })),
  );
  return fc.tuple(action, maybe(word), fc.array(rule, { maxLength: 2 })).map(([own, name, rules]) => ({
    ...own,
    ...(name !== undefined && { name }),
    rules,
  }));
};

const listener = (name: string, index: number, pools: readonly string[]): fc.Arbitrary<Fields> =>
  fc
    .tuple(
      some({
        connectionLimit: fc.nat(9),
        allowedCidrs: fc.constant(["10.0.0.0/8"]),
        adminStateUp: fc.boolean(),
        accessLog: some({ format: fc.constant("JSON") }),
      }),
      maybe(fc.constantFrom(...pools)),
      fc.uniqueArray(policy(pools), { selector: (one) => one["name"] ?? {}, maxLength: 4 }),
      fc.constantFrom(0, 1),
    )
    .map(([own, defaultPool, policies, shift]) => ({
      name,
      protocol: "HTTP",
      port: 8000 + index * 2 + shift,
      ...own,
      ...(defaultPool !== undefined && { defaultPool }),
      policies,
    }));

const loadBalancer = (name: string, index: number): fc.Arbitrary<Fields> =>
  fc
    .tuple(
      some({
        description: word,
        tags,
        adminStateUp: fc.boolean(),
        vipAddress: fc.constantFrom(`127.10.${index}.1`, `127.10.${index}.2`),
      }),
      fc.uniqueArray(fc.constantFrom("app", "api", "old"), { minLength: 1, maxLength: 3 }),
      fc.constantFrom("HTTP", "H2C"),
      fc.uniqueArray(fc.constantFrom("http", "alt"), { maxLength: 2 }),
    )
    .chain(([own, poolNames, protocol, listenerNames]) =>
      fc
        .tuple(
          fc.tuple(...poolNames.map((poolName) => pool(poolName, protocol))),
          fc.tuple(...listenerNames.map((listenerName, at) => listener(listenerName, at, poolNames))),
        )
        .map(([pools, listeners]) => ({ name, ...own, pools, listeners })),
    );

/** Any file for apply. */
export const anyFile: fc.Arbitrary<Fields> = fc
  .uniqueArray(fc.constantFrom("web", "shop"), { maxLength: 2 })
  .chain((names) => fc.tuple(...names.map((name) => loadBalancer(name, name.length))))
  .map((loadBalancers) => ({ loadBalancers }));
