import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

import type { CertificateSpec, Violation } from "@fiberlb/types";

import { keyFault, tlsFault } from "./certificate-fault.ts";
import { alternativeNames } from "./certificate-names.ts";

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

/** Reads chain and key and checks that a TLS server can use them now, or soon. Errors never quote the key. @param nowMs wall clock */
export function parseCertificate(
  { type, certificatePem, privateKeyPem }: CertificateSpec,
  nowMs: number,
): ParsedCertificate {
  const chain = parseChain(certificatePem);
  const key = privateKeyPem === undefined ? undefined : parseKey(privateKeyPem);
  const violations = [
    ...(chain === undefined
      ? [violation("certificate_pem", "holds a block that is no X.509 certificate")]
      : [...orderViolations(chain, type), ...chain.flatMap((one) => useViolations(one, nowMs))]),
    ...(key === "unreadable" ? [violation("private_key_pem", "is not a private key that can be read")] : []),
    ...(chain === undefined || key === undefined || key === "unreadable" ? [] : pairViolations(chain, key)),
  ];
  const leaf = chain?.[0];
  if (leaf === undefined || violations.length > 0) return { ok: false, violations };
  // Last, because it says less well what those above say.
  const fault = privateKeyPem === undefined ? undefined : tlsFault({ certificatePem, privateKeyPem });
  if (fault === undefined) return { ok: true, facts: factsOf(leaf) };
  return { ok: false, violations: [violation("certificate_pem", `cannot be used for TLS: ${fault}`, "NOT_ALLOWED")] };
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
function orderViolations(chain: readonly X509Certificate[], type: CertificateSpec["type"]): Violation[] {
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

/** One that is not valid yet is taken, so that it can be in place before the one that it follows expires. */
function useViolations(certificate: X509Certificate, nowMs: number): Violation[] {
  const name = oneLine(certificate.subject) || `serial number ${certificate.serialNumber}`;
  const key = keyFault(certificate);
  const expired = certificate.validToDate.getTime() <= nowMs;
  return [
    ...(expired
      ? [
          violation(
            "certificate_pem",
            `must not have expired, and ${name} expired on ${certificate.validToDate.toISOString()}`,
            "NOT_ALLOWED",
          ),
        ]
      : []),
    ...(key === undefined
      ? []
      : [violation("certificate_pem", `cannot be used for TLS: ${name} ${key}`, "NOT_ALLOWED")]),
  ];
}

function pairViolations(chain: readonly X509Certificate[], key: KeyObject): Violation[] {
  const owner = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (owner === 0) return [];
  const description =
    owner === -1
      ? "is not the key of the first certificate in certificate_pem"
      : `is the key of certificate ${owner + 1} in certificate_pem, which must be the first: put the leaf on top`;
  return [violation("private_key_pem", description, "INVALID_COMBINATION")];
}

const violation = (field: string, description: string, reason: Violation["reason"] = "INVALID_FORMAT"): Violation => ({
  field,
  description,
  reason,
});

const factsOf = (leaf: X509Certificate): CertificateFacts => ({
  subject: oneLine(leaf.subject),
  sans: sansOf(leaf.subjectAltName),
  notBefore: leaf.validFromDate.toISOString(),
  notAfter: leaf.validToDate.toISOString(),
  fingerprintSha256: leaf.fingerprint256.replaceAll(":", "").toLowerCase(),
});

/** `CN=example.com, O=Example`, as RFC 4514 writes it; absent in certificates that have only alternative names. */
const oneLine = (subject: string | undefined): string => (subject ?? "").split("\n").join(", ");

const SHOWN_NAMES: readonly string[] = ["DNS", "IP Address", "URI", "email"];

/** The names alone. */
const sansOf = (text: string | undefined): string[] =>
  alternativeNames(text)
    .filter(({ type }) => SHOWN_NAMES.includes(type))
    .map(({ name }) => name);
