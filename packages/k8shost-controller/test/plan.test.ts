import { describe, expect, test } from "@jest/globals";

import type { ActualLoadBalancer } from "../src/actual.ts";
import type { Pod, Service } from "../src/objects.ts";
import { pod, service } from "./fake-source.ts";
import { backend, healthCheck, listener, loadBalancer, planned, pool, tags } from "./plan-cases.ts";

const web = (more: Parameters<typeof service>[1] = {}): Service => service("web", more);
const annotated = (annotations: Readonly<Record<string, string>>, more: Parameters<typeof service>[1] = {}): Service =>
  web({ ...more, meta: { annotations } });
const gone = "2026-01-01T00:00:00.000Z";
const dying = (n: number, more: Parameters<typeof pod>[2] = {}): Pod =>
  pod("web", n, { ...more, meta: { deletedAt: gone } });
const udp = { name: "dns", port: 53, targetPort: 5353, protocol: "UDP" } as const;
const http = { name: "http", port: 80, targetPort: 8080, protocol: "TCP" } as const;
const https = { name: "https", port: 443, targetPort: 8443, protocol: "TCP" } as const;

const POOL_80 = "create pool tcp-80 loadBalancerId=<loadBalancer> protocol=TCP algorithm=MAGLEV sendProxyProtocol=NONE";
const BACKEND_1 =
  "create backend web-1@10.0.0.1:8080 poolId=<pool  TCP/80 TCP> address=10.0.0.1 port=8080 weight=1 monitorPort=0";
const LISTENER_80 =
  "create listener tcp-80 loadBalancerId=<loadBalancer> defaultPoolId=<pool  TCP/80 TCP> protocol=TCP port=80 allowedCidrs=[] certificateIds=[]";

interface Case {
  readonly service: Service;
  readonly pods?: readonly Pod[];
  readonly actual?: readonly ActualLoadBalancer[];
  readonly certificates?: ReadonlyMap<string, string>;
  /** Each begins a planned operation, in order. */
  readonly plan: readonly string[];
}

const one = [pod("web", 1)];
const settled = [loadBalancer()];

/** Every planned operation begins as said, and there are no others. */
function check({ plan: expected, ...given }: Case): void {
  const actual = planned(given);
  expect(actual.map((line, index) => line.slice(0, expected[index]?.length ?? line.length))).toEqual(expected);
}

describe("what a Service wants", () => {
  test.each<[string, Case]>([
    [
      "nothing yet: all is made, backends before the listener",
      {
        service: web(),
        pods: one,
        plan: [
          expect.stringMatching(/^create loadBalancer k8s-default-web-[0-9a-f]{8}$/) as never,
          POOL_80,
          BACKEND_1,
          LISTENER_80,
        ],
      },
    ],
    ["all is there", { service: web(), pods: one, actual: settled, plan: [] }],
    [
      "no Pods: a pool without backends",
      { service: web(), actual: [loadBalancer({ pools: [pool({ backends: [] })] })], plan: [] },
    ],
    ["not of type LoadBalancer", { service: web({ type: "ClusterIP" }), pods: one, plan: [] }],
    [
      "no longer of type LoadBalancer",
      { service: web({ type: "NodePort" }), pods: one, actual: settled, plan: ["delete loadBalancer lb1"] },
    ],
    [
      "being deleted",
      { service: web({ meta: { deletedAt: gone } }), pods: one, actual: settled, plan: ["delete loadBalancer lb1"] },
    ],
    [
      "being deleted, and the load balancer on its way out",
      {
        service: web({ meta: { deletedAt: gone } }),
        actual: [loadBalancer({ provisioningStatus: "PENDING_DELETE" })],
        plan: [],
      },
    ],
    ["of another class", { service: web({ loadBalancerClass: "example.com/other" }), pods: one, plan: [] }],
    [
      "given to another class",
      { service: web({ loadBalancerClass: "example.com/other" }), actual: settled, plan: ["delete loadBalancer lb1"] },
    ],
    [
      "of our class",
      { service: web({ loadBalancerClass: "fiberlb.io/fiberlb" }), pods: one, actual: settled, plan: [] },
    ],
    [
      "without a selector: no backends",
      { service: web({ selector: {} }), actual: settled, plan: ["delete backend b1"] },
    ],
    [
      "traffic policy Local: Pods are reached without a second hop anyway",
      { service: web({ externalTrafficPolicy: "Local" }), pods: one, actual: settled, plan: [] },
    ],
  ])("%s", (_name, given) => check(given));
});

describe("backends follow Pods", () => {
  test.each<[string, Case]>([
    [
      "a Pod more",
      {
        service: web(),
        pods: [...one, pod("web", 2)],
        actual: settled,
        plan: ["create backend web-2@10.0.0.2:8080 poolId=p1"],
      },
    ],
    ["a Pod less", { service: web(), pods: [], actual: settled, plan: ["delete backend b1"] }],
    [
      "one for another: first the new one",
      { service: web(), pods: [pod("web", 2)], actual: settled, plan: ["create backend web-2", "delete backend b1"] },
    ],
    [
      "not Ready",
      { service: web(), pods: [pod("web", 1, { ready: false })], actual: settled, plan: ["delete backend b1"] },
    ],
    [
      "not Ready from the start",
      { service: web(), pods: [...one, pod("web", 2, { ready: false })], actual: settled, plan: [] },
    ],
    [
      "without an address yet",
      { service: web(), pods: [...one, (({ podIp: _, ...rest }) => rest)(pod("web", 2))], actual: settled, plan: [] },
    ],
    [
      "terminating: drains",
      { service: web(), pods: [dying(1)], actual: settled, plan: ["update backend b1 weight=0"] },
    ],
    [
      "terminating and no longer Ready: drains all the same",
      { service: web(), pods: [dying(1, { ready: false })], actual: settled, plan: ["update backend b1 weight=0"] },
    ],
    [
      "still terminating",
      {
        service: web(),
        pods: [dying(1)],
        actual: [loadBalancer({ pools: [pool({ backends: [backend(1, { weight: 0 })] })] })],
        plan: [],
      },
    ],
    [
      "terminated",
      {
        service: web(),
        pods: [],
        actual: [loadBalancer({ pools: [pool({ backends: [backend(1, { weight: 0 })] })] })],
        plan: ["delete backend b1"],
      },
    ],
    ["terminating and never a backend", { service: web(), pods: [...one, dying(2)], actual: settled, plan: [] }],
    [
      "a new Pod takes over the address of a terminating one",
      {
        service: web(),
        pods: [dying(1), pod("web", 7, { podIp: "10.0.0.1" })],
        actual: settled,
        plan: ["update backend b1 name=web-7@10.0.0.1:8080"],
      },
    ],
    [
      "the same, in the other order",
      {
        service: web(),
        pods: [pod("web", 7, { podIp: "10.0.0.1" }), dying(1)],
        actual: settled,
        plan: ["update backend b1 name=web-7@10.0.0.1:8080"],
      },
    ],
    [
      "a drained backend whose address serves again",
      {
        service: web(),
        pods: one,
        actual: [loadBalancer({ pools: [pool({ backends: [backend(1, { weight: 0 })] })] })],
        plan: ["update backend b1 weight=1"],
      },
    ],
    [
      "a weight that somebody changed",
      {
        service: web(),
        pods: one,
        actual: [loadBalancer({ pools: [pool({ backends: [backend(1, { weight: 5 })] })] })],
        plan: ["update backend b1 weight=1"],
      },
    ],
    [
      "of another namespace, with the same labels and no backend's place",
      { service: web(), pods: [...one], actual: settled, plan: [] },
    ],
    [
      "a target port by name, each Pod's own",
      {
        service: web({ ports: [{ ...http, targetPort: "web" }] }),
        pods: [pod("web", 1, { namedPorts: { web: 8080 } }), pod("web", 2, { namedPorts: { web: 9090 } })],
        actual: settled,
        plan: ["create backend web-2@10.0.0.2:9090"],
      },
    ],
    [
      "a target port by a name that a Pod does not have",
      {
        service: web({ ports: [{ ...http, targetPort: "web" }] }),
        pods: [pod("web", 1, { namedPorts: { web: 8080 } }), pod("web", 2)],
        actual: settled,
        plan: [],
      },
    ],
    [
      "a target port by a name that every object has",
      {
        service: web({ ports: [{ ...http, targetPort: "constructor" }] }),
        pods: one,
        actual: settled,
        plan: ["delete backend b1"],
      },
    ],
    [
      "another target port: new ones before old ones go",
      {
        service: web({ ports: [{ ...http, targetPort: 9090 }] }),
        pods: one,
        actual: settled,
        plan: ["create backend web-1@10.0.0.1:9090", "delete backend b1"],
      },
    ],
    [
      "an IPv6 Pod",
      {
        service: web(),
        pods: [...one, pod("web", 2, { podIp: "fd00::2" })],
        actual: settled,
        plan: ["create backend web-2@[fd00::2]:8080"],
      },
    ],
    [
      "a backend that somebody else keeps in the pool",
      {
        service: web(),
        pods: one,
        actual: [loadBalancer({ pools: [pool({ backends: [backend(1), backend(9, { tags: {} })] })] })],
        plan: [],
      },
    ],
  ])("%s", (_name, given) => check(given));
});

describe("ports", () => {
  const two = web({ ports: [http, https] });
  const second = {
    pools: [
      pool(),
      pool({
        id: "p2",
        name: "tcp-443",
        tags: tags("TCP/443"),
        backends: [backend(4, { address: "10.0.0.1", port: 8443, poolId: "p2" })],
      }),
    ],
    listeners: [listener(), listener({ id: "l2", defaultPoolId: "p2", tags: tags("TCP/443") }, { port: 443 })],
  };
  test.each<[string, Case]>([
    [
      "one more",
      {
        service: two,
        pods: one,
        actual: settled,
        plan: [
          "create pool tcp-443 loadBalancerId=lb1",
          "create backend web-1@10.0.0.1:8443 poolId=<pool lb1 TCP/443 TCP>",
          "create listener tcp-443 loadBalancerId=lb1 defaultPoolId=<pool lb1 TCP/443 TCP>",
        ],
      },
    ],
    [
      "one less: the listener goes before its pool",
      { service: web(), pods: one, actual: [loadBalancer(second)], plan: ["delete listener l2", "delete pool p2"] },
    ],
    [
      "another number: the new one first",
      {
        service: web({ ports: [{ ...http, port: 81 }] }),
        pods: one,
        actual: settled,
        plan: [
          "create pool tcp-81",
          "create backend",
          "create listener tcp-81",
          "delete listener l1",
          "delete pool p1",
        ],
      },
    ],
    [
      "another name changes nothing",
      { service: web({ ports: [{ ...http, name: "renamed" }] }), pods: one, actual: settled, plan: [] },
    ],
    [
      "TCP and UDP on one number",
      {
        service: web({ ports: [http, { ...udp, port: 80 }] }),
        pods: one,
        actual: settled,
        plan: [
          "create pool udp-80 loadBalancerId=lb1 protocol=UDP",
          "create backend",
          "create listener udp-80 loadBalancerId=lb1 defaultPoolId=<pool lb1 UDP/80 UDP> protocol=UDP port=80",
        ],
      },
    ],
    [
      "from TCP to UDP",
      {
        service: web({ ports: [{ ...http, protocol: "UDP" }] }),
        pods: one,
        actual: settled,
        plan: [
          "create pool udp-80",
          "create backend",
          "create listener udp-80",
          "delete listener l1",
          "delete pool p1",
        ],
      },
    ],
    [
      "somebody's listener on another port stays",
      {
        service: web(),
        pods: one,
        actual: [loadBalancer({ listeners: [listener(), listener({ id: "l9", tags: {} }, { port: 9000 })] })],
        plan: [],
      },
    ],
    [
      "somebody's pool stays",
      {
        service: web(),
        pods: one,
        actual: [loadBalancer({ pools: [pool(), pool({ id: "p9", tags: {} })] })],
        plan: [],
      },
    ],
    [
      "somebody's listener on our port is told of, not taken",
      {
        service: web(),
        pods: one,
        actual: [loadBalancer({ listeners: [listener({ tags: {} })] })],
        plan: ["create listener tcp-80"],
      },
    ],
    [
      "a listener that somebody deleted",
      {
        service: web(),
        pods: one,
        actual: [loadBalancer({ listeners: [] })],
        plan: ["create listener tcp-80 loadBalancerId=lb1 defaultPoolId=p1"],
      },
    ],
    [
      "a listener that somebody pointed elsewhere",
      {
        service: web(),
        pods: one,
        actual: [loadBalancer({ listeners: [listener({ defaultPoolId: "p9" })] })],
        plan: ["update listener l1 defaultPoolId=p1"],
      },
    ],
    [
      "a setting that people made stays",
      {
        service: web(),
        pods: one,
        actual: [
          loadBalancer({ listeners: [listener({}, { connectionLimit: 9 })], pools: [pool({}, { drainTimeoutS: 5 })] }),
        ],
        plan: [],
      },
    ],
    [
      "tags that somebody removed from a listener's load balancer",
      {
        service: web(),
        pods: one,
        actual: [loadBalancer({ tags: { ...tags(), "fiberlb.io/service": "other" } })],
        plan: ["update loadBalancer lb1"],
      },
    ],
  ])("%s", (_name, given) => check(given));
});

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

describe("a Service that asks for something impossible", () => {
  const broken = { "fiberlb.io/algorithm": "BEST" };
  test.each<[string, Case]>([
    ["gets nothing", { service: annotated(broken), pods: one, plan: [] }],
    [
      "keeps what it has",
      { service: annotated(broken, { ports: [http, https] }), pods: one, actual: settled, plan: [] },
    ],
    [
      "has backends that go on following its Pods",
      {
        service: annotated(broken),
        pods: [pod("web", 2)],
        actual: settled,
        plan: ["create backend web-2@10.0.0.2:8080 poolId=p1", "delete backend b1"],
      },
    ],
    [
      "has Pods that drain",
      { service: annotated(broken), pods: [dying(1)], actual: settled, plan: ["update backend b1 weight=0"] },
    ],
    [
      "can still be deleted",
      {
        service: web({ meta: { annotations: broken, deletedAt: gone } }),
        actual: settled,
        plan: ["delete loadBalancer lb1"],
      },
    ],
  ])("%s", (_name, given) => check(given));
});
