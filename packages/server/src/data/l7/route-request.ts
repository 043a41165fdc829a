/**
 * What routing sees of a request. Everything is asked for only when a rule needs it and at most a few times, so that a
 * parsed head may build its texts on demand; answers must not change while one request is routed.
 */
export interface RouteRequest {
  /** As sent; methods are case-sensitive (RFC 9110 §9.1). */
  readonly method: string;
  /** The target's path as sent: undecoded, without query. `*` for OPTIONS of the server as a whole. */
  readonly path: string;
  /** The target's query as sent, without "?"; empty when there is none. */
  readonly query: string;
  /** Host in lower case, without port and trailing dot; an IPv6 address in brackets. */
  readonly host: string;
  /** What the client speaks with the listener. */
  readonly scheme: "http" | "https";
  /** Port that the client asked: that of Host, else the listener's. */
  readonly port: number;
  /** Canonical IP text. */
  readonly sourceAddress: string;
  /** Name of the TLS handshake; undefined without TLS or without SNI. */
  readonly sni: string | undefined;
  /** undefined without a verified certificate. */
  readonly clientCertificate: ClientCertificate | undefined;
  /** All values of the header, in their order; `name` is in lower case. */
  header(name: string): readonly string[];
  /** All values of the cookie, in their order; see `cookieValues`. */
  cookie(name: string): readonly string[];
}

/** What rules see of a client's certificate. */
export interface ClientCertificate {
  /** Fields of the subject's distinguished name, such as CN; one that is there several times has several values. */
  readonly subject: Readonly<Record<string, string | readonly string[]>>;
}
