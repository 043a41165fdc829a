import type { BackendTls, Listener, LoadBalancer, Pool } from "@fiberlb/types";

import type { CertificateAnswer, CertificateMaterial, FindCertificate } from "./certificate-shelf.ts";
import type { BackendTlsUnit, CertificateUnit, Problem, TlsUnit } from "./snapshot.ts";

/** The entities that name certificates. */
export interface CertificateUsers {
  readonly loadBalancer: Pick<LoadBalancer, "id" | "name" | "adminStateUp">;
  readonly listeners: readonly Listener[];
  readonly pools: readonly Pool[];
}

/** The certificates that a load balancer's listeners and pools name. */
export function certificateIdsOf({ listeners, pools }: Omit<CertificateUsers, "loadBalancer">): ReadonlySet<string> {
  return new Set(
    [
      ...listeners.flatMap(({ certificateIds, clientCaCertificateId }) => [...certificateIds, clientCaCertificateId]),
      ...pools.flatMap(({ backendTls: tls }) => [tls?.caCertificateId, tls?.clientCertificateId]),
    ].filter((id) => id !== undefined),
  );
}

/**
 * What a TLS or HTTPS listener has besides. Certificates that cannot be used are left out; undefined when none is left, or
 * when there is nothing to verify clients with: then the listener must not be open.
 */
export function compileTls(listener: Listener, findCertificate: FindCertificate): TlsUnit | undefined {
  const { certificateIds, clientAuth, clientCaCertificateId, tlsMinVersion, alpnProtocols } = listener;
  const certificates = certificateIds.flatMap((id) => keyPairOf(findCertificate(id)) ?? []);
  const clientCa = clientCaCertificateId === undefined ? undefined : materialOf(findCertificate(clientCaCertificateId));
  if (certificates.length === 0 || (clientAuth !== "NONE" && clientCa === undefined)) return undefined;
  return {
    certificates,
    minVersion: tlsMinVersion,
    clientAuth,
    // On a TLS listener any identifier may stand here: TLS offers it as it is, and nothing of ours reads it.
    alpnProtocols: alpnProtocols as TlsUnit["alpnProtocols"],
    ...(clientAuth !== "NONE" && clientCa !== undefined && { clientCaPem: clientCa.certificatePem }),
  };
}

/**
 * How a pool speaks TLS with its backends; undefined when what verifies them, or what is shown to them, cannot be used.
 * It must not go on without: the system's authorities are not what was asked for.
 */
export function compileBackendTls(tls: BackendTls, findCertificate: FindCertificate): BackendTlsUnit | undefined {
  const { serverName, skipVerify, alpnProtocols, caCertificateId, clientCertificateId } = tls;
  const ca = caCertificateId === undefined ? undefined : materialOf(findCertificate(caCertificateId));
  const own = clientCertificateId === undefined ? undefined : keyPairOf(findCertificate(clientCertificateId));
  if ((caCertificateId !== undefined && ca === undefined) || (clientCertificateId !== undefined && own === undefined))
    return undefined;
  return {
    ...(ca !== undefined && { caPem: ca.certificatePem }),
    ...(serverName !== undefined && { serverName }),
    ...(own !== undefined && { clientCertificate: own }),
    skipVerify,
    alpnProtocols,
  };
}

/** Why listeners and pools that should serve do without a certificate, or cannot serve without it. */
export function certificateProblems(source: CertificateUsers, findCertificate: FindCertificate): readonly Problem[] {
  const { loadBalancer, listeners, pools } = source;
  if (!loadBalancer.adminStateUp) return [];
  const { id: loadBalancerId } = loadBalancer;
  return [
    ...listeners
      .filter(({ adminStateUp, protocol }) => adminStateUp && isTls(protocol))
      .flatMap((listener) =>
        listenerReasons(loadBalancer, listener, findCertificate).map((reason) => ({
          loadBalancerId,
          listenerId: listener.id,
          reason,
        })),
      ),
    ...pools
      .filter(({ adminStateUp }) => adminStateUp)
      .flatMap((pool) =>
        poolReasons(loadBalancer, pool, findCertificate).map((reason) => ({ loadBalancerId, reason })),
      ),
  ];
}

/** Whether a listener of this protocol needs a certificate. */
export const isTls = (protocol: Listener["protocol"]): boolean => protocol === "TLS" || protocol === "HTTPS";

type Named = CertificateUsers["loadBalancer"];

function listenerReasons({ name }: Named, listener: Listener, findCertificate: FindCertificate): string[] {
  const { certificateIds, clientCaCertificateId } = listener;
  const own = certificateIds.flatMap((id) => faultOf(findCertificate(id), keyPairOf) ?? []);
  const ca =
    clientCaCertificateId === undefined ? undefined : faultOf(findCertificate(clientCaCertificateId), materialOf);
  const at = `${name}/${listener.name}`;
  if (compileTls(listener, findCertificate) === undefined)
    return [`Cannot open listener ${at}: ${[...own, ...(ca === undefined ? [] : [ca])].join("; ")}`];
  return own.map((fault) => `Listener ${at} is served without one of its certificates: ${fault}`);
}

function poolReasons({ name }: Named, pool: Pool, findCertificate: FindCertificate): string[] {
  const { caCertificateId, clientCertificateId } = pool.backendTls ?? {};
  const faults = [
    caCertificateId === undefined ? undefined : faultOf(findCertificate(caCertificateId), materialOf),
    clientCertificateId === undefined ? undefined : faultOf(findCertificate(clientCertificateId), keyPairOf),
  ].filter((fault) => fault !== undefined);
  return faults.map((fault) => `Cannot use the backends of pool ${name}/${pool.name}: ${fault}`);
}

const materialOf = (answer: CertificateAnswer): CertificateMaterial | undefined =>
  answer.ok ? answer.material : undefined;

const keyPairOf = (answer: CertificateAnswer): CertificateUnit | undefined => materialOf(answer)?.keyPair;

/** Why an answer holds not what `needed` takes from it. */
function faultOf(
  answer: CertificateAnswer,
  needed: (answer: CertificateAnswer) => object | undefined,
): string | undefined {
  if (needed(answer) !== undefined) return undefined;
  return answer.ok
    ? "a certificate without a private key is named where one is needed"
    : `${answer.label} ${answer.problem}`;
}
