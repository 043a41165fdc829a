import type { BackendUnit } from "../../snapshot/snapshot.ts";
import type { Announcement } from "../l4/proxy-protocol.ts";
import type { AlpnProtocol, ConnectOptions, TlsClient } from "../transport/transport.ts";

/**
 * How the backends of a pool are spoken to. Connections are kept with the object they were made with and used for no
 * other: a pool whose TLS settings change has another object, a pool in which nothing of it changes keeps its own.
 */
export type BackendProtocol =
  /** HTTP/1.1 in cleartext. */
  | { readonly kind: "http1" }
  /** HTTP/2 in cleartext, by prior knowledge (RFC 9113 §3.3). */
  | { readonly kind: "h2c" }
  /** TLS, and inside it what ALPN chooses: HTTP/2 when it is offered and taken, else HTTP/1.1. */
  | {
      readonly kind: "tls";
      /** ALPN may choose HTTP/2. */
      readonly offersHttp2: boolean;
      /** ALPN may choose HTTP/1.1, or nothing. */
      readonly offersHttp1: boolean;
      readonly tls: TlsClients;
    }
  /** The pool's settings can't be used: every attempt to connect fails, and nothing is sent. */
  | { readonly kind: "unusable"; readonly reason: string };

/** How a pool speaks TLS with its backends. */
export interface TlsClients {
  /** @param host of a backend, as the user wrote it: a DNS name or an IP address. */
  clientOf(host: string): TlsClient;
}

/** HTTP/1.1 in cleartext. */
export const HTTP1_CLEARTEXT: BackendProtocol = { kind: "http1" };
/** HTTP/2 in cleartext. */
export const HTTP2_CLEARTEXT: BackendProtocol = { kind: "h2c" };

/** Where a request goes. */
export interface UpstreamTarget {
  readonly backend: BackendUnit;
  readonly protocol: BackendProtocol;
  /**
   * Set when connections to the backend begin with who their client is (PROXY protocol): they are used for the requests of
   * that client's connection alone.
   */
  readonly announcement?: Announcement | undefined;
}

/** What connections to the backend have in common that may carry each other's requests. */
export const upstreamKey = ({ backend, announcement }: UpstreamTarget): string =>
  announcement === undefined ? backend.id : `${backend.id}${KEY_SEPARATOR}${announcement.key}`;

/** Ids of backends have none. */
export const KEY_SEPARATOR = " ";

/** How a connection to the backend is made. */
export function connectOptionsOf(
  { backend, protocol, announcement }: UpstreamTarget,
  timeoutMs: number,
): ConnectOptions {
  return {
    address: backend.address ?? "",
    port: backend.port,
    timeoutMs,
    ...(mayBeHttp2(protocol) && { mayBecomeDuplex: true }),
    ...(protocol.kind === "tls" && { tls: protocol.tls.clientOf(backend.host) }),
    ...(announcement !== undefined && { preface: announcement.header }),
  };
}

/** Whether connections of this kind may turn out to carry many requests at once. */
export const mayBeHttp2 = (protocol: BackendProtocol): boolean =>
  protocol.kind === "h2c" || (protocol.kind === "tls" && protocol.offersHttp2);

/** TLS whose ALPN offers these protocols. */
export const tlsProtocol = (tls: TlsClients, alpnProtocols: readonly AlpnProtocol[]): BackendProtocol => ({
  kind: "tls",
  tls,
  offersHttp2: alpnProtocols.includes("h2"),
  offersHttp1: alpnProtocols.length === 0 || alpnProtocols.includes("http/1.1"),
});
