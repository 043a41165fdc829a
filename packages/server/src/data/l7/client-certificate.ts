import type { TlsClientCertificate, TlsFacts } from "../transport/transport.ts";
import type { ByteSink } from "./byte-sink.ts";
import type { HeaderEdits } from "./header-edits.ts";
import { COLON, encodeText } from "./http1-bytes.ts";
import { FOLDED, HeaderName } from "./http1-names.ts";

const PREFIX = encodeText("x-ssl-client-");

/**
 * Whether a header is one of those that only we may write: `X-SSL-Client-*`. Also with `_` for `-`, which CGI, WSGI and PHP
 * cannot tell apart.
 */
export function isClientCertificateName(bytes: Uint8Array, nameStart: number, nameEnd: number): boolean {
  if (nameEnd - nameStart < PREFIX.length) return false;
  for (let i = 0; i < PREFIX.length; i++) {
    if (FOLDED[bytes[nameStart + i] as number] !== PREFIX[i]) return false;
  }
  return true;
}

/**
 * What backends are told of a client's certificate, one line each: whether there is one that was verified, and what it says.
 * Empty where none is asked for.
 */
export function clientCertificateLines(tls: TlsFacts | undefined, isAsked: boolean): readonly Uint8Array[] {
  if (tls === undefined || !isAsked) return [];
  const certificate = tls.clientCertificate;
  const facts =
    certificate === undefined ? [["Has-Cert", "0"] as const, ["Verify", "NONE"] as const] : said(certificate);
  return facts.map(([name, value]) => encodeText(`X-SSL-Client-${name}: ${fieldValue(value)}\r\n`));
}

function said(certificate: TlsClientCertificate): readonly (readonly [name: string, value: string])[] {
  const { subject, subjectText, issuerText, serialNumber, fingerprintSha256, notBefore, notAfter } = certificate;
  const commonName = subject["CN"];
  return [
    ["Has-Cert", "1"],
    ["Verify", "SUCCESS"],
    ["DN", subjectText],
    ["CN", typeof commonName === "string" ? commonName : (commonName?.[0] ?? "")],
    ["Issuer-DN", issuerText],
    ["Serial", serialNumber],
    ["SHA256", fingerprintSha256],
    ["Not-Before", notBefore],
    ["Not-After", notAfter],
  ];
}

/**
 * A certificate may say anything: what is not printable ASCII, and `%`, is percent-encoded as UTF-8, so that no name can end the
 * line or pass for another one.
 */
const fieldValue = (text: string): string =>
  text.replaceAll(/[^ -$&-~]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
  );

/** Writes the lines, but for those that `edits` replaces or removes. */
export function writeClientCertificate(sink: ByteSink, lines: readonly Uint8Array[], edits: HeaderEdits): void {
  for (const line of lines) {
    if (edits.isEmpty || !edits.replaces(HeaderName.OTHER, line, 0, line.indexOf(COLON))) sink.put(line);
  }
}
