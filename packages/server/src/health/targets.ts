/**
 * The entities of one load balancer → what its health checks knock at. Pure.
 */
import type { Backend, HealthCheck, Pool } from "@fiberlb/types";

import { compileBackendTls } from "../snapshot/compile-tls.ts";
import type { Lookups } from "../snapshot/compile.ts";
import type { BackendTlsUnit } from "../snapshot/snapshot.ts";
import type { BackendTlsOptions } from "./probes/probe.ts";
import type { HealthCheckSettings, HealthTarget } from "./target.ts";

/** A load balancer and what stands below it, as far as health checks care. */
export interface TargetSource {
  readonly loadBalancer: { readonly id: string; readonly name: string; readonly adminStateUp: boolean };
  readonly pools: readonly Pool[];
  readonly backends: readonly Backend[];
  readonly healthChecks: readonly HealthCheck[];
}

/** One target for each backend that is administratively up, of each pool with a health check that is. */
export function healthTargets(source: TargetSource, lookups: Lookups): readonly HealthTarget[] {
  if (!source.loadBalancer.adminStateUp) return [];
  return source.healthChecks.flatMap((check) => {
    const pool = source.pools.find((candidate) => candidate.id === check.poolId);
    if (pool === undefined || !check.adminStateUp || !pool.adminStateUp) return [];
    const tls = pool.backendTls === undefined ? undefined : compileBackendTls(pool.backendTls, lookups.findCertificate);
    // Without what verifies the backends they get no traffic, and a check without it would say nothing of them.
    if (pool.backendTls !== undefined && tls === undefined) return [];
    const settings = checkSettings(check, tls);
    return source.backends
      .filter((backend) => backend.poolId === pool.id && backend.adminStateUp)
      .map((backend) => target(source, { pool, backend, settings, lookups }));
  });
}

interface TargetParts {
  readonly pool: Pool;
  readonly backend: Backend;
  readonly settings: HealthCheckSettings;
  readonly lookups: Lookups;
}

function target(source: TargetSource, { pool, backend, settings, lookups }: TargetParts): HealthTarget {
  // Knocks at the monitor address, but asks for the backend: by its own name in Host and in TLS.
  const { address, problem } = lookups.resolveHost(backend.monitorAddress ?? backend.address);
  return {
    poolId: pool.id,
    backendId: backend.id,
    loadBalancerId: source.loadBalancer.id,
    poolName: pool.name,
    backendName: backend.name,
    loadBalancerName: source.loadBalancer.name,
    host: backend.address,
    ...(address !== undefined && { address }),
    ...(problem !== undefined && { addressProblem: problem }),
    port: backend.monitorPort || backend.port,
    check: asTraffic(settings, pool, backend),
  };
}

/** What listens at a place of its own is not what gets the traffic, and knows nothing of the PROXY protocol (as HAProxy has it). */
function asTraffic(settings: HealthCheckSettings, { sendProxyProtocol }: Pool, backend: Backend): HealthCheckSettings {
  const isElsewhere = backend.monitorAddress !== undefined || (backend.monitorPort ?? 0) !== 0;
  return isElsewhere || sendProxyProtocol === "NONE" ? settings : { ...settings, sendProxyProtocol };
}

function checkSettings(check: HealthCheck, tls: BackendTlsUnit | undefined): HealthCheckSettings {
  const { type, intervalMs, timeoutMs, rise, fall, http, grpcService } = check;
  return {
    type,
    intervalMs,
    timeoutMs,
    rise,
    fall,
    ...(http !== undefined && {
      http: {
        method: http.method,
        path: http.path,
        expectedCodes: http.expectedCodes,
        ...(http.host !== undefined && { host: http.host }),
      },
    }),
    ...(grpcService !== undefined && { grpcService }),
    ...(tls !== undefined && { backendTls: tlsOptions(tls) }),
  };
}

function tlsOptions({ caPem, serverName, clientCertificate, skipVerify }: BackendTlsUnit): BackendTlsOptions {
  return {
    skipVerify,
    ...(caPem !== undefined && { caPem }),
    ...(clientCertificate !== undefined && {
      clientCertificatePem: clientCertificate.chainPem,
      clientKeyPem: clientCertificate.privateKeyPem,
    }),
    ...(serverName !== undefined && { serverName }),
  };
}
