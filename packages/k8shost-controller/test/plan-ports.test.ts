import { describe, test } from "@jest/globals";

import { backend, listener, loadBalancer, pool, tags } from "./plan-cases.ts";
import { type Case, check, http, https, one, settled, udp, web } from "./plan-check.ts";

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
