import { expect, it } from "@jest/globals";
import fc from "fast-check";

import type { RouteRequest } from "../../../src/data/l7/route-request.ts";
import { compileRoutes } from "../../../src/data/l7/router.ts";
import type { PolicyUnit, RuleUnit } from "../../../src/snapshot/snapshot.ts";
import { firstMatch } from "./linear-router.ts";
import { policy, request, rule } from "./requests.ts";

// Few words, so that rules and requests often meet, nest and overlap.
const label = fc.constantFrom("a", "b", "ab");
const host = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
const path = fc
  .tuple(fc.array(fc.constantFrom("a", "b", "ab", "abc", ""), { maxLength: 4 }), fc.constantFrom("", ".js", ".a"))
  .map(([segments, ending]) => `/${segments.join("/")}${ending}`);
const word = fc.constantFrom("1", "2", "12");
const compareType = fc.constantFrom("EQUAL_TO", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "REGEX");
const pattern = fc.constantFrom("^a", "b$", "a.*b", "^[^.]+$", "1|2", "^(ab)+", "/a/?b");

type Shape = Pick<RuleUnit, "type" | "value"> & { readonly key?: string };
const shapes = (values: Readonly<Record<string, fc.Arbitrary<string>>>, keys: readonly string[] = []) =>
  Object.entries(values).map(([type, value]) =>
    fc.record({
      type: fc.constant(type as RuleUnit["type"]),
      value,
      ...(keys.length > 0 && { key: fc.constantFrom(...keys) }),
    }),
  ) as fc.Arbitrary<Shape>[];

const anyText = fc.oneof(
  ...shapes({
    HOST_NAME: host,
    SNI: host,
    PATH: path,
    FILE_TYPE: fc.constantFrom("js", "a"),
    METHOD: fc.constantFrom("GET", "PUT"),
  }),
  ...shapes({ HEADER: word, QUERY: word, COOKIE: word }, ["k", "l"]),
  ...shapes({ SSL_DN_FIELD: word }, ["CN", "OU"]),
);
const anyRule: fc.Arbitrary<RuleUnit> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({
        shape: anyText,
        compareType: fc.oneof(fc.constant("EQUAL_TO" as const), compareType),
        pattern,
        invert: fc.boolean(),
      })
      .map(({ shape, compareType: how, pattern: text, invert }) =>
        rule(shape.type, how, how === "REGEX" ? text : shape.value, {
          invert: invert && how !== "EQUAL_TO",
          ...(shape.key !== undefined && { key: shape.key }),
        }),
      ),
  },
  fc
    .record({ type: fc.constantFrom("HOST_NAME", "SNI"), host })
    .map((one) => rule(one.type, "EQUAL_TO", `*.${one.host}`)),
  fc.record({ path, how: fc.constantFrom("EQUAL_TO", "STARTS_WITH") }).map((one) => rule("PATH", one.how, one.path)),
  fc
    .record({ text: anyText })
    .map(({ text }) =>
      rule(text.type, "EQUAL_TO", text.value, { invert: true, ...(text.key !== undefined && { key: text.key }) }),
    ),
  fc.constantFrom("192.0.2.1/32", "192.0.2.0/24", "2001:db8::/32").map((cidr) => rule("SOURCE_IP", "EQUAL_TO", cidr)),
  fc.constantFrom("true", "false").map((value) => rule("SSL_CONN_HAS_CERT", "EQUAL_TO", value)),
);

const policies: fc.Arbitrary<readonly PolicyUnit[]> = fc
  .array(fc.array(anyRule, { maxLength: 3 }), { maxLength: 30 })
  .map((all) => all.map((rules, position) => policy(`policy-${position}`, rules)));

const values = fc.array(word, { maxLength: 2 });
const anyRequest: fc.Arbitrary<RouteRequest> = fc
  .record({
    method: fc.constantFrom("GET", "PUT"),
    path,
    host,
    query: fc
      .array(fc.tuple(fc.constantFrom("k", "l"), word), { maxLength: 2 })
      .map((all) => all.map((pair) => pair.join("=")).join("&")),
    sourceAddress: fc.constantFrom("192.0.2.1", "192.0.2.9", "198.51.100.1", "2001:db8::5"),
    sni: fc.option(host, { nil: undefined }),
    clientCertificate: fc.option(fc.record({ subject: fc.record({ CN: word, OU: values }) }), { nil: undefined }),
    headers: fc.record({
      k: values,
      l: values,
      cookie: values.map((all) => all.map((value) => `k=${value}; l=${value}`)),
    }),
  })
  .map((wanted) => request(wanted));

it("finds the same policy as asking one after the other", () => {
  fc.assert(
    fc.property(policies, fc.array(anyRequest, { minLength: 1, maxLength: 10 }), (all, requests) => {
      const router = compileRoutes(all);
      expect(router.problems).toEqual([]);
      for (const one of requests) expect(router.route(one).policyId).toBe(firstMatch(all, one));
    }),
    { numRuns: 500 },
  );
});
