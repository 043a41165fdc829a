import { describe, expect, test } from "@jest/globals";

import { pod } from "./fake-source.ts";
import { backend, healthCheck, listener, loadBalancer, pool, tags } from "./plan-cases.ts";
import { type Case, annotated, check, http, https, one, settled, udp, web } from "./plan-check.ts";

describe("annotations and fields", () => {
  const certificates = new Map([["site", "00000000-0000-7000-8000-00000000000c"]]);
  const tcpCheck = loadBalancer({ pools: [pool({ healthCheck: healthCheck() })] });
  test.each<[string, Case]>([
    [
      "algorithm",
      {
        service: annotated({ "fiberlb.io/algorithm": "least_connections" }),
        pods: one,
        actual: settled,
        plan: ["update pool p1 algorithm=LEAST_CONNECTIONS"],
      },
    ],
    [
      "algorithm removed: Maglev again",
      {
        service: web(),
        pods: one,
        actual: [loadBalancer({ pools: [pool({}, { algorithm: "RANDOM" })] })],
        plan: ["update pool p1 algorithm=MAGLEV"],
      },
    ],
    [
      "proxy-protocol",
      {
        service: annotated({ "fiberlb.io/proxy-protocol": "V2" }),
        pods: one,
        actual: settled,
        plan: ["update pool p1 sendProxyProtocol=V2"],
      },
    ],
    [
      "proxy-protocol V1 leaves UDP ports alone",
      {
        service: annotated({ "fiberlb.io/proxy-protocol": "v1" }, { ports: [udp] }),
        plan: [
          "create loadBalancer",
          "create pool udp-53 loadBalancerId=<loadBalancer> protocol=UDP algorithm=MAGLEV sendProxyProtocol=NONE",
          "create listener udp-53",
        ],
      },
    ],
    [
      "session affinity",
      {
        service: web({ sessionAffinity: "ClientIP" }),
        pods: one,
        actual: settled,
        plan: ['update pool p1 sessionPersistence={"type":"SOURCE_IP"'],
      },
    ],
    [
      "session affinity, in place",
      {
        service: web({ sessionAffinity: "ClientIP" }),
        pods: one,
        actual: [loadBalancer({ pools: [pool({}, { sessionPersistence: { type: "SOURCE_IP", timeoutS: 0 } })] })],
        plan: [],
      },
    ],
    [
      "session affinity removed",
      {
        service: web(),
        pods: one,
        actual: [loadBalancer({ pools: [pool({}, { sessionPersistence: { type: "SOURCE_IP", timeoutS: 0 } })] })],
        plan: ["update pool p1 sessionPersistence=default"],
      },
    ],
    [
      "source ranges",
      {
        service: web({ loadBalancerSourceRanges: ["10.0.0.0/8", "192.0.2.0/24"] }),
        pods: one,
        actual: settled,
        plan: ['update listener l1 allowedCidrs=["10.0.0.0/8","192.0.2.0/24"]'],
      },
    ],
    [
      "source ranges removed",
      {
        service: web(),
        pods: one,
        actual: [loadBalancer({ listeners: [listener({}, { allowedCidrs: ["10.0.0.0/8"] })] })],
        plan: ["update listener l1 allowedCidrs=[]"],
      },
    ],
    [
      "protocol HTTP: the pool first, then the listener changes places",
      {
        service: annotated({ "fiberlb.io/protocol": "HTTP" }),
        pods: one,
        actual: settled,
        plan: [
          "create pool http-80",
          "create backend",
          "delete listener l1",
          "create listener http-80",
          "delete pool p1",
        ],
      },
    ],
    [
      "protocol HTTP does not concern UDP ports",
      {
        service: annotated({ "fiberlb.io/protocol": "HTTP" }, { ports: [udp] }),
        plan: ["create loadBalancer", "create pool udp-53", "create listener udp-53"],
      },
    ],
    [
      "protocols by port name and number, with a certificate",
      {
        service: annotated(
          { "fiberlb.io/protocol": "http=HTTP,443=HTTPS", "fiberlb.io/certificate": "site" },
          { ports: [http, https] },
        ),
        certificates,
        plan: [
          "create loadBalancer",
          "create pool http-80",
          "create pool http-443",
          "create listener http-80 loadBalancerId=<loadBalancer> defaultPoolId=<pool  TCP/80 HTTP> protocol=HTTP port=80 allowedCidrs=[] certificateIds=[]",
          'create listener https-443 loadBalancerId=<loadBalancer> defaultPoolId=<pool  TCP/443 HTTP> protocol=HTTPS port=443 allowedCidrs=[] certificateIds=["00000000-0000-7000-8000-00000000000c"]',
        ],
      },
    ],
    [
      "TLS that ends here, TCP behind",
      {
        service: annotated({ "fiberlb.io/protocol": "TLS", "fiberlb.io/certificate": "site" }, { ports: [https] }),
        certificates,
        plan: ["create loadBalancer", "create pool tcp-443", "create listener tls-443"],
      },
    ],
    [
      "another backend protocol: a new pool, then the listener points to it",
      {
        service: annotated({ "fiberlb.io/protocol": "HTTP", "fiberlb.io/backend-protocol": "H2C" }),
        pods: one,
        actual: [
          loadBalancer({
            pools: [pool({ name: "http-80" }, { protocol: "HTTP" })],
            listeners: [listener({}, { protocol: "HTTP" })],
          }),
        ],
        plan: [
          "create pool h2c-80",
          "create backend",
          "update listener l1 defaultPoolId=<pool lb1 TCP/80 H2C>",
          "delete pool p1",
        ],
      },
    ],
    [
      "backend protocol for all is for the HTTP ports",
      {
        service: annotated(
          { "fiberlb.io/protocol": "http=HTTP", "fiberlb.io/backend-protocol": "HTTPS" },
          { ports: [http, https] },
        ),
        plan: [
          "create loadBalancer",
          "create pool https-80",
          "create pool tcp-443",
          "create listener http-80",
          "create listener tcp-443",
        ],
      },
    ],
    [
      "a health check, before the backends",
      {
        service: annotated({ "fiberlb.io/health-check-path": "/healthz" }),
        pods: [pod("web", 2)],
        actual: settled,
        plan: [
          'create healthCheck poolId=p1 type=HTTP intervalMs=5000 timeoutMs=2000 rise=2 fall=3 http={"method":"GET","path":"/healthz","expectedCodes":"200"}',
          "create backend web-2",
          "delete backend b1",
        ],
      },
    ],
    [
      "a health check, in place",
      { service: annotated({ "fiberlb.io/health-check-type": "tcp" }), pods: one, actual: [tcpCheck], plan: [] },
    ],
    [
      "a health check's interval",
      {
        service: annotated({ "fiberlb.io/health-check-type": "TCP", "fiberlb.io/health-check-interval-ms": "1000" }),
        pods: one,
        actual: [tcpCheck],
        plan: ["update healthCheck h1 intervalMs=1000 timeoutMs=1000"],
      },
    ],
    [
      "a health check's type: the old one goes first",
      {
        service: annotated({ "fiberlb.io/health-check-type": "tls-hello" }),
        pods: one,
        actual: [tcpCheck],
        plan: ["delete healthCheck h1", "create healthCheck poolId=p1 type=TLS_HELLO"],
      },
    ],
    [
      "a health check no longer asked for",
      { service: web(), pods: one, actual: [tcpCheck], plan: ["delete healthCheck h1"] },
    ],
    [
      "somebody's health check stays",
      {
        service: web(),
        pods: one,
        actual: [loadBalancer({ pools: [pool({ healthCheck: healthCheck({ tags: {} }) })] })],
        plan: [],
      },
    ],
    [
      "a health check on another port",
      {
        service: annotated({ "fiberlb.io/health-check-port": "8081" }),
        pods: one,
        actual: [tcpCheck],
        plan: ["update backend b1 monitorPort=8081"],
      },
    ],
    [
      "a health check for gRPC",
      {
        service: annotated({ "fiberlb.io/health-check-grpc-service": "shop.v1.Cart" }),
        pods: one,
        actual: settled,
        plan: ["create healthCheck poolId=p1 type=GRPC"],
      },
    ],
    [
      "a TLS_HELLO check leaves UDP ports alone",
      {
        service: annotated({ "fiberlb.io/health-check-type": "TLS_HELLO" }, { ports: [udp] }),
        plan: ["create loadBalancer", "create pool udp-53", "create listener udp-53"],
      },
    ],
    [
      "annotations of others",
      { service: annotated({ "example.com/fiberlb.io": "x" }), pods: one, actual: settled, plan: [] },
    ],
  ])("%s", (_name, given) => check(given));
});

describe("the VIP", () => {
  const other = loadBalancer({
    id: "lb2",
    vipAddress: "127.10.0.9",
    pools: [
      pool({
        id: "p2",
        loadBalancerId: "lb2",
        backends: [backend(2, { address: "10.0.0.1", name: "web-1@10.0.0.1:8080" })],
      }),
    ],
    listeners: [listener({ id: "l2", defaultPoolId: "p2" })],
  });
  const moved = web({ loadBalancerIp: "127.10.0.9" });
  test.each<[string, Case]>([
    [
      "asked for",
      {
        service: moved,
        plan: [
          expect.stringMatching(/^create loadBalancer k8s-default-web-[0-9a-f]{8} vipAddress=127.10.0.9$/) as never,
          "create pool",
          "create listener",
        ],
      },
    ],
    ["asked for, and there", { service: web({ loadBalancerIp: "127.10.0.1" }), pods: one, actual: settled, plan: [] }],
    [
      "from a pool",
      {
        service: annotated({ "fiberlb.io/vip-pool": "public" }),
        plan: ["create loadBalancer", "create pool", "create listener"],
      },
    ],
    [
      "from a pool, in place",
      { service: annotated({ "fiberlb.io/vip-pool": "default" }), pods: one, actual: settled, plan: [] },
    ],
    [
      "no longer asked for: stays",
      { service: web(), pods: one, actual: [loadBalancer({ vipAddress: "127.10.0.9" })], plan: [] },
    ],
    [
      "another one: a second load balancer, and the first goes on following",
      {
        service: web({ loadBalancerIp: "127.10.0.9", ingressIps: ["127.10.0.1"] }),
        pods: [pod("web", 2)],
        actual: settled,
        plan: [
          "create loadBalancer",
          "create pool tcp-80 loadBalancerId=<loadBalancer>",
          "create backend web-2@10.0.0.2:8080 poolId=<pool  TCP/80 TCP>",
          "create backend web-2@10.0.0.2:8080 poolId=p1",
          "create listener tcp-80",
          "delete backend b1",
        ],
      },
    ],
    [
      "another one, not yet shown",
      {
        service: web({ loadBalancerIp: "127.10.0.9", ingressIps: ["127.10.0.1"] }),
        pods: one,
        actual: [loadBalancer(), other],
        plan: [],
      },
    ],
    [
      "another one, shown",
      {
        service: web({ loadBalancerIp: "127.10.0.9", ingressIps: ["127.10.0.9"] }),
        pods: one,
        actual: [loadBalancer(), other],
        plan: ["delete loadBalancer lb1"],
      },
    ],
    [
      "another one, shown but failing",
      {
        service: web({ loadBalancerIp: "127.10.0.9", ingressIps: ["127.10.0.9"] }),
        pods: one,
        actual: [loadBalancer(), { ...other, provisioningStatus: "ERROR" }],
        plan: [],
      },
    ],
    [
      "two for one Service: the one that clients know stays",
      {
        service: web({ ingressIps: ["127.10.0.9"] }),
        pods: one,
        actual: [loadBalancer(), other],
        plan: ["delete loadBalancer lb1"],
      },
    ],
    [
      "two for one Service, none shown: nothing goes before one is",
      { service: web(), pods: one, actual: [loadBalancer(), other], plan: [] },
    ],
  ])("%s", (_name, given) => check(given));
});

describe("ownership", () => {
  test.each<[string, Case]>([
    [
      "a load balancer of a Service that had the name before",
      {
        service: web(),
        pods: one,
        actual: [...settled, loadBalancer({ id: "lb0", tags: { ...tags(), "fiberlb.io/service-uid": "older" } })],
        plan: ["delete loadBalancer lb0"],
      },
    ],
    [
      "a load balancer that nobody's controller keeps",
      { service: web({ type: "ClusterIP" }), actual: [loadBalancer({ tags: {} })], plan: [] },
    ],
    [
      "a load balancer of another cluster",
      {
        service: web({ type: "ClusterIP" }),
        actual: [loadBalancer({ tags: { ...tags(), "fiberlb.io/managed-by": "k8shost/other" } })],
        plan: [],
      },
    ],
    [
      "a load balancer of apply",
      {
        service: web({ type: "ClusterIP" }),
        actual: [loadBalancer({ tags: { ...tags(), "fiberlb.io/managed-by": "apply/default" } })],
        plan: [],
      },
    ],
  ])("%s", (_name, given) => check(given));
});
