import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

import type { CertificateSpec, Violation } from "@fiberlb/types";

/** What is read from a certificate's leaf. */
export interface CertificateFacts {
  readonly subject: string;
  readonly sans: readonly string[];
  /** ISO 8601. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** Lower-case hexadecimal without colons. */
  readonly fingerprintSha256: string;
}

export type ParsedCertificate =
  | { readonly ok: true; readonly facts: CertificateFacts }
  | { readonly ok: false; readonly violations: readonly Violation[] };

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Reads chain and key and checks that they belong together. Errors never quote the key. */
export function parseCertificate({ type, certificatePem, privateKeyPem }: CertificateSpec): ParsedCertificate {
  const chain = parseChain(certificatePem);
  const key = privateKeyPem === undefined ? undefined : parseKey(privateKeyPem);
  const violations = [
    ...(chain === undefined
      ? [violation("certificate_pem", "holds a block that is no X.509 certificate")]
      : chainViolations(chain, type)),
    ...(key === "unreadable" ? [violation("private_key_pem", "is not a private key that can be read")] : []),
  ];
  const leaf = chain?.[0];
  if (leaf !== undefined && key !== undefined && key !== "unreadable" && !leaf.checkPrivateKey(key)) {
    violations.push(
      violation("private_key_pem", "is not the key of the first certificate in certificate_pem", "INVALID_COMBINATION"),
    );
  }
  return leaf === undefined || violations.length > 0 ? { ok: false, violations } : { ok: true, facts: factsOf(leaf) };
}

function parseChain(pem: string): X509Certificate[] | undefined {
  try {
    return (pem.match(PEM_BLOCK) ?? []).map((block) => new X509Certificate(block));
  } catch {
    // The parser's own words (OpenSSL codes) help nobody; the caller says which field.
    return undefined;
  }
}

function parseKey(pem: string): KeyObject | "unreadable" {
  try {
    return createPrivateKey(pem);
  } catch {
    return "unreadable";
  }
}

/** A chain must lead upwards, or clients refuse it; of authorities any set will do. */
function chainViolations(chain: readonly X509Certificate[], type: CertificateSpec["type"]): Violation[] {
  if (type === "CLIENT_CA") {
    const foreign = chain.find((certificate) => !certificate.ca);
    return foreign === undefined
      ? []
      : [
          violation(
            "certificate_pem",
            `must hold authorities only, and ${oneLine(foreign.subject)} is none`,
            "NOT_ALLOWED",
          ),
        ];
  }
  const broken = chain.findIndex((certificate, index) => {
    const issuer = chain[index + 1];
    return issuer !== undefined && !certificate.checkIssued(issuer);
  });
  if (broken === -1) return [];
  const description = `must be a chain, leaf first: certificate ${broken + 1} was not issued by certificate ${broken + 2}`;
  return [violation("certificate_pem", description, "INVALID_COMBINATION")];
}

const violation = (field: string, description: string, reason: Violation["reason"] = "INVALID_FORMAT"): Violation => ({
  field,
  description,
  reason,
});

const factsOf = (leaf: X509Certificate): CertificateFacts => ({
  subject: oneLine(leaf.subject),
  sans: sansOf(leaf.subjectAltName),
  notBefore: new Date(leaf.validFrom).toISOString(),
  notAfter: new Date(leaf.validTo).toISOString(),
  fingerprintSha256: leaf.fingerprint256.replaceAll(":", "").toLowerCase(),
});

/** `CN=example.com, O=Example`, as RFC 4514 writes it; absent in certificates that have only alternative names. */
const oneLine = (subject: string | undefined): string => (subject ?? "").split("\n").join(", ");

/** `DNS:example.com, IP Address:192.0.2.1` becomes the names alone. */
const sansOf = (text: string | undefined): string[] =>
  (text ?? "")
    .split(", ")
    .filter((entry) => /^(DNS|IP Address|URI|email):/.test(entry))
    .map((entry) => entry.slice(entry.indexOf(":") + 1));
