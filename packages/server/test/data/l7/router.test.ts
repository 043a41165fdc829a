import { describe, expect, it } from "@jest/globals";

import { compileRoutes } from "../../../src/data/l7/router.ts";
import type { PolicyUnit } from "../../../src/snapshot/snapshot.ts";
import { policy, request, rule, toPool, type Wanted } from "./requests.ts";

const api = rule("PATH", "STARTS_WITH", "/api");
const example = rule("HOST_NAME", "EQUAL_TO", "example.com");

function takerOf(policies: readonly PolicyUnit[], wanted: Wanted = {}): string | undefined {
  return compileRoutes(policies).route(request(wanted)).policyId;
}

describe("which policy takes a request", () => {
  it("is the first whose rules all match, whatever is more specific", () => {
    const policies = [
      policy("prefix", [rule("PATH", "STARTS_WITH", "/a")]),
      policy("exact", [rule("PATH", "EQUAL_TO", "/a/b")]),
      policy("host", [example]),
    ];
    expect(takerOf(policies, { path: "/a/b" })).toBe("prefix");
    expect(takerOf(policies.toReversed(), { path: "/a/b" })).toBe("host");
    expect(takerOf(policies.toReversed(), { path: "/a/b", host: "x" })).toBe("exact");
  });

  it("needs all rules", () => {
    const policies = [policy("both", [example, api])];
    expect(takerOf(policies, { path: "/api" })).toBe("both");
    expect(takerOf(policies, { path: "/api", host: "other.example" })).toBeUndefined();
    expect(takerOf(policies, { path: "/" })).toBeUndefined();
  });

  it("is never one with rules that contradict each other", () => {
    const other = rule("HOST_NAME", "EQUAL_TO", "other.example");
    expect(takerOf([policy("never", [example, other])])).toBeUndefined();
  });

  it("is never one without rules: its rules may just not be there yet", () => {
    expect(takerOf([policy("deny", [], { type: "REJECT" })])).toBeUndefined();
  });

  it("does not depend on the requests before", () => {
    const router = compileRoutes([policy("api", [api])]);
    const taken = [{ path: "/api" }, { path: "/" }, { path: "/api/x" }].map(
      (one) => router.route(request(one)).policyId,
    );
    expect(taken).toEqual(["api", undefined, "api"]);
  });
});

describe("a request that no policy takes", () => {
  it("goes to the default pool", () => {
    const route = compileRoutes([], { defaultPoolId: "web" }).route(request());
    expect(route).toMatchObject({ kind: "pool", pools: { ids: ["web"] } });
    expect(route.policyId).toBeUndefined();
  });

  it("has no pool when the listener has none", () => {
    expect(compileRoutes([]).route(request()).kind).toBe("no-pool");
  });
});

describe("ambiguous paths", () => {
  const path = "/a/%2e%2e/admin";

  it("are refused while a rule looks at the path, even when another policy would take them", () => {
    const router = compileRoutes([policy("host", [example]), policy("api", [api])], { defaultPoolId: "web" });
    expect(router.route(request({ path }))).toMatchObject({ kind: "bad-request", reason: "ambiguous-path" });
    expect(router.route(request({ path: "/a", query: "next=%2F..%2F" })).kind).toBe("pool");
  });

  it("are refused while an inverted rule looks at the path", () => {
    const inverted = policy("not-admin", [rule("PATH", "STARTS_WITH", "/admin", { invert: true })]);
    expect(compileRoutes([inverted]).route(request({ path })).kind).toBe("bad-request");
  });

  it("are refused while the only PATH rule stands in a policy that cannot be used", () => {
    const broken = policy("broken", [rule("PATH", "REGEX", "(")]);
    expect(compileRoutes([broken]).route(request({ path })).kind).toBe("bad-request");
  });

  it.each([
    ["no rule looks at the path", [policy("host", [example])], {}],
    ["path normalization is off", [policy("host", [example]), policy("api", [api])], { pathNormalization: "OFF" }],
  ] as const)("pass while %s", (_why, policies, options) => {
    expect(compileRoutes(policies, options).route(request({ path })).policyId).toBe("host");
  });
});

describe("a text too long for a regular expression", () => {
  const slow = policy("slow", [rule("PATH", "REGEX", "(a|b|c){200}x")], { type: "REJECT" });
  const path = "/".padEnd(60_000, "a");

  it("is refused: the policy might have been to reject it", () => {
    const router = compileRoutes([slow, policy("host", [example])]);
    expect(router.route(request({ path }))).toMatchObject({
      kind: "bad-request",
      reason: "too-long-for-regex",
      policyId: "slow",
    });
  });

  it("does not matter when an earlier policy takes the request, or another rule says no", () => {
    expect(takerOf([policy("host", [example]), slow], { path })).toBe("host");
    const elsewhere = policy("elsewhere", [...slow.rules, rule("HOST_NAME", "EQUAL_TO", "other.example")]);
    expect(takerOf([elsewhere, policy("host", [example])], { path })).toBe("host");
  });
});

describe("a policy that cannot be used", () => {
  it("takes no request and says why; the others work", () => {
    const router = compileRoutes([
      policy("broken", [rule("HEADER", "REGEX", "(", { key: "x" })]),
      policy("astray", [example], { type: "REDIRECT_TO_URL", url: "https://#{query}/", code: 302 }),
      policy("host", [example]),
    ]);
    expect(router.problems).toEqual([
      {
        policyId: "broken",
        reason:
          "Cannot use L7 policy broken: the value of its HEADER rule must be a regular expression in RE2 syntax: " +
          "missing closing ): `(`",
      },
      {
        policyId: "astray",
        reason: expect.stringMatching(/^Cannot use L7 policy astray: its redirect URL must be .* only #\{host\}/),
      },
    ]);
    expect(router.route(request()).policyId).toBe("host");
  });
});

describe("what a policy does", () => {
  const setResponseHeaders = [{ name: "X-By", value: "fiberlb" }];
  const routeOf = (action: PolicyUnit["action"], wanted: Wanted = {}) =>
    compileRoutes([{ ...policy("it", [example], action), setResponseHeaders }]).route(request(wanted));

  it("carries everything for the way to the pool and back", () => {
    const edits = {
      rewriteHost: "internal",
      rewritePath: { from: "/api", to: "/" },
      setRequestHeaders: [{ name: "X-Tenant", value: "acme" }],
    };
    const route = routeOf({ ...toPool("app"), ...edits });
    expect(route).toMatchObject({
      kind: "pool",
      policyId: "it",
      pools: { ids: ["app"] },
      ...edits,
      setResponseHeaders,
    });
  });

  it("rejects", () => {
    expect(routeOf({ type: "REJECT" })).toEqual({ kind: "reject", policyId: "it", setResponseHeaders });
  });

  it("answers", () => {
    const answer = { code: 503, contentType: "text/plain", body: "later" };
    expect(routeOf({ type: "FIXED_RESPONSE", ...answer })).toEqual({
      kind: "fixed-response",
      ...answer,
      policyId: "it",
      setResponseHeaders,
    });
  });

  it("redirects", () => {
    const wanted = { path: "/a", query: "b=c" };
    expect(routeOf({ type: "REDIRECT_TO_URL", url: "https://#{host}/#{path}?#{query}", code: 301 }, wanted)).toEqual({
      kind: "redirect",
      code: 301,
      location: "https://example.com/a?b=c",
      policyId: "it",
      setResponseHeaders,
    });
    expect(routeOf({ type: "REDIRECT_PREFIX", url: "https://new.example/v2/", code: 308 }, wanted)).toMatchObject({
      code: 308,
      location: "https://new.example/v2/a?b=c",
    });
  });

  it("does not redirect a request without a host", () => {
    const router = compileRoutes([
      policy("it", [rule("METHOD", "EQUAL_TO", "GET")], {
        type: "REDIRECT_TO_URL",
        url: "https://#{host}/",
        code: 302,
      }),
    ]);
    expect(router.route(request({ host: "" }))).toMatchObject({ kind: "bad-request", reason: "no-host" });
  });

  it("makes no new route for each request to a pool", () => {
    const router = compileRoutes([policy("it", [example])]);
    expect(router.route(request())).toBe(router.route(request()));
  });
});

it("asks only for what rules look at", () => {
  const asked: string[] = [];
  const watched = new Proxy(request({ path: "/api" }), {
    get: (target, name: string) => {
      asked.push(name);
      return target[name as keyof typeof target];
    },
  });
  compileRoutes([policy("api", [api])]).route(watched);
  expect(new Set(asked)).toEqual(new Set(["path"]));
});
