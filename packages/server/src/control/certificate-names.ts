import { X509Certificate } from "node:crypto";

import { parseDnsName } from "@fiberlb/types";

/**
 * The DNS names that a chain's leaf is for, in lower case: its alternative names, and the common name only when it has none
 * (RFC 6125 §6.4.4). Others (addresses, URIs) name no server in a TLS handshake (RFC 6066 §3).
 */
export function certificateNames(chainPem: string): readonly string[] {
  const leaf = new X509Certificate(chainPem);
  const alternative = alternativeNames(leaf.subjectAltName)
    .filter(({ type }) => type === "DNS")
    .map(({ name }) => name);
  const names = alternative.length > 0 ? alternative : commonNames(leaf);
  return [...new Set(names.map((name) => name.toLowerCase()).filter(isServerName))];
}

/** One entry of a certificate's alternative names. */
export interface AlternativeName {
  /** As OpenSSL writes it: `DNS`, `IP Address`, `URI`, `email`… */
  readonly type: string;
  readonly name: string;
}

// A name with characters that separate entries is written as a JSON string, which must not be taken for several.
const ENTRY = /([^:,]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/gy;

/** Reads `DNS:example.com, IP Address:192.0.2.1`, as `X509Certificate.subjectAltName` has it. */
export function alternativeNames(text: string | undefined): readonly AlternativeName[] {
  return [...(text ?? "").matchAll(ENTRY)].map(([, type = "", name = ""]) => ({
    type,
    name: name.startsWith('"') ? (JSON.parse(name) as string) : name,
  }));
}

/** One field of the subject a line; a name with characters that OpenSSL escapes is no DNS name anyway. */
const commonNames = ({ subject }: X509Certificate): readonly string[] =>
  // Absent in a certificate that has only alternative names.
  ((subject as string | undefined) ?? "")
    .split("\n")
    .filter((line) => line.startsWith("CN="))
    .map((line) => line.slice("CN=".length));

const isServerName = (name: string): boolean => parseDnsName(name.replace(/^\*\./, "")).ok;
