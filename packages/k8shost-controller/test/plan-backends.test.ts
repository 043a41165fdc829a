import { describe, expect, test } from "@jest/globals";

import { pod } from "./fake-source.ts";
import { backend, loadBalancer, pool } from "./plan-cases.ts";
import {
  annotated,
  type Case,
  https,
  BACKEND_1,
  check,
  dying,
  gone,
  http,
  LISTENER_80,
  one,
  POOL_80,
  settled,
  web,
} from "./plan-check.ts";

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
      { service: web(), pods: [...one, pod("web", 2, { podIp: undefined } as never)], actual: settled, plan: [] },
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
