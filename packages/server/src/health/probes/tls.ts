import net from "node:net";
import type { ConnectionOptions } from "node:tls";

import type { BackendTlsOptions, ProbeTarget } from "./probe.ts";

/**
 * TLS settings of a probe: those of the pool, so that a check fails when traffic would.
 *
 * A pool without `backendTls` makes no promise about certificates: its traffic is not TLS, or TLS that the backend ends
 * for the client. A check then asks whether the backend speaks TLS at all and takes any certificate, as HAProxy's
 * `check-ssl verify none` and Octavia do.
 */
export function tlsOptions(target: ProbeTarget, backendTls: BackendTlsOptions | undefined): ConnectionOptions {
  const { caPem, serverName, skipVerify, clientCertificatePem, clientKeyPem } = backendTls ?? { skipVerify: true };
  return {
    host: target.address,
    port: target.port,
    // RFC 6066 §3 forbids addresses in SNI; without SNI the certificate is held against the address.
    servername: serverName ?? (net.isIP(target.host) === 0 ? target.host : ""),
    rejectUnauthorized: skipVerify !== true,
    ...(caPem === undefined ? {} : { ca: caPem }),
    ...(clientCertificatePem === undefined ? {} : { cert: clientCertificatePem }),
    ...(clientKeyPem === undefined ? {} : { key: clientKeyPem }),
  };
}
