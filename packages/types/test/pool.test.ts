import { describe, expect, it } from "@jest/globals";

import { isPrime, nearestPrimes } from "../src/primes.ts";
import { check, idOf, sentences, specOfMinimal } from "./samples.ts";

const pool = (fields: object) => sentences(check("pool", fields));

describe("pool: session persistence", () => {
  it.each(["HTTP", "HTTPS", "H2C"])("by cookie works with %s", (protocol) => {
    expect(pool({ protocol, sessionPersistence: { type: "APP_COOKIE", cookieName: "JSESSIONID" } })).toEqual([]);
    expect(pool({ protocol, sessionPersistence: { type: "LB_COOKIE", cookieName: "LB", timeoutS: 60 } })).toEqual([]);
  });

  it.each([
    [
      { type: "SOURCE_IP", cookieName: "a" },
      "HTTP",
      "cookie_name can only be used with LB_COOKIE or APP_COOKIE, not with SOURCE_IP",
    ],
    [{ type: "APP_COOKIE" }, "HTTP", "cookie_name is required with APP_COOKIE: the name of the backend's cookie"],
    [{ type: "LB_COOKIE" }, "TCP", "type must be SOURCE_IP with protocol TCP, not LB_COOKIE"],
    [{ type: "LB_COOKIE", cookieName: "a b" }, "HTTP", 'cookie_name must be a cookie name (RFC 6265 token), not "a b"'],
    [{ type: "LB_COOKIE", timeoutS: 604_801 }, "HTTP", "timeout_s must be 0 to 604800, not 604801"],
    [{}, "HTTP", "type is required"],
  ])("%p with %s: %s", (sessionPersistence, protocol, sentence) => {
    expect(pool({ protocol, sessionPersistence })).toEqual([`session_persistence.${sentence}`]);
  });

  it("by source address works with every protocol", () => {
    expect(pool({ protocol: "UDP", sessionPersistence: { type: "SOURCE_IP" } })).toEqual([]);
  });
});

describe("pool: Maglev", () => {
  it.each([0, 2, 1021, 65_537, 655_373, 5_000_011])("takes %d as its table size", (tableSize) => {
    expect(specOfMinimal("pool", { algorithm: "MAGLEV", maglev: { tableSize } }).maglev.tableSize).toBe(tableSize);
  });

  it.each([
    [{ tableSize: 65_536 }, "table_size must be a prime or 0, not 65536; the nearest are 65521 and 65537"],
    [{ tableSize: 1 }, "table_size must be a prime or 0, not 1; the nearest are 2"],
    [{ tableSize: 5_000_012 }, "table_size must be 0 to 5000011, not 5000012"],
    [
      { hashKey: "SOURCE_IP", hashKeyName: "a" },
      "hash_key_name can only be used with hash_key HEADER or COOKIE, not with SOURCE_IP",
    ],
    [{ efectiveTableSize: 7 }, "efective_table_size is not a field that a pool takes"],
  ])("%p: %s", (maglev, sentence) => {
    expect(pool({ maglev })).toEqual([`maglev.${sentence}`]);
  });

  it("ignores the size in use, which clients send back with what they read", () => {
    expect(specOfMinimal("pool", { maglev: { tableSize: 7, effectiveTableSize: 1021 } }).maglev).toEqual({
      tableSize: 7,
      hashKey: "FIVE_TUPLE",
    });
  });

  it.each(["HEADER", "COOKIE"])("by %s needs its name and HTTP", (hashKey) => {
    expect(pool({ protocol: "HTTP", maglev: { hashKey } })).toEqual([
      `maglev.hash_key_name is required with hash_key ${hashKey}: the name of the ${hashKey.toLowerCase()}`,
    ]);
    expect(pool({ protocol: "HTTP", maglev: { hashKey, hashKeyName: "x-user" } })).toEqual([]);
    expect(pool({ protocol: "TCP", maglev: { hashKey, hashKeyName: "x-user" } })).toEqual([
      `maglev.hash_key must be FIVE_TUPLE or SOURCE_IP with protocol TCP, not ${hashKey}`,
    ]);
  });
});

describe("pool: the rest", () => {
  it.each([
    [{ backendTls: {} }, "backend_tls can only be used with protocol HTTPS, not with TCP"],
    [
      { protocol: "HTTPS", backendTls: { alpnProtocols: ["h3"] } },
      'backend_tls.alpn_protocols[0] must be one of h2, http/1.1, not "h3"',
    ],
    [
      { protocol: "UDP", sendProxyProtocol: "V1" },
      "send_proxy_protocol must be NONE or V2 with protocol UDP: version 1 is for connections only",
    ],
    [
      { protocol: "HTTP", forwarding: "DSR" },
      "forwarding must be NAT_MASQUERADE with protocol HTTP: DSR forwards packets in the kernel",
    ],
    [
      { forwarding: "NAT", sendProxyProtocol: "V1" },
      "send_proxy_protocol must be NONE with forwarding NAT, which keeps the client's address",
    ],
    [{ outlierDetection: { consecutiveErrors: 0 } }, "outlier_detection.consecutive_errors must be 1 to 1000, not 0"],
    [
      { loadBalancerId: idOf(1).slice(1) },
      `load_balancer_id must be an id such as 019a3c7e-0b1d-7c44-8f6e-2b9d1c5a7e30, not "${idOf(1).slice(1)}"`,
    ],
  ])("%p: %s", (fields, sentence) => {
    expect(pool(fields)).toEqual([sentence]);
  });
});

it("knows primes", () => {
  const primes = Array.from({ length: 60 }, (_, n) => n).filter(isPrime);
  expect(primes).toEqual([2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]);
  expect([1021, 16_381, 65_537, 655_373, 5_000_011].every(isPrime)).toBe(true);
  expect(nearestPrimes(100)).toEqual([97, 101]);
  expect(nearestPrimes(1)).toEqual([2]);
});
