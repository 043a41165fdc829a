import { describe, expect, it } from "@jest/globals";

import { check, idOf, sentences, specOfMinimal } from "./samples.ts";

const policy = (fields: object) => sentences(check("l7Policy", fields));
const rule = (fields: object) => sentences(check("l7Rule", fields));
const toPool = { action: "REDIRECT_TO_POOL", redirectPoolId: idOf(2) };

describe("L7 policy: what each action needs", () => {
  it.each([
    [{ action: "REDIRECT_TO_POOL" }, "redirect_pool_id is required with REDIRECT_TO_POOL, or weighted pools instead"],
    [{ action: "REDIRECT_TO_URL" }, "redirect_url is required with REDIRECT_TO_URL"],
    [{ action: "REDIRECT_PREFIX" }, "redirect_prefix is required with REDIRECT_PREFIX"],
  ])("%p: %s", (fields, sentence) => {
    expect(policy(fields)).toEqual([sentence]);
  });

  it.each([
    toPool,
    {
      action: "REDIRECT_TO_POOL",
      pools: [
        { poolId: idOf(2), weight: 0 },
        { poolId: idOf(3), weight: 256 },
      ],
    },
    { action: "REDIRECT_TO_URL", redirectUrl: "https://#{host}/", redirectHttpCode: 308 },
    { action: "REDIRECT_PREFIX", redirectPrefix: "https://new.example.com/base", redirectHttpCode: 301 },
    { action: "REJECT", setResponseHeaders: { "x-why": "policy" } },
    { action: "FIXED_RESPONSE", fixedResponse: { code: 503, contentType: "text/html", body: "<h1>Soon</h1>\n" } },
    {
      ...toPool,
      rewrite: { host: "app.internal:8080", pathPrefix: "/v2" },
      setRequestHeaders: { "x-env": "", "X-User": "a\tb" },
    },
  ])("%p is accepted", (fields) => {
    expect(policy(fields)).toEqual([]);
  });

  it("shares requests over at most 32 pools", () => {
    const pools = Array.from({ length: 33 }, (_, i) => ({ poolId: idOf(0).slice(0, -2) + String(10 + i) }));
    expect(policy({ action: "REDIRECT_TO_POOL", pools })).toEqual(["pools must have at most 32 entries, not 33"]);
    expect(policy({ action: "REDIRECT_TO_POOL", pools: pools.slice(1) })).toEqual([]);
  });

  it("refuses, all at once, what belongs to another action", () => {
    const all = {
      redirectPoolId: idOf(2),
      pools: [{ poolId: idOf(3) }],
      redirectUrl: "https://a.example/",
      redirectPrefix: "https://a.example/",
      redirectHttpCode: 301,
      fixedResponse: {},
      rewrite: { host: "a" },
      setRequestHeaders: { a: "b" },
    };
    expect(policy({ action: "REJECT", ...all })).toEqual([
      "redirect_pool_id can only be used with REDIRECT_TO_POOL, not with REJECT",
      "pools can only be used with REDIRECT_TO_POOL, not with REJECT",
      "redirect_url can only be used with REDIRECT_TO_URL, not with REJECT",
      "redirect_prefix can only be used with REDIRECT_PREFIX, not with REJECT",
      "redirect_http_code can only be used with REDIRECT_TO_URL or REDIRECT_PREFIX, not with REJECT",
      "fixed_response can only be used with FIXED_RESPONSE, not with REJECT",
      "rewrite can only be used with REDIRECT_TO_POOL, not with REJECT",
      "set_request_headers can only be used with REDIRECT_TO_POOL, not with REJECT: no backend gets the request",
    ]);
  });
});

describe("L7 policy: values", () => {
  it.each([
    [{ ...toPool, pools: [{ poolId: idOf(3) }] }, "pools cannot be used together with redirect_pool_id"],
    [
      { action: "REDIRECT_TO_POOL", pools: [{ poolId: idOf(3), weight: 0 }] },
      "pools must have at least one weight above 0",
    ],
    [
      { action: "REDIRECT_TO_POOL", pools: [{ poolId: idOf(3) }, { poolId: idOf(3) }] },
      `pools[1].pool_id must not be there twice: ${idOf(3)}`,
    ],
    [
      { action: "REDIRECT_TO_POOL", pools: [{ poolId: idOf(3), weight: 257 }] },
      "pools[0].weight must be 0 to 256, not 257",
    ],
    [
      { action: "REDIRECT_TO_URL", redirectUrl: "/login" },
      'redirect_url must be an absolute http or https URL, not "/login"',
    ],
    [
      { action: "REDIRECT_TO_URL", redirectUrl: "https://a.example/", redirectHttpCode: 305 },
      "redirect_http_code must be one of 301, 302, 303, 307, 308, not 305",
    ],
    [{ action: "FIXED_RESPONSE", fixedResponse: { code: 100 } }, "fixed_response.code must be 200 to 599, not 100"],
    [
      { action: "FIXED_RESPONSE", fixedResponse: { code: 204, body: "x" } },
      "fixed_response.body must be empty with code 204",
    ],
    [
      { action: "FIXED_RESPONSE", fixedResponse: { contentType: "html" } },
      'fixed_response.content_type must be a media type such as text/html, not "html"',
    ],
    [
      { action: "FIXED_RESPONSE", fixedResponse: { body: "x".repeat(16_385) } },
      "fixed_response.body must have at most 16384 characters, not 16385",
    ],
    [{ ...toPool, rewrite: {} }, "rewrite must name a host or a path_prefix"],
    [
      { ...toPool, rewrite: { pathPrefix: "v2" } },
      'rewrite.path_prefix must be a path that begins with "/", without spaces, "?" and "#", not "v2"',
    ],
    [
      { ...toPool, setRequestHeaders: { Host: "a" } },
      'set_request_headers["Host"] cannot be set here: use rewrite.host',
    ],
    [
      { ...toPool, setRequestHeaders: { "Transfer-Encoding": "chunked" } },
      'set_request_headers["Transfer-Encoding"] cannot be set: it belongs to the connection, not to the message',
    ],
    [
      { ...toPool, setResponseHeaders: { "X-A": "1", "x-a": "2" } },
      'set_response_headers["x-a"] must not be there twice: header names ignore case',
    ],
    [
      { ...toPool, setResponseHeaders: { "x a": "1" } },
      'set_response_headers["x a"] must have as its key a header name (RFC 9110 token), not "x a"',
    ],
    [
      { ...toPool, setResponseHeaders: { "x-a": "1\r\nset-cookie: a" } },
      'set_response_headers["x-a"] must be a header value without control characters, not "1\\r\\nset-cookie: a"',
    ],
  ])("%p: %s", (fields, sentence) => {
    expect(policy(fields)).toEqual([sentence]);
  });
});

describe("L7 rule", () => {
  it.each([
    { type: "HOST_NAME", compareType: "EQUAL_TO", value: "*.example.com" },
    { type: "HOST_NAME", compareType: "EQUAL_TO", value: "[2001:db8::1]" },
    { type: "HOST_NAME", compareType: "ENDS_WITH", value: ".example.com" },
    { type: "PATH", compareType: "REGEX", value: "^/v[0-9]+(/|$)" },
    { type: "PATH", compareType: "CONTAINS", value: "v2" },
    { type: "FILE_TYPE", compareType: "EQUAL_TO", value: "png" },
    { type: "METHOD", compareType: "REGEX", value: "GET|HEAD" },
    { type: "QUERY", compareType: "CONTAINS", key: "utm[]", value: "a b" },
    { type: "HEADER", compareType: "STARTS_WITH", key: "User-Agent", value: "curl/" },
    { type: "COOKIE", compareType: "EQUAL_TO", key: "beta", value: "1" },
    { type: "SOURCE_IP", compareType: "EQUAL_TO", value: "10.0.0.0/8" },
    { type: "SOURCE_IP", compareType: "EQUAL_TO", value: "2001:db8::1" },
    { type: "SNI", compareType: "EQUAL_TO", value: "db.example.com" },
    { type: "SSL_CONN_HAS_CERT", compareType: "EQUAL_TO", value: "True" },
    { type: "SSL_DN_FIELD", compareType: "EQUAL_TO", key: "OU", value: "Ops" },
  ])("%p is accepted", (fields) => {
    expect(rule(fields)).toEqual([]);
  });

  it.each([
    [
      { type: "FILE_TYPE", compareType: "CONTAINS", value: "png" },
      "compare_type must be EQUAL_TO or REGEX with type FILE_TYPE, not CONTAINS",
    ],
    [
      { type: "FILE_TYPE", compareType: "EQUAL_TO", value: ".png" },
      'value must be a file name extension without the dot, such as "png", not ".png"',
    ],
    [
      { type: "SOURCE_IP", compareType: "REGEX", value: "10" },
      "compare_type must be EQUAL_TO with type SOURCE_IP, not REGEX",
    ],
    [
      { type: "SOURCE_IP", compareType: "EQUAL_TO", value: "10.0.0.1/8" },
      'value must be an address, or a network such as 10.0.0.0/8, not "10.0.0.1/8"',
    ],
    [
      { type: "HEADER", compareType: "EQUAL_TO", key: undefined, value: "a" },
      "key is required with type HEADER: a header name",
    ],
    [
      { type: "COOKIE", compareType: "EQUAL_TO", key: undefined, value: "a" },
      "key is required with type COOKIE: a cookie name",
    ],
    [
      { type: "QUERY", compareType: "EQUAL_TO", key: undefined, value: "a" },
      "key is required with type QUERY: a query parameter's name",
    ],
    [{ type: "HEADER", compareType: "EQUAL_TO", key: "x y", value: "a" }, 'key must be a header name, not "x y"'],
    [{ type: "PATH", key: "a" }, "key can only be used with HEADER, COOKIE, QUERY, SSL_DN_FIELD, not with PATH"],
    [{ value: "api" }, 'value must be a path that begins with "/", not "api"'],
    [{ value: "/a?b=c" }, 'value must be a path without spaces, "?" and "#", not "/a?b=c"'],
    [{ value: "/a\r\nb" }, 'value must be text of one line, without CR and LF, not "/a\\r\\nb"'],
    [{ value: undefined }, "value is required"],
    [{ comparetype: "REGEX" }, "comparetype is not a field that an L7 rule takes; did you mean compare_type?"],
    [{ value: "/".repeat(1025) }, "value must have at most 1024 characters, not 1025"],
    [
      { type: "HOST_NAME", compareType: "EQUAL_TO", value: "example.com:80" },
      'value must be a host name without port, or "*." and one, not "example.com:80"',
    ],
    [
      { type: "METHOD", compareType: "EQUAL_TO", value: "GET POST" },
      'value must be a method such as GET, not "GET POST"',
    ],
    [{ type: "SSL_CONN_HAS_CERT", compareType: "EQUAL_TO", value: "yes" }, 'value must be true or false, not "yes"'],
  ])("%p: %s", (fields, sentence) => {
    expect(rule(fields)).toEqual([sentence]);
  });

  it("keeps names that ignore case in lower case, and patterns as they are", () => {
    expect(
      specOfMinimal("l7Rule", { type: "HOST_NAME", compareType: "EQUAL_TO", value: "WWW.Example.com" }).value,
    ).toBe("www.example.com");
    expect(specOfMinimal("l7Rule", { type: "HOST_NAME", compareType: "REGEX", value: "\\D" }).value).toBe("\\D");
    expect(specOfMinimal("l7Rule", { value: "/API" }).value).toBe("/API");
  });

  it("takes SSL_CONN_HAS_CERT without a value for true", () => {
    const fields = { type: "SSL_CONN_HAS_CERT", compareType: "EQUAL_TO", value: undefined };
    expect(specOfMinimal("l7Rule", fields).value).toBe("true");
  });
});
