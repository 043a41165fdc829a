/**
 * The entities of one load balancer → what its health checks knock at. Pure.
 */
import type { Backend, HealthCheck, Pool } from "@fiberlb/types";

import type { CertificateMaterial } from "../snapshot/certificate-shelf.ts";
import type { BackendTlsOptions } from "./probes/probe.ts";
import type { HealthCheckSettings, HealthTarget } from "./target.ts";

/** A load balancer and what stands below it, as far as health checks care. */
export interface TargetSource {
  readonly loadBalancer: { readonly id: string; readonly name: string; readonly adminStateUp: boolean };
  readonly pools: readonly Pool[];
  readonly backends: readonly Backend[];
  readonly healthChecks: readonly HealthCheck[];
}

/** What the targets need that is in no entity below the load balancer. */
export interface TargetLookups {
  /** What a name or address stands for now. */
  readonly resolveHost: (host: string) => { readonly address?: string; readonly problem?: string };
  /** A certificate with its key, if it has one; undefined when there is none with this id. */
  readonly certificate: (id: string) => CertificateMaterial | undefined;
}

/** One target for each backend that is administratively up, of each pool with a health check that is. */
export function healthTargets(source: TargetSource, lookups: TargetLookups): readonly HealthTarget[] {
  if (!source.loadBalancer.adminStateUp) return [];
  return source.healthChecks.flatMap((check) => {
    const pool = source.pools.find((candidate) => candidate.id === check.poolId);
    if (pool === undefined || !check.adminStateUp || !pool.adminStateUp) return [];
    const settings = checkSettings(check, pool, lookups);
    return source.backends
      .filter((backend) => backend.poolId === pool.id && backend.adminStateUp)
      .map((backend) => target(source, { pool, backend, settings, lookups }));
  });
}

interface TargetParts {
  readonly pool: Pool;
  readonly backend: Backend;
  readonly settings: HealthCheckSettings;
  readonly lookups: TargetLookups;
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
    check: settings,
  };
}

function checkSettings(check: HealthCheck, pool: Pool, lookups: TargetLookups): HealthCheckSettings {
  const { type, intervalMs, timeoutMs, rise, fall, http, grpcService } = check;
  const { backendTls: tls } = pool;
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
    ...(tls !== undefined && { backendTls: tlsOptions(tls, lookups) }),
  };
}

function tlsOptions(tls: NonNullable<Pool["backendTls"]>, lookups: TargetLookups): BackendTlsOptions {
  const find = (id: string | undefined) => (id === undefined ? undefined : lookups.certificate(id));
  const ca = find(tls.caCertificateId);
  const own = find(tls.clientCertificateId);
  return {
    skipVerify: tls.skipVerify,
    ...(ca !== undefined && { caPem: ca.certificatePem }),
    ...(own?.privateKeyPem !== undefined && {
      clientCertificatePem: own.certificatePem,
      clientKeyPem: own.privateKeyPem,
    }),
    ...(tls.serverName !== undefined && { serverName: tls.serverName }),
  };
}
