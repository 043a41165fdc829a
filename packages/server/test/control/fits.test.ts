import { listenerProtocols, poolProtocols } from "@fiberlb/types";
import { describe, expect, test } from "@jest/globals";

import { pathRewriteFits, policyFits, poolFits, rewriteHasRule, ruleFits } from "../../src/control/fits.ts";

/** Contract, "Fits". */
const FITTING = [
  "TCP-TCP",
  "TLS-TCP",
  "UDP-UDP",
  "HTTP-HTTP",
  "HTTP-HTTPS",
  "HTTP-H2C",
  "HTTPS-HTTP",
  "HTTPS-HTTPS",
  "HTTPS-H2C",
];

test("pools fit exactly the listeners of the contract", () => {
  const fitting = listenerProtocols.flatMap((listener) =>
    poolProtocols
      .filter((pool) => poolFits("default_pool_id", { listener, pool }).length === 0)
      .map((pool) => `${listener}-${pool}`),
  );
  expect(fitting.toSorted()).toEqual(FITTING.toSorted());
});

const listener = (protocol: string) => ({ protocol }) as never;
const plain = {
  action: "REDIRECT_TO_POOL",
  rewrite: undefined,
  setRequestHeaders: {},
  setResponseHeaders: {},
} as const;
const fields = (violations: readonly { field: string }[]): string[] => violations.map(({ field }) => field);

describe("policies", () => {
  test("on HTTP may do anything, on TCP choose a pool or reject, on UDP and TLS nothing", () => {
    expect(policyFits(listener("HTTP"), { ...plain, action: "FIXED_RESPONSE" })).toEqual([]);
    expect(policyFits(listener("TCP"), plain)).toEqual([]);
    expect(policyFits(listener("TCP"), { ...plain, action: "REJECT" })).toEqual([]);
    const http = { ...plain, action: "FIXED_RESPONSE", rewrite: { host: "x" }, setRequestHeaders: { a: "b" } } as const;
    expect(fields(policyFits(listener("TCP"), http))).toEqual(["action", "rewrite", "set_request_headers"]);
    expect(fields(policyFits(listener("UDP"), plain))).toEqual(["listener_id"]);
    expect(fields(policyFits(listener("TLS"), plain))).toEqual(["listener_id"]);
  });
});

describe("rules", () => {
  test("on TCP look at SNI alone; on HTTP there is no TLS to look at", () => {
    expect(ruleFits(listener("TCP"), { type: "SNI" })).toEqual([]);
    expect(fields(ruleFits(listener("TCP"), { type: "PATH" }))).toEqual(["type"]);
    expect(fields(ruleFits(listener("HTTP"), { type: "SNI" }))).toEqual(["type"]);
    expect(fields(ruleFits(listener("HTTP"), { type: "SSL_DN_FIELD" }))).toEqual(["type"]);
    expect(ruleFits(listener("HTTPS"), { type: "SSL_CONN_HAS_CERT" })).toEqual([]);
  });
});

describe("rewrite.path_prefix", () => {
  const prefix = { type: "PATH", compareType: "STARTS_WITH", invert: false } as never;
  const other = { type: "METHOD", compareType: "EQUAL_TO", invert: false } as never;
  const policy = { rewrite: { pathPrefix: "/v2" } };

  test("allows one PATH STARTS_WITH rule, not two", () => {
    expect(pathRewriteFits(policy, [prefix, other], "type")).toEqual([]);
    expect(fields(pathRewriteFits(policy, [prefix, prefix], "type"))).toEqual(["type"]);
    expect(pathRewriteFits({ rewrite: undefined }, [prefix, prefix], "type")).toEqual([]);
  });

  test("is refused on a policy whose rules have no prefix to replace", () => {
    expect(rewriteHasRule(policy, [])).toEqual([]);
    expect(rewriteHasRule(policy, [prefix, other])).toEqual([]);
    expect(fields(rewriteHasRule(policy, [other]))).toEqual(["rewrite.path_prefix"]);
  });
});
