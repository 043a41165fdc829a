import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { healthTargets } from "../../src/health/targets.ts";
import { compile, type Lookups, type ResolveHost, type UnitSource } from "../../src/snapshot/compile.ts";
import { authority, noCertificate, server, shelfOf } from "./certificates.ts";
import { entity, nextId } from "./entities.ts";

const literal: ResolveHost = (host) => (/^[\d.]+$|:/.test(host) ? { address: host } : { problem: "no answer so far" });

const lookups: Lookups = { resolveHost: literal, findCertificate: noCertificate };

interface Wanted {
  readonly loadBalancer?: object;
  readonly listener?: object;
  readonly pool?: object;
  readonly backends?: readonly object[];
  readonly healthCheck?: object;
}

function source({ loadBalancer, listener, pool, backends = [{}], healthCheck }: Wanted = {}): UnitSource {
  const lb = entity("loadBalancer", {
    name: "web",
    record: { vipAddress: "127.10.0.1", vipPool: "default" },
    ...loadBalancer,
  });
  const p = entity("pool", { loadBalancerId: lb.id, name: "app", ...pool });
  return {
    loadBalancer: lb,
    listeners: [
      entity("listener", { loadBalancerId: lb.id, protocol: "TCP", port: 80, defaultPoolId: p.id, ...listener }),
    ],
    pools: [p],
    backends: backends.map((extra, i) =>
      entity("backend", { poolId: p.id, address: `10.0.0.${i + 1}`, port: 8080, ...extra }),
    ),
    healthChecks:
      healthCheck === undefined ? [] : [entity("healthCheck", { poolId: p.id, type: "TCP", ...healthCheck })],
    l7Policies: [],
    l7Rules: [],
  };
}

describe("compile", () => {
  it("knows what protects backends, and leaves out what is off", () => {
    const wanted = { outlierDetection: { ejectionS: 7 }, queueTimeoutMs: 250 };
    const { pools, listeners } = compile(
      source({
        pool: { protocol: "HTTP", ...wanted },
        listener: { protocol: "HTTP", newConnectionsPerSPerSource: 3, requestsPerSPerSource: 4 },
      }),
      lookups,
    );
    expect(pools[0]).toMatchObject({
      outlierDetection: { consecutiveErrors: 5, ejectionMs: 7000, maxEjectedPercent: 10 },
      queueTimeoutMs: 250,
    });
    expect(listeners[0]).toMatchObject({ newConnectionsPerSPerSource: 3, http: { requestsPerSPerSource: 4 } });
  });

  it("makes a unit of effective values", () => {
    const from = source({ healthCheck: {} });
    expect(compile(from, lookups)).toEqual({
      loadBalancerId: from.loadBalancer.id,
      name: "web",
      orgId: "acme",
      projectId: "web",
      vip: "127.10.0.1",
      listeners: [
        {
          id: from.listeners[0]!.id,
          name: "a-listener",
          protocol: "TCP",
          port: 80,
          connectionLimit: 0,
          clientIdleTimeoutMs: 350_000,
          backendConnectTimeoutMs: 5000,
          allowedCidrs: [],
          defaultPoolId: from.pools[0]!.id,
        },
      ],
      pools: [
        {
          id: from.pools[0]!.id,
          name: "app",
          protocol: "TCP",
          algorithm: "ROUND_ROBIN",
          sourceIpPersistence: false,
          drainTimeoutMs: 30_000,
          slowStartMs: 0,
          panicThresholdPercent: 0,
          onBackendDown: "RESET",
          backends: [
            {
              id: from.backends[0]!.id,
              name: "a-backend",
              host: "10.0.0.1",
              address: "10.0.0.1",
              port: 8080,
              weight: 1,
              backup: false,
              maxConnections: 0,
              enabled: true,
              monitored: true,
            },
          ],
        },
      ],
    });
  });

  it.each([
    ["the load balancer is down", { loadBalancer: { adminStateUp: false } }],
    ["the listener is down", { listener: { adminStateUp: false } }],
    [
      "the load balancer is being deleted",
      {
        loadBalancer: {
          record: { vipAddress: "127.10.0.1", vipPool: "default", deletingSince: "2026-01-01T00:00:00.000Z" },
        },
      },
    ],
  ])("opens no listener while %s, and keeps the pool so that connections drain", (_why, wanted) => {
    const unit = compile(source(wanted), lookups);
    expect(unit.listeners).toEqual([]);
    expect(unit.pools).toHaveLength(1);
  });

  it.each([
    ["the backend is down", { backends: [{ adminStateUp: false }] }],
    ["the pool is down", { pool: { adminStateUp: false } }],
    [
      "the backend drains after deregistration",
      { backends: [{ record: { drainingSince: "2026-01-01T00:00:00.000Z" } }] },
    ],
  ])("disables a backend while %s", (_why, wanted) => {
    expect(compile(source(wanted), lookups).pools[0]!.backends[0]!.enabled).toBe(false);
  });

  it("leaves the address of a name without an answer open", () => {
    const backend = compile(source({ backends: [{ address: "app.internal" }] }), lookups).pools[0]!.backends[0]!;
    expect(backend).toMatchObject({ host: "app.internal" });
    expect(backend.address).toBeUndefined();
  });

  it("does not monitor a pool whose health check is down", () => {
    const unit = compile(source({ healthCheck: { adminStateUp: false } }), lookups);
    expect(unit.pools[0]!.backends[0]!.monitored).toBe(false);
  });

  describe("Maglev", () => {
    it.each([
      ["chooses the size by the number of backends", { algorithm: "MAGLEV" }, 1021],
      ["takes the size that was asked for", { algorithm: "MAGLEV", maglev: { tableSize: 65_537 } }, 65_537],
      [
        "keeps the size in use, which only grows",
        {
          algorithm: "MAGLEV",
          record: { maglev: { tableSize: 0, hashKey: "FIVE_TUPLE", effectiveTableSize: 16_381 } },
        },
        16_381,
      ],
    ])("%s", (_what, pool, size) => {
      expect(compile(source({ pool }), lookups).pools[0]!.maglev).toMatchObject({
        tableSize: size,
        hashKey: "FIVE_TUPLE",
      });
    });

    it("is what source-address persistence uses, whatever the algorithm", () => {
      const pool = { algorithm: "LEAST_CONNECTIONS", sessionPersistence: { type: "SOURCE_IP" } };
      expect(compile(source({ pool }), lookups).pools[0]).toMatchObject({
        sourceIpPersistence: true,
        maglev: { hashKey: "SOURCE_IP" },
      });
    });

    it.each([
      ["HEADER", "X-User", "x-user"],
      ["COOKIE", "Session", "Session"],
    ])("hashes a %s by its name", (hashKey, hashKeyName, name) => {
      const pool = { protocol: "HTTP", algorithm: "MAGLEV", maglev: { hashKey, hashKeyName } };
      expect(compile(source({ pool }), lookups).pools[0]!.maglev).toMatchObject({ hashKey, hashKeyName: name });
      // Persistence by source address goes before.
      const sticky = { ...pool, sessionPersistence: { type: "SOURCE_IP" } };
      const { maglev } = compile(source({ pool: sticky }), lookups).pools[0]!;
      expect(maglev).toMatchObject({ hashKey: "SOURCE_IP" });
      expect(maglev).not.toHaveProperty("hashKeyName");
    });

    it("seeds every pool differently, and the same pool always the same", () => {
      const [a, b] = [source({ pool: { algorithm: "MAGLEV" } }), source({ pool: { algorithm: "MAGLEV" } })];
      const seed = (from: UnitSource) => compile(from, lookups).pools[0]!.maglev!.seed;
      expect(seed(a)).toBe(seed(a));
      expect(seed(a)).not.toBe(seed(b));
    });
  });

  it("gives the same unit whatever the order of its sources", () => {
    const from = source({ backends: [{}, {}, {}, {}], pool: { algorithm: "MAGLEV" } });
    const expected = compile(from, lookups);
    fc.assert(
      fc.property(fc.shuffledSubarray([...from.backends], { minLength: 4 }), (backends) => {
        expect(compile({ ...from, backends }, lookups)).toEqual(expected);
      }),
    );
  });
});

describe("what connections begin with", () => {
  it("is a header of the PROXY protocol where the listener and the pool say so", () => {
    const from = source({
      listener: { acceptProxyProtocol: true, proxyProtocolTrustedCidrs: ["10.0.0.0/8"] },
      pool: { sendProxyProtocol: "V2" },
    });
    const { listeners, pools } = compile(from, lookups);
    expect(listeners[0]).toMatchObject({ proxyProtocol: { trustedCidrs: ["10.0.0.0/8"] } });
    expect(pools[0]).toMatchObject({ sendProxyProtocol: "V2" });
  });

  it("is nothing otherwise", () => {
    const { listeners, pools } = compile(source({ listener: { proxyProtocolTrustedCidrs: ["10.0.0.0/8"] } }), lookups);
    expect(Object.keys(listeners[0]!)).not.toEqual(expect.arrayContaining(["proxyProtocol"]));
    expect(Object.keys(listeners[0]!)).not.toEqual(expect.arrayContaining(["sniPolicies"]));
    expect(Object.keys(pools[0]!)).not.toEqual(expect.arrayContaining(["sendProxyProtocol"]));
  });

  it("is looked at by the policies of a TCP listener that have rules", () => {
    const from = source();
    const [listener] = from.listeners;
    const policy = (name: string, position: number) =>
      entity("l7Policy", { listenerId: listener!.id, name, position, action: "REJECT" });
    const [second, first, empty] = [policy("second", 2), policy("first", 1), policy("empty", 3)];
    const l7Rules = [second, first].map(({ id }) =>
      entity("l7Rule", { l7PolicyId: id, type: "SNI", compareType: "EQUAL_TO", value: "a.example" }),
    );
    const compiled = compile({ ...from, l7Policies: [second, first, empty], l7Rules }, lookups);
    expect(compiled.listeners[0]!.sniPolicies!.map(({ name }) => name)).toEqual(["first", "second"]);
    const withoutRules = compile({ ...from, l7Policies: [empty] }, lookups);
    expect(withoutRules.listeners[0]!.sniPolicies).toBeUndefined();
  });
});

describe("healthTargets", () => {
  it("speak the PROXY protocol as traffic does, but not to what listens elsewhere", () => {
    const backends = [{}, { monitorAddress: "10.1.1.1" }, { monitorPort: 99 }];
    const from = source({ pool: { sendProxyProtocol: "V1" }, healthCheck: {}, backends });
    const versions = healthTargets(from, lookups).map(({ check }) => check.sendProxyProtocol);
    expect(versions).toEqual(["V1", undefined, undefined]);
    expect(healthTargets(source({ healthCheck: {} }), lookups)[0]!.check.sendProxyProtocol).toBeUndefined();
  });

  it("knocks at the monitor address and port where there are some", () => {
    const from = source({ healthCheck: {}, backends: [{ monitorAddress: "10.1.1.1", monitorPort: 99 }, {}] });
    expect(healthTargets(from, lookups).map(({ address, port }) => `${address}:${port}`)).toEqual([
      "10.1.1.1:99",
      "10.0.0.2:8080",
    ]);
  });

  it("carries the settings of the check and the names for the log", () => {
    const from = source({
      healthCheck: { type: "HTTP", intervalMs: 500, timeoutMs: 100, http: { path: "/up", expectedCodes: "200-204" } },
    });
    expect(healthTargets(from, lookups)[0]).toMatchObject({
      loadBalancerName: "web",
      poolName: "app",
      check: {
        type: "HTTP",
        intervalMs: 500,
        timeoutMs: 100,
        http: { method: "GET", path: "/up", expectedCodes: "200-204" },
      },
    });
  });

  it("trusts the pool's authority", () => {
    const ca = nextId();
    const from = source({
      pool: { protocol: "HTTPS", backendTls: { caCertificateId: ca, serverName: "app.internal" } },
      healthCheck: { type: "HTTPS" },
    });
    const targets = healthTargets(from, { ...lookups, findCertificate: shelfOf({ [ca]: authority("PEM") }) });
    expect(targets[0]!.check.backendTls).toEqual({ caPem: "PEM", serverName: "app.internal", skipVerify: false });
  });

  it("shows the pool's certificate", () => {
    const own = nextId();
    const pool = { protocol: "HTTPS", backendTls: { clientCertificateId: own } };
    const found = { ...lookups, findCertificate: shelfOf({ [own]: server(own) }) };
    expect(healthTargets(source({ pool, healthCheck: {} }), found)[0]!.check.backendTls).toEqual({
      clientCertificatePem: `chain of ${own}`,
      clientKeyPem: `key of ${own}`,
      skipVerify: false,
    });
  });

  it("checks nothing without the pool's authority, lest the system's be trusted instead", () => {
    const pool = { protocol: "HTTPS", backendTls: { caCertificateId: nextId() } };
    expect(healthTargets(source({ pool, healthCheck: {} }), lookups)).toEqual([]);
  });

  it.each([
    ["there is no health check", {}],
    ["the check is down", { healthCheck: { adminStateUp: false } }],
    ["the pool is down", { healthCheck: {}, pool: { adminStateUp: false } }],
    ["the backend is down", { healthCheck: {}, backends: [{ adminStateUp: false }] }],
    ["the load balancer is down", { healthCheck: {}, loadBalancer: { adminStateUp: false } }],
  ])("checks nothing while %s", (_why, wanted) => expect(healthTargets(source(wanted), lookups)).toEqual([]));

  it("says why a name has no address", () => {
    const from = source({ healthCheck: {}, backends: [{ address: "app.internal" }] });
    expect(healthTargets(from, lookups)[0]).toMatchObject({ host: "app.internal", addressProblem: "no answer so far" });
  });
});
