import { expect } from "@jest/globals";

import type { ActualLoadBalancer } from "../src/actual.ts";
import type { Pod, Service } from "../src/objects.ts";
import { pod, service } from "./fake-source.ts";
import { loadBalancer, planned } from "./plan-cases.ts";

export const web = (more: Parameters<typeof service>[1] = {}): Service => service("web", more);
export const annotated = (
  annotations: Readonly<Record<string, string>>,
  more: Parameters<typeof service>[1] = {},
): Service => web({ ...more, meta: { annotations } });
export const gone = "2026-01-01T00:00:00.000Z";
export const dying = (n: number, more: Parameters<typeof pod>[2] = {}): Pod =>
  pod("web", n, { ...more, meta: { deletedAt: gone } });
export const udp = { name: "dns", port: 53, targetPort: 5353, protocol: "UDP" } as const;
export const http = { name: "http", port: 80, targetPort: 8080, protocol: "TCP" } as const;
export const https = { name: "https", port: 443, targetPort: 8443, protocol: "TCP" } as const;

export const POOL_80 =
  "create pool tcp-80 loadBalancerId=<loadBalancer> protocol=TCP algorithm=MAGLEV sendProxyProtocol=NONE";
export const BACKEND_1 =
  "create backend web-1@10.0.0.1:8080 poolId=<pool  TCP/80 TCP> address=10.0.0.1 port=8080 weight=1 monitorPort=0";
export const LISTENER_80 =
  "create listener tcp-80 loadBalancerId=<loadBalancer> defaultPoolId=<pool  TCP/80 TCP> protocol=TCP port=80 allowedCidrs=[] certificateIds=[]";

export interface Case {
  readonly service: Service;
  readonly pods?: readonly Pod[];
  readonly actual?: readonly ActualLoadBalancer[];
  readonly certificates?: ReadonlyMap<string, string>;
  /** Each begins a planned operation, in order. */
  readonly plan: readonly string[];
}

export const one = [pod("web", 1)];
export const settled = [loadBalancer()];

/** Every planned operation begins as said, and there are no others. */
export function check({ plan: expected, ...given }: Case): void {
  const actual = planned(given);
  expect(actual.map((line, index) => line.slice(0, expected[index]?.length ?? line.length))).toEqual(expected);
}
