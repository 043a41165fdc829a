import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { compile, type UnitSource } from "../../src/snapshot/compile.ts";
import type { HttpUnit, PolicyUnit, PoolUnit } from "../../src/snapshot/snapshot.ts";
import { server, shelfOf } from "./certificates.ts";
import { entity, nextId } from "./entities.ts";

const listenerId = nextId();
const poolId = nextId();
const certificateId = nextId();

interface Wanted {
  readonly listener?: object;
  readonly pool?: object;
  readonly policies?: readonly object[];
  /** By index of their policy. */
  readonly rules?: readonly (readonly object[])[];
}

function source({ listener, pool, policies = [], rules = [] }: Wanted): UnitSource {
  const loadBalancer = entity("loadBalancer", { record: { vipAddress: "127.10.0.1", vipPool: "default" } });
  const l7Policies = policies.map((fields, index) =>
    entity("l7Policy", { listenerId, position: index + 1, action: "REJECT", ...fields }),
  );
  return {
    loadBalancer,
    listeners: [
      entity("listener", { id: listenerId, loadBalancerId: loadBalancer.id, protocol: "HTTP", port: 80, ...listener }),
    ],
    pools: [entity("pool", { id: poolId, loadBalancerId: loadBalancer.id, protocol: "HTTP", ...pool })],
    backends: [],
    healthChecks: [],
    l7Policies,
    l7Rules: rules.flatMap((all, index) =>
      all.map((fields) =>
        entity("l7Rule", {
          l7PolicyId: l7Policies[index]!.id,
          type: "PATH",
          compareType: "STARTS_WITH",
          value: "/api",
          ...fields,
        }),
      ),
    ),
  };
}

const unitOf = (from: UnitSource) =>
  compile(from, { resolveHost: () => ({}), findCertificate: shelfOf({ [certificateId]: server(certificateId) }) });
const httpOf = (wanted: Wanted): HttpUnit | undefined => unitOf(source(wanted)).listeners[0]!.http;
const policiesOf = (wanted: Wanted): readonly PolicyUnit[] => httpOf(wanted)!.policies;
const poolOf = (pool: object): PoolUnit => unitOf(source({ pool })).pools[0]!;

const toPool = { action: "REDIRECT_TO_POOL", redirectPoolId: poolId };

describe("the HTTP part of a listener", () => {
  it("has the defaults of the contract", () => {
    expect(httpOf({})).toEqual({
      backendIdleTimeoutMs: 60_000,
      requestTimeoutMs: 0,
      requestHeaderTimeoutMs: 10_000,
      maxRequestHeaderBytes: 65_536,
      maxUriBytes: 16_384,
      maxHeaderCount: 128,
      maxRequestBodyBytes: 0,
      forwardedHeaders: "APPEND",
      addRequestId: true,
      hstsMaxAgeS: 0,
      pathNormalization: "ON",
      exposeReasonHeader: false,
      policies: [],
    });
  });

  it("has what was asked for", () => {
    const asked = {
      backendIdleTimeoutMs: 1,
      requestTimeoutMs: 2,
      requestHeaderTimeoutMs: 3,
      maxRequestHeaderBytes: 4096,
      maxUriBytes: 100,
      maxHeaderCount: 6,
      maxRequestBodyBytes: 7,
      forwardedHeaders: "REMOVE",
      addRequestId: false,
      hstsMaxAgeS: 8,
      pathNormalization: "OFF",
      exposeReasonHeader: true,
    };
    const listener = { ...asked, protocol: "HTTPS", certificateIds: [certificateId] };
    expect(httpOf({ listener })).toEqual({ ...asked, policies: [] });
  });

  it.each(["TCP", "UDP"])("is absent with %s", (protocol) =>
    expect(httpOf({ listener: { protocol } })).toBeUndefined(),
  );
});

describe("policies", () => {
  it("stand in the order of their positions", () => {
    const policies = [
      { name: "b", position: 2 },
      { name: "c", position: 3 },
      { name: "a", position: 1 },
    ];
    expect(policiesOf({ policies }).map(({ name }) => name)).toEqual(["a", "b", "c"]);
  });

  it("and rules are left out while they are down", () => {
    const unit = policiesOf({
      policies: [{ name: "off", adminStateUp: false }, { name: "on" }],
      rules: [[{}], [{ value: "/a" }, { value: "/b", adminStateUp: false }]],
    });
    expect(unit.map(({ name, rules }) => [name, rules.map(({ value }) => value)])).toEqual([["on", ["/a"]]]);
  });

  it("of another listener are not in here", () => {
    expect(policiesOf({ policies: [{ listenerId: nextId() }] })).toEqual([]);
  });

  it("carry their rules", () => {
    const [policy] = policiesOf({
      policies: [{}],
      rules: [[{ type: "HEADER", compareType: "EQUAL_TO", key: "X-Tier", value: "gold", invert: true }]],
    });
    expect(policy!.rules).toEqual([
      { id: expect.any(String), type: "HEADER", compareType: "EQUAL_TO", key: "X-Tier", value: "gold", invert: true },
    ]);
  });

  it.each([
    ["to one pool", toPool, { pools: [{ poolId, weight: 1 }], setRequestHeaders: [] }],
    [
      "to weighted pools",
      { action: "REDIRECT_TO_POOL", pools: [{ poolId, weight: 90 }] },
      { pools: [{ poolId, weight: 90 }], setRequestHeaders: [] },
    ],
    [
      "to a pool with edits",
      { ...toPool, rewrite: { host: "internal", pathPrefix: "/v2" }, setRequestHeaders: { "X-B": "2", "X-A": "" } },
      {
        pools: [{ poolId, weight: 1 }],
        rewriteHost: "internal",
        rewritePath: { from: "/api", to: "/v2" },
        setRequestHeaders: [
          { name: "X-A", value: "" },
          { name: "X-B", value: "2" },
        ],
      },
    ],
    [
      "to a URL",
      { action: "REDIRECT_TO_URL", redirectUrl: "https://a.example/#{path}", redirectHttpCode: 308 },
      { url: "https://a.example/#{path}", code: 308 },
    ],
    [
      "behind a prefix",
      { action: "REDIRECT_PREFIX", redirectPrefix: "https://a.example" },
      { url: "https://a.example", code: 302 },
    ],
    [
      "to an answer",
      { action: "FIXED_RESPONSE", fixedResponse: { code: 503, body: "later" } },
      { code: 503, contentType: "text/plain; charset=utf-8", body: "later" },
    ],
    ["nowhere", { action: "REJECT" }, {}],
  ])("send requests %s", (_where, policy: { readonly action: string }, expected) => {
    const [unit] = policiesOf({ policies: [policy], rules: [[{}]] });
    expect(unit!.action).toEqual({ type: policy.action, ...expected });
  });

  it("carry the edits of responses", () => {
    const [unit] = policiesOf({ policies: [{ setResponseHeaders: { Server: "" } }] });
    expect(unit!.setResponseHeaders).toEqual([{ name: "Server", value: "" }]);
  });

  it.each([
    ["there is none", []],
    ["there are two", [{ value: "/a" }, { value: "/b" }]],
    ["it is inverted", [{ invert: true }]],
    ["it is down", [{ adminStateUp: false }]],
  ])("rewrite no path when %s for the only PATH STARTS_WITH rule", (_why, rules) => {
    const [unit] = policiesOf({ policies: [{ ...toPool, rewrite: { pathPrefix: "/v2" } }], rules: [rules] });
    expect(unit!.action).not.toHaveProperty("rewritePath");
  });
});

describe("pools", () => {
  it.each([
    [{ type: "LB_COOKIE" }, { type: "LB_COOKIE", cookieName: "FIBERLB", timeoutS: 0 }],
    [
      { type: "APP_COOKIE", cookieName: "sid", timeoutS: 60 },
      { type: "APP_COOKIE", cookieName: "sid", timeoutS: 60 },
    ],
    [{ type: "SOURCE_IP" }, undefined],
  ])("keep clients with %j", (sessionPersistence, session) =>
    expect(poolOf({ sessionPersistence }).session).toEqual(session),
  );

  it("say how backends are spoken to over TLS", () => {
    expect(poolOf({ protocol: "HTTPS" }).backendTls).toEqual({ skipVerify: false, alpnProtocols: ["http/1.1"] });
    const backendTls = {
      serverName: "app.internal",
      skipVerify: true,
      alpnProtocols: ["h2"],
    };
    expect(poolOf({ protocol: "HTTPS", backendTls }).backendTls).toEqual(backendTls);
    expect(poolOf({ protocol: "HTTP" }).backendTls).toBeUndefined();
  });
});

describe("the whole unit", () => {
  const from = source({
    policies: [{ ...toPool, name: "a" }, { name: "b" }],
    rules: [[{ value: "/1" }, { value: "/2" }], [{ value: "/3" }]],
    pool: { sessionPersistence: { type: "LB_COOKIE" } },
  });

  it("can be sent to a worker", () => {
    const unit = unitOf(from);
    expect(structuredClone(unit)).toEqual(unit);
  });

  it("is the same whatever the order of policies and rules", () => {
    const shuffled = <T>(all: readonly T[]) => fc.shuffledSubarray([...all], { minLength: all.length });
    fc.assert(
      fc.property(shuffled(from.l7Policies), shuffled(from.l7Rules), (l7Policies, l7Rules) => {
        expect(unitOf({ ...from, l7Policies, l7Rules })).toEqual(unitOf(from));
      }),
    );
  });
});
