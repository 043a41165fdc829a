import { expect, test } from "@jest/globals";

import type { ServicePort } from "../src/objects.ts";
import { service } from "./fake-source.ts";
import { problemsOf } from "./plan-cases.ts";

const http: ServicePort = { name: "http", port: 80, targetPort: 8080, protocol: "TCP" };
const dns: ServicePort = { name: "dns", port: 53, targetPort: 53, protocol: "UDP" };

const ALGORITHMS = "ROUND_ROBIN, LEAST_CONNECTIONS, IP_HASH, WEIGHTED_ROUND_ROBIN, RANDOM, MAGLEV";

test.each<[string, Record<string, string>, string[], ServicePort[]?]>([
  [
    "an unknown algorithm",
    { algorithm: "best" },
    [`annotation fiberlb.io/algorithm must be one of ${ALGORITHMS}, not "best"`],
  ],
  [
    "a misspelt annotation",
    { algoritm: "MAGLEV" },
    ["annotation fiberlb.io/algoritm is not known; did you mean fiberlb.io/algorithm?"],
  ],
  ["an annotation of another world", { "x-ray": "on" }, ["annotation fiberlb.io/x-ray is not known"]],
  [
    "an unknown protocol",
    { protocol: "SMTP" },
    ['annotation fiberlb.io/protocol must be one of TCP, UDP, TLS, HTTP, HTTPS, not "SMTP"'],
  ],
  [
    "a port that is not there",
    { protocol: "8443=HTTP" },
    ["annotation fiberlb.io/protocol names port 8443, which the Service does not have"],
  ],
  [
    "UDP for a TCP port",
    { protocol: "http=UDP" },
    ["annotation fiberlb.io/protocol says UDP for TCP/80, which is a TCP port"],
  ],
  [
    "HTTP for a UDP port",
    { protocol: "dns=HTTP" },
    ["annotation fiberlb.io/protocol says HTTP for UDP/53, which is a UDP port"],
    [dns],
  ],
  [
    "two protocols for all",
    { protocol: "HTTP,TCP" },
    ["annotation fiberlb.io/protocol says HTTP and TCP for all ports"],
  ],
  [
    "two protocols for one",
    { protocol: "http=HTTP,http=TCP" },
    ["annotation fiberlb.io/protocol says HTTP and TCP for port http"],
  ],
  [
    "a backend protocol that does not fit",
    { "backend-protocol": "http=H2C" },
    ["annotation fiberlb.io/backend-protocol says H2C for TCP/80, whose protocol is TCP"],
  ],
  [
    "HTTPS without a certificate",
    { protocol: "HTTPS" },
    ["annotation fiberlb.io/certificate must name a certificate for protocol HTTPS"],
  ],
  [
    "a certificate that is not there",
    { protocol: "HTTPS", certificate: "site" },
    ['annotation fiberlb.io/certificate names "site", which is no certificate of the project'],
  ],
  ["an empty VIP pool", { "vip-pool": " " }, ["annotation fiberlb.io/vip-pool is empty: name something, or remove it"]],
  [
    "an interval that is no number",
    { "health-check-interval-ms": "1s" },
    ['annotation fiberlb.io/health-check-interval-ms must be a whole number, not "1s"'],
  ],
  [
    "an interval out of range",
    { "health-check-interval-ms": "1" },
    ["annotation fiberlb.io/health-check-interval-ms must be 10 to 3600000, not 1"],
  ],
  [
    "a timeout above the interval",
    { "health-check-interval-ms": "1000", "health-check-timeout-ms": "2000" },
    ["annotation fiberlb.io/health-check-timeout-ms must be at most interval_ms (1000), not 2000"],
  ],
  [
    "a path without a slash",
    { "health-check-path": "healthz" },
    ['annotation fiberlb.io/health-check-path must be a path that begins with "/", without spaces, not "healthz"'],
  ],
  [
    "an unknown type of check",
    { "health-check-type": "ping" },
    ['annotation fiberlb.io/health-check-type must be one of TCP, HTTP, HTTPS, TLS_HELLO, UDP, GRPC, not "PING"'],
  ],
  [
    "an HTTP path for a TCP check",
    { "health-check-type": "TCP", "health-check-path": "/" },
    ["annotation fiberlb.io/health-check-type can only be used with type HTTP or HTTPS, not with TCP"],
  ],
])("%s is told of", (_name, annotations, problems, ports = [http]) => {
  const prefixed = Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`fiberlb.io/${key}`, value]));
  expect(problemsOf({ service: service("web", { ports, meta: { annotations: prefixed } }) })).toEqual(problems);
});

test("fields of the spec are told of as well, all at once", () => {
  const web = service("web", {
    ports: [http, { ...http, name: "again" }],
    loadBalancerIp: "127.10.0",
    loadBalancerSourceRanges: ["10.0.0.0/40"],
    meta: { annotations: { "fiberlb.io/algorithm": "best" } },
  });
  const problems = problemsOf({ service: web });
  expect(problems).toContainEqual("ports name TCP/80 twice");
  expect(problems).toContainEqual(expect.stringMatching(/^loadBalancerIP /));
  expect(problems).toContainEqual(expect.stringMatching(/^loadBalancerSourceRanges\[0\] .*not "40"/));
  expect(problems).toContainEqual(expect.stringMatching(/^annotation fiberlb.io\/algorithm /));
});

test("a Service without ports, and a certificate that nothing uses", () => {
  expect(problemsOf({ service: service("web", { ports: [] }) })).toContainEqual("ports are missing: name at least one");
  const annotations = { "fiberlb.io/certificate": "site" };
  const given = { service: service("web", { meta: { annotations } }), certificates: new Map([["site", "id"]]) };
  expect(problemsOf(given)).toEqual([
    "annotation fiberlb.io/certificate is of no use: no port has protocol HTTPS or TLS; see fiberlb.io/protocol",
  ]);
});
