import { hostPort, systemError } from "./system-error.ts";
import { TransportError } from "./transport.ts";

/** A client that has to show a valid certificate did not. */
export const CLIENT_CERTIFICATE_CODE = "ERR_TLS_CLIENT_CERTIFICATE";

/** Who is at the other end, for messages. */
export interface PeerName {
  readonly remoteAddress: string;
  readonly remotePort: number;
}

/** OpenSSL's errors as Node brings them: `reason` is what a person wants to read. */
export type TlsCause = NodeJS.ErrnoException & { readonly reason?: string };

/** A handshake, or a connection over TLS, that failed. */
export function tlsError(peer: PeerName, cause: TlsCause, phase: "handshake" | "open"): TransportError {
  const endpoint = hostPort(peer.remoteAddress, peer.remotePort);
  if (cause.errno !== undefined && cause.errno < 0) {
    return systemError(phase === "handshake" ? "secure" : "read", endpoint, cause.errno);
  }
  const code = codeOf(cause);
  const what = phase === "handshake" ? "Cannot speak TLS with" : "Connection broken to";
  const said = cause.reason ?? reasonOf(cause);
  // Messages of our own bring their code along.
  const why = said.endsWith(")") ? said : `${said} (${code})`;
  return new TransportError(code, `${what} ${endpoint}: ${why}`);
}

/** Node advises whoever started it, who is not the reader of our messages. */
export function reasonOf({ message }: Error): string {
  return message.split("; if the root CA", 1)[0]!;
}

/** A handshake that was not complete in time. */
export function handshakeTimeout(peer: PeerName, timeoutMs: number): TransportError {
  const endpoint = hostPort(peer.remoteAddress, peer.remotePort);
  return new TransportError(
    "ETIMEDOUT",
    `Cannot speak TLS with ${endpoint}: handshake not complete within ${timeoutMs} ms (ETIMEDOUT)`,
  );
}

/** The peer ended the connection in the middle of the handshake. */
export function handshakeCut(peer: PeerName): TransportError {
  const endpoint = hostPort(peer.remoteAddress, peer.remotePort);
  return new TransportError(
    "ECONNRESET",
    `Cannot speak TLS with ${endpoint}: the peer closed the connection during the handshake (ECONNRESET)`,
  );
}

function codeOf({ code }: TlsCause): string {
  // OpenSSL refuses by itself when there must be a certificate and none came.
  if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") return CLIENT_CERTIFICATE_CODE;
  return code ?? "EPROTO";
}
