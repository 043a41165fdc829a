import { readFileSync } from "node:fs";

import { CertificateType, createFiberlbClient, ListenerProtocol, PoolProtocol } from "@fiberlb/api";

import { BenchNode } from "../node.ts";
import { BALANCER_CORE } from "../processes.ts";

export const HTTP_PORT = 8080;
export const HTTPS_PORT = 8443;

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly privateKey: string;
  /** Both, one after the other. */
  readonly both: string;
}

/** What {@link startFiberlb} makes. */
export interface FiberlbOptions {
  readonly backendPort: number;
  /** Absent: no HTTPS listener. */
  readonly certificate?: CertificateFiles;
  /** Of the listeners. Default: the API's. */
  readonly clientIdleTimeoutMs?: number;
}

/** A FiberLB node whose only load balancer has the defaults of listeners and pools. */
export interface FiberlbUnderTest {
  readonly node: BenchNode;
  readonly vip: string;
}

/**
 * Starts a whole node (API, store, health checks, one worker) on a core and makes a load balancer through its API.
 */
export async function startFiberlb({
  backendPort,
  certificate,
  ...timeouts
}: FiberlbOptions): Promise<FiberlbUnderTest> {
  const node = await BenchNode.start({ store: "memory", flags: { "dataPlane.workers": 1 }, core: BALANCER_CORE });
  const client = createFiberlbClient({ baseUrl: node.apiUrl });
  try {
    const { loadBalancer } = await client.loadBalancers.createLoadBalancer({ name: "bench" });
    const { id: loadBalancerId, vipAddress: vip } = loadBalancer!;
    const { pool } = await client.pools.createPool({ loadBalancerId, name: "app", protocol: PoolProtocol.HTTP });
    const defaultPoolId = pool!.id;
    await client.backends.createBackend({ poolId: defaultPoolId, address: "127.0.0.1", port: backendPort });
    const listener = { loadBalancerId, defaultPoolId, ...timeouts };
    const http = { name: "http", protocol: ListenerProtocol.HTTP, port: HTTP_PORT };
    await client.listeners.createListener({ ...listener, ...http });
    if (certificate === undefined) return { node, vip };
    const made = await client.certificates.createCertificate({
      name: "bench",
      type: CertificateType.SERVER,
      certificatePem: readFileSync(certificate.certificate, "utf8"),
      privateKeyPem: readFileSync(certificate.privateKey, "utf8"),
    });
    const certificateIds = [made.certificate!.id];
    const https = { name: "https", protocol: ListenerProtocol.HTTPS, port: HTTPS_PORT, certificateIds };
    await client.listeners.createListener({ ...listener, ...https });
    return { node, vip };
  } finally {
    client.close();
  }
}
