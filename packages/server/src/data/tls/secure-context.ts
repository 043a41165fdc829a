import { X509Certificate, constants } from "node:crypto";
import { type SecureContext, type SecureContextOptions, createSecureContext } from "node:tls";

import type { CertificateUnit } from "../../snapshot/snapshot.ts";

/**
 * Mozilla's intermediate list (Server Side TLS 5.7) without DHE, which nearly nobody needs any more and which costs the
 * server most: AES-128 before AES-256, and forward secrecy always.
 */
const CIPHERS = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

const OPTIONS =
  // Renegotiation lets a client make the server sign over and over on one connection (CVE-2011-1473).
  constants.SSL_OP_NO_RENEGOTIATION |
  // Our order, except that a client that likes ChaCha20 best has no AES instructions.
  constants.SSL_OP_CIPHER_SERVER_PREFERENCE |
  constants.SSL_OP_PRIORITIZE_CHACHA;

/**
 * A context with the house's ciphers and limits.
 * @param certificate what is shown to the peer; absent = nothing.
 * @throws TlsConfigurationError that names the certificate and tells nothing of its key.
 */
export function makeSecureContext(
  certificate: CertificateUnit | undefined,
  options: SecureContextOptions,
): SecureContext {
  const all: SecureContextOptions = { minVersion: "TLSv1.2", ciphers: CIPHERS, secureOptions: OPTIONS, ...options };
  try {
    if (certificate === undefined) return createSecureContext(all);
    return createSecureContext({ ...all, cert: certificate.chainPem, key: certificate.privateKeyPem });
  } catch (cause) {
    throw new TlsConfigurationError(certificate?.id, cause as OpenSslError);
  }
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Authorities as a context takes them. Node passes over what it cannot read there, and then nobody would be believed.
 * @throws TlsConfigurationError when there is none, or one cannot be read.
 */
export function checkAuthorities(pem: string): string {
  try {
    const certificates = pem.match(PEM_CERTIFICATE);
    if (certificates === null) throw new Error("no certificate in it");
    for (const certificate of certificates) void new X509Certificate(certificate);
    return pem;
  } catch (cause) {
    throw new TlsConfigurationError(undefined, cause as OpenSslError);
  }
}

/** Certificates, keys or authorities that OpenSSL does not take. */
export class TlsConfigurationError extends Error {
  override readonly name = "TlsConfigurationError";

  /** Of OpenSSL's error only the reason is kept. */
  constructor(certificateId: string | undefined, { code, reason, message }: OpenSslError) {
    const what = certificateId === undefined ? "certificate authorities" : `certificate ${certificateId}`;
    super(`Cannot use ${what}: ${reason ?? message}${code === undefined ? "" : ` (${code})`}`);
  }
}

interface OpenSslError {
  readonly code?: string | undefined;
  readonly reason?: string;
  readonly message: string;
}
