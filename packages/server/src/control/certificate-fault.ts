import type { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";

/** Shorter ones are below OpenSSL's security level 2 (112 bits), and no current client takes them. */
const MIN_RSA_BITS = 2048;
/** OpenSSL's names of P-256, P-384 and P-521: those that TLS signs with (RFC 8422 §5.1.1, RFC 8446 §4.2.3). */
const EC_CURVES: readonly string[] = ["prime256v1", "secp384r1", "secp521r1"];
const SIGNING_KEYS: readonly string[] = ["rsa", "rsa-pss", "ec", "ed25519", "ed448"];

/** What is wrong with a certificate's key for TLS, as a clause that follows its name; undefined when nothing is. */
export function keyFault({ publicKey }: X509Certificate): string | undefined {
  const { asymmetricKeyType: type = "unknown", asymmetricKeyDetails: details = {} } = publicKey;
  if (!SIGNING_KEYS.includes(type)) return `has a key of type ${type}; TLS needs RSA, EC or Ed25519`;
  if (type.startsWith("rsa") && (details.modulusLength ?? 0) < MIN_RSA_BITS)
    return `has an RSA key of ${details.modulusLength} bits; at least ${MIN_RSA_BITS} are needed`;
  if (type === "ec" && !EC_CURVES.includes(details.namedCurve ?? ""))
    return `has an EC key on the curve ${details.namedCurve ?? "unknown"}; TLS needs P-256, P-384 or P-521`;
  return undefined;
}

/** Why OpenSSL does not take a chain with its key for TLS, in its words; undefined when it does. Nothing of the key is in it. */
export function tlsFault(keyPair: {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}): string | undefined {
  try {
    createSecureContext({ cert: keyPair.certificatePem, key: keyPair.privateKeyPem });
    return undefined;
  } catch (error) {
    const { reason, code, message } = error as Error & { readonly reason?: string; readonly code?: string };
    return reason ?? code ?? message;
  }
}
