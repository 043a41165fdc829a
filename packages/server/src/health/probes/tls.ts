import net from "node:net";
import type { ConnectionOptions } from "node:tls";

import { dial } from "./dial.ts";
import type { ProbeOptions, ProbeTarget } from "./probe.ts";

/**
 * TLS settings of a probe: those of the pool, so that a check fails when traffic would.
 *
 * A pool without `backendTls` makes no promise about certificates: its traffic is not TLS, or TLS that the backend ends
 * for the client. A check then asks whether the backend speaks TLS at all and takes any certificate, as HAProxy's
 * `check-ssl verify none` and Octavia do.
 */
export function tlsOptions(target: ProbeTarget, options: ProbeOptions): ConnectionOptions {
  const { caPem, serverName, skipVerify, clientCertificatePem, clientKeyPem } = options.backendTls ?? {
    skipVerify: true,
  };
  return {
    host: target.address,
    port: target.port,
    // What goes before TLS needs a socket of its own.
    ...(options.sendProxyProtocol === undefined ? {} : { socket: dial(target, options) }),
    // RFC 6066 §3 forbids addresses in SNI; without SNI the certificate is held against the address.
    servername: serverName ?? (net.isIP(target.host) === 0 ? target.host : ""),
    rejectUnauthorized: skipVerify !== true,
    ...(caPem === undefined ? {} : { ca: caPem }),
    ...(clientCertificatePem === undefined ? {} : { cert: clientCertificatePem }),
    ...(clientKeyPem === undefined ? {} : { key: clientKeyPem }),
  };
}
