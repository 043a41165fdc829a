import type { Clock } from "../../clock.ts";

/**
 * One check of one backend. Never rejects: whatever goes wrong is a result. When it resolves, its sockets are closed or
 * closing.
 */
export type Probe = (target: ProbeTarget, options: ProbeOptions, context: ProbeContext) => Promise<ProbeResult>;

/** Where to knock. */
export interface ProbeTarget {
  /** Canonical IP text. */
  readonly address: string;
  readonly port: number;
  /** What the user wrote: the same address, or the DNS name behind it. Names the backend in HTTP's Host and in TLS. */
  readonly host: string;
}

/** What to ask; each probe reads its own part. */
export interface ProbeOptions {
  /** HTTP and HTTPS. */
  readonly http?: HttpProbeOptions;
  /** GRPC; empty or absent asks for the server as a whole. */
  readonly grpcService?: string;
  /** HTTPS, TLS_HELLO and GRPC. With GRPC its presence means TLS, its absence cleartext HTTP/2. */
  readonly backendTls?: BackendTlsOptions;
  /** What backends want of every connection, or datagram, before anything else. */
  readonly sendProxyProtocol?: "V1" | "V2";
}

export interface HttpProbeOptions {
  /** Default GET. */
  readonly method?: string;
  /** Default `/`. */
  readonly path?: string;
  /** Host header. Default: the backend as written, with its port. */
  readonly host?: string;
  /** `200`, `200,204` or `200-299`. Default 200. */
  readonly expectedCodes?: string;
}

/** How a pool speaks TLS with its backends. */
export interface BackendTlsOptions {
  /** Authorities to trust. Default: those that Node trusts (Mozilla's list, NODE_EXTRA_CA_CERTS). */
  readonly caPem?: string;
  /** Asked for by SNI and looked for in the certificate. Default: the backend's DNS name; with an address, no SNI. */
  readonly serverName?: string;
  /** True: any certificate will do. */
  readonly skipVerify?: boolean;
  readonly clientCertificatePem?: string;
  readonly clientKeyPem?: string;
}

export interface ProbeContext {
  readonly clock: Clock;
  /** For the whole check, from connect to verdict. */
  readonly timeoutMs: number;
  /** Ends the check at once; its result then says so. */
  readonly signal: AbortSignal;
}

export type ProbeResult = ProbePass | ProbeFailure;

export interface ProbePass {
  readonly passed: true;
  /** From the start of the check to the verdict. */
  readonly latencyMs: number;
}

export interface ProbeFailure {
  readonly passed: false;
  /** For people: what happened, with whom. */
  readonly reason: string;
  /**
   * True when the check could not be made for want of something on this node (descriptors, memory, time) or was cancelled:
   * it says nothing about the backend and must not count against it.
   */
  readonly inconclusive?: true;
}
