import { isIP } from "node:net";
import { type PeerCertificate, checkServerIdentity } from "node:tls";

import { CLIENT_CERTIFICATE_CODE, reasonOf } from "./tls-error.ts";
import type { TlsSession } from "./tls-facts.ts";
import type { TlsClient, TlsServer } from "./transport.ts";

/**
 * What a client has to show, and whether it did. OpenSSL has verified the certificate and let everything pass, so that
 * the reason can be told.
 * @returns the verified certificate, DER, or undefined where none is needed; or why the client is refused.
 */
export function verifyClient(
  session: TlsSession,
  { clientAuth }: TlsServer,
): { readonly certificate?: Buffer; readonly refusal?: NodeJS.ErrnoException } {
  if (clientAuth === "NONE") return {};
  const certificate = session.getPeerCertificate()?.raw;
  if (certificate === undefined) {
    return clientAuth === "OPTIONAL" ? {} : { refusal: refusal("the client showed no certificate") };
  }
  const problem = session.verifyError();
  if (problem === null || problem === undefined) return { certificate };
  return { refusal: refusal(`the client's certificate is not valid: ${reasonOf(problem)} (${problem.code})`) };
}

function refusal(message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code: CLIENT_CERTIFICATE_CODE });
}

/** What is wrong with a server's certificate, by authority, by time or by name. */
export function verifyServer(session: TlsSession, client: TlsClient): NodeJS.ErrnoException | undefined {
  if (client.skipVerify) return undefined;
  const problem = session.verifyError();
  if (problem !== null && problem !== undefined) return problem;
  return checkServerIdentity(client.serverName, session.getPeerCertificate() as PeerCertificate);
}

/** What goes into the hello: RFC 6066 §3 forbids addresses there. */
export function serverNameToSend({ serverName }: TlsClient): string | undefined {
  return isIP(serverName) === 0 ? serverName : undefined;
}
