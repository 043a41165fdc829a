import { X509Certificate } from "node:crypto";

import type { AlpnProtocol, TlsClientCertificate, TlsFacts } from "./transport.ts";

/** What a finished handshake can be asked for: a `TLSSocket`, or the handle that is inside one. */
export interface TlsSession {
  getProtocol(): string | null;
  getCipher(): { readonly standardName: string };
  isSessionReused(): boolean;
  /** With nothing in it, or undefined, when the peer showed none. */
  getPeerCertificate(): { readonly raw?: Buffer } | undefined;
  /** What is wrong with the peer's certificate, or with there being none. */
  verifyError(): NodeJS.ErrnoException | null | undefined;
}

/** What is cheap is asked at once, since the session ends before its facts do; the rest when somebody wants it. */
export class HandshakeFacts implements TlsFacts {
  readonly version: string;
  readonly cipher: string;
  readonly serverName: string | undefined;
  readonly alpnProtocol: AlpnProtocol | undefined;
  readonly isResumed: boolean;
  readonly #certificate: Buffer | undefined;
  #parsed: TlsClientCertificate | undefined;

  /** @param certificate the client's, DER, verified. */
  constructor(session: TlsSession, names: HandshakeNames, certificate: Buffer | undefined) {
    this.version = session.getProtocol() ?? "";
    this.cipher = session.getCipher().standardName;
    this.serverName = typeof names.serverName === "string" ? names.serverName.toLowerCase() : undefined;
    this.alpnProtocol = names.alpnProtocol === false ? undefined : (names.alpnProtocol as AlpnProtocol);
    this.isResumed = session.isSessionReused();
    this.#certificate = certificate;
  }

  get clientCertificate(): TlsClientCertificate | undefined {
    if (this.#certificate === undefined) return undefined;
    return (this.#parsed ??= describe(this.#certificate));
  }
}

/** As Node has them: false where there is none. */
export interface HandshakeNames {
  readonly serverName: string | false | undefined;
  readonly alpnProtocol: string | false;
}

function describe(der: Buffer): TlsClientCertificate {
  const certificate = new X509Certificate(der);
  return {
    subject: { ...(certificate.toLegacyObject().subject as Readonly<Record<string, string | string[]>>) },
    subjectText: distinguishedName(certificate.subject),
    issuerText: distinguishedName(certificate.issuer),
    serialNumber: certificate.serialNumber.toUpperCase(),
    fingerprintSha256: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    notBefore: certificate.validFromDate.toISOString(),
    notAfter: certificate.validToDate.toISOString(),
  };
}

/** Node has one field a line, the most general first, values escaped as RFC 4514 wants, several of one level by ` + `. */
function distinguishedName(lines: string | undefined): string {
  return (lines ?? "")
    .split("\n")
    .map((field) => field.replaceAll(" + ", "+"))
    .toReversed()
    .join(",");
}
