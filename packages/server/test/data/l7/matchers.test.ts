import { describe, expect, it } from "@jest/globals";

import { compileCheck } from "../../../src/data/l7/matchers.ts";
import type { RuleUnit } from "../../../src/snapshot/snapshot.ts";
import { request, rule, type Wanted } from "./requests.ts";

function matches(of: RuleUnit, wanted: Wanted): boolean | undefined {
  const compiled = compileCheck(of);
  if (!compiled.ok) throw new Error(compiled.problem);
  return compiled.check(request(wanted));
}

type Case = readonly [rule: RuleUnit, request: Wanted, expected: boolean];

const one = (values: readonly string[], name = "x-tier"): Wanted => ({ headers: { [name]: values } });
const certificate = (subject: Record<string, string | string[]>): Wanted => ({ clientCertificate: { subject } });
const tier = { key: "X-Tier" };

const cases: Readonly<Record<string, readonly Case[]>> = {
  "HOST_NAME without case, port and trailing dot": [
    [rule("HOST_NAME", "EQUAL_TO", "example.com"), { host: "example.com" }, true],
    [rule("HOST_NAME", "EQUAL_TO", "EXAMPLE.com."), { host: "example.com" }, true],
    [rule("HOST_NAME", "EQUAL_TO", "example.com"), { host: "www.example.com" }, false],
    [rule("HOST_NAME", "STARTS_WITH", "API."), { host: "api.example.com" }, true],
    [rule("HOST_NAME", "ENDS_WITH", ".example.com"), { host: "a.b.example.com" }, true],
    [rule("HOST_NAME", "CONTAINS", "exam"), { host: "www.example.com" }, true],
    [rule("HOST_NAME", "REGEX", "^Api[0-9]+\\."), { host: "api12.example.com" }, true],
    [rule("HOST_NAME", "EQUAL_TO", "2001:DB8:0::1"), { host: "[2001:db8::1]" }, true],
    [rule("HOST_NAME", "EQUAL_TO", "[2001:db8::1]"), { host: "[2001:db8::1]" }, true],
  ],
  "HOST_NAME with *. for exactly one label": [
    [rule("HOST_NAME", "EQUAL_TO", "*.example.com"), { host: "www.example.com" }, true],
    [rule("HOST_NAME", "EQUAL_TO", "*.example.com"), { host: "example.com" }, false],
    [rule("HOST_NAME", "EQUAL_TO", "*.example.com"), { host: "a.b.example.com" }, false],
    [rule("HOST_NAME", "EQUAL_TO", "*.example.com"), { host: ".example.com" }, false],
    [rule("HOST_NAME", "EQUAL_TO", "*.example.com"), { host: "wwwexample.com" }, false],
  ],
  "PATH as sent, undecoded and with case": [
    [rule("PATH", "EQUAL_TO", "/a"), { path: "/a", query: "b" }, true],
    [rule("PATH", "EQUAL_TO", "/a"), { path: "/A" }, false],
    [rule("PATH", "EQUAL_TO", "/a"), { path: "/%61" }, false],
    [rule("PATH", "STARTS_WITH", "/api"), { path: "/apix" }, true],
    [rule("PATH", "ENDS_WITH", ".php"), { path: "/x.php" }, true],
    [rule("PATH", "CONTAINS", "/wp-"), { path: "/a/wp-admin" }, true],
    [rule("PATH", "REGEX", "^/v[0-9]+/"), { path: "/v12/x" }, true],
    [rule("PATH", "REGEX", "^/v[0-9]+$"), { path: "/v12/x" }, false],
    [rule("PATH", "EQUAL_TO", "*"), { method: "OPTIONS", path: "*" }, true],
  ],
  "FILE_TYPE as what follows the last dot of the last segment": [
    [rule("FILE_TYPE", "EQUAL_TO", "png"), { path: "/a/b.png" }, true],
    [rule("FILE_TYPE", "EQUAL_TO", "png"), { path: "/a/b.PNG" }, false],
    [rule("FILE_TYPE", "EQUAL_TO", "gz"), { path: "/b.tar.gz" }, true],
    [rule("FILE_TYPE", "EQUAL_TO", "png"), { path: "/b.png/c" }, false],
    [rule("FILE_TYPE", "EQUAL_TO", "png"), { path: "/png" }, false],
    [rule("FILE_TYPE", "REGEX", "^(jpe?g|png)$"), { path: "/a.jpeg" }, true],
    [rule("FILE_TYPE", "EQUAL_TO", "png", { invert: true }), { path: "/png" }, true],
  ],
  "METHOD with case": [
    [rule("METHOD", "EQUAL_TO", "POST"), { method: "POST" }, true],
    [rule("METHOD", "EQUAL_TO", "post"), { method: "POST" }, false],
    [rule("METHOD", "REGEX", "^(PUT|PATCH)$"), { method: "PATCH" }, true],
  ],
  "QUERY with names and values decoded as forms are": [
    [rule("QUERY", "EQUAL_TO", "1", { key: "v" }), { query: "a=2&v=1" }, true],
    [rule("QUERY", "EQUAL_TO", "1", { key: "v" }), { query: "v=2&v=1" }, true],
    [rule("QUERY", "EQUAL_TO", "1", { key: "v" }), { query: "vv=1" }, false],
    [rule("QUERY", "EQUAL_TO", "a b", { key: "q" }), { query: "q=a+b" }, true],
    [rule("QUERY", "EQUAL_TO", "a&b=c", { key: "q" }), { query: "q=a%26b%3Dc" }, true],
    [rule("QUERY", "EQUAL_TO", "x", { key: "a b" }), { query: "a%20b=x" }, true],
    [rule("QUERY", "EQUAL_TO", "%zz", { key: "q" }), { query: "q=%zz" }, true],
    [rule("QUERY", "EQUAL_TO", "é", { key: "q" }), { query: "q=%C3%A9" }, true],
    [rule("QUERY", "STARTS_WITH", "", { key: "debug" }), { query: "x&debug" }, true],
    [rule("QUERY", "STARTS_WITH", "", { key: "debug" }), { query: "x" }, false],
  ],
  "HEADER when any of the values does": [
    [rule("HEADER", "EQUAL_TO", "gold", tier), one(["silver", "gold"]), true],
    [rule("HEADER", "EQUAL_TO", "gold", tier), one(["silver", "Gold"]), false],
    [rule("HEADER", "EQUAL_TO", "gold", tier), {}, false],
    [rule("HEADER", "EQUAL_TO", "gold", { ...tier, invert: true }), {}, true],
    [rule("HEADER", "EQUAL_TO", "gold", { ...tier, invert: true }), one(["silver", "gold"]), false],
    [rule("HEADER", "REGEX", "curl|wget", { key: "User-Agent" }), one(["Wget curl/8"], "user-agent"), true],
  ],
  "COOKIE by its exact name": [
    [rule("COOKIE", "EQUAL_TO", "b", { key: "canary" }), one(["a=1; canary=b"], "cookie"), true],
    [rule("COOKIE", "EQUAL_TO", "b", { key: "canary" }), one(["canary=a; canary=b"], "cookie"), true],
    [rule("COOKIE", "EQUAL_TO", "b", { key: "canary" }), one(["Canary=b"], "cookie"), false],
    [rule("COOKIE", "EQUAL_TO", "b", { key: "canary" }), one(["xcanary=b"], "cookie"), false],
  ],
  "SOURCE_IP by address and network": [
    [rule("SOURCE_IP", "EQUAL_TO", "192.0.2.1"), { sourceAddress: "192.0.2.1" }, true],
    [rule("SOURCE_IP", "EQUAL_TO", "192.0.2.1"), { sourceAddress: "192.0.2.2" }, false],
    [rule("SOURCE_IP", "EQUAL_TO", "192.0.2.0/24"), { sourceAddress: "192.0.2.255" }, true],
    [rule("SOURCE_IP", "EQUAL_TO", "192.0.2.0/24"), { sourceAddress: "::ffff:192.0.2.7" }, true],
    [rule("SOURCE_IP", "EQUAL_TO", "192.0.2.0/24"), { sourceAddress: "2001:db8::1" }, false],
    [rule("SOURCE_IP", "EQUAL_TO", "2001:DB8::/32"), { sourceAddress: "2001:db8:1::1" }, true],
    [rule("SOURCE_IP", "EQUAL_TO", "0.0.0.0/0", { invert: true }), { sourceAddress: "192.0.2.1" }, false],
  ],
  "SNI as hosts": [
    [rule("SNI", "EQUAL_TO", "example.com"), { sni: "example.com" }, true],
    [rule("SNI", "EQUAL_TO", "*.example.com"), { sni: "www.example.com" }, true],
    [rule("SNI", "EQUAL_TO", "example.com"), { sni: undefined }, false],
    [rule("SNI", "EQUAL_TO", "example.com", { invert: true }), { sni: undefined }, true],
  ],
  "SSL_CONN_HAS_CERT both ways": [
    [rule("SSL_CONN_HAS_CERT", "EQUAL_TO", "true"), certificate({}), true],
    [rule("SSL_CONN_HAS_CERT", "EQUAL_TO", "true"), {}, false],
    [rule("SSL_CONN_HAS_CERT", "EQUAL_TO", "false"), {}, true],
    [rule("SSL_CONN_HAS_CERT", "EQUAL_TO", "true", { invert: true }), {}, true],
  ],
  "SSL_DN_FIELD without case of the field": [
    [rule("SSL_DN_FIELD", "EQUAL_TO", "ops", { key: "OU" }), certificate({ OU: ["dev", "ops"] }), true],
    [rule("SSL_DN_FIELD", "EQUAL_TO", "ops", { key: "ou" }), certificate({ OU: "ops" }), true],
    [rule("SSL_DN_FIELD", "ENDS_WITH", ".internal", { key: "CN" }), certificate({ CN: "a.internal" }), true],
    [rule("SSL_DN_FIELD", "CONTAINS", "function", { key: "toString" }), certificate({}), false],
    [rule("SSL_DN_FIELD", "EQUAL_TO", "a", { key: "CN" }), {}, false],
  ],
};

describe.each(Object.entries(cases))("%s", (_type, rows) => {
  it.each(
    rows.map(
      ([of, wanted, expected]) =>
        [
          `${of.invert ? "not " : ""}${of.compareType} ${JSON.stringify(of.value)}`,
          JSON.stringify(wanted),
          expected,
          of,
          wanted,
        ] as const,
    ),
  )("%s sees in %s: %s", (_rule, _request, expected, of, wanted) => expect(matches(of, wanted)).toBe(expected));
});

describe("a text that is too long for its regular expression", () => {
  const large = "(a|b|c){200}x";
  const text = "/".padEnd(60_000, "a");

  it.each([false, true])("is not judged, inverted or not (%s)", (invert) => {
    expect(matches(rule("PATH", "REGEX", large, { invert }), { path: text })).toBeUndefined();
  });

  it("does not hide another value that matches", () => {
    const header = rule("HEADER", "REGEX", `${large}|gold`, tier);
    expect(matches(header, one([text, "gold"]))).toBe(true);
    expect(matches(header, one([text, "silver"]))).toBeUndefined();
  });
});

it.each([
  [rule("PATH", "REGEX", "("), "must be a regular expression in RE2 syntax: missing closing ): `(`"],
  [rule("SOURCE_IP", "EQUAL_TO", "10"), 'must be an address or a network, not "10"'],
])("says what is wrong with a rule that does not compile", (of, problem) => {
  expect(compileCheck(of)).toEqual({ ok: false, problem });
});
