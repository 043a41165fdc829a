import { formatHostPort } from "@fiberlb/types";

import type { ProbeFailure, ProbeTarget } from "./probe.ts";

/** What a probe is waiting for. */
export type Phase = "connection" | "TLS handshake" | "answer";

/** `192.0.2.1:80`, `[2001:db8::1]:80`. */
export const endpoint = (host: string, port: number): string => formatHostPort(host, port);

/** Why a check ran out of time. */
export function timeoutReason(target: ProbeTarget, awaiting: Phase, timeoutMs: number): string {
  const preposition = awaiting === "answer" ? "from" : "with";
  return `no ${awaiting} ${preposition} ${at(target)} within ${timeoutMs} ms`;
}

/** Why the peer's end of the connection is no verdict yet. */
export const closedReason = (target: ProbeTarget, awaiting: Phase): string =>
  `connection closed by ${at(target)} before the ${awaiting}`;

/** Turns an error of a socket, of TLS or of the HTTP parser into words. */
export function failureOf(error: unknown, target: ProbeTarget, awaiting: Phase): ProbeFailure {
  const { code, message, reason } = parts(error);
  const local = localShortages[code];
  if (local !== undefined) return { passed: false, reason: `cannot check from here: ${local}`, inconclusive: true };
  return { passed: false, reason: describe({ code, message, reason }, target, awaiting) };
}

const at = ({ address, port }: ProbeTarget): string => endpoint(address, port);

interface ErrorParts {
  readonly code: string;
  readonly message: string;
  /** OpenSSL's and llhttp's short form. */
  readonly reason: string | undefined;
}

function parts(error: unknown): ErrorParts {
  if (!Error.isError(error)) return { code: "", message: String(error), reason: undefined };
  const { code, reason } = error as Error & { code?: unknown; reason?: unknown };
  return {
    code: typeof code === "string" ? code : "",
    message: error.message,
    reason: typeof reason === "string" ? reason : undefined,
  };
}

/** This node's own trouble: a backend must not leave rotation because the load balancer is short of something. */
const localShortages: Readonly<Record<string, string>> = {
  EMFILE: "this process has no file descriptors left (EMFILE), raise its limit (LimitNOFILE)",
  ENFILE: "this host has no file descriptors left (ENFILE), raise fs.file-max",
  ENOBUFS: "this host has no socket buffers left (ENOBUFS)",
  ENOMEM: "this host has no memory left (ENOMEM)",
};

const networkErrors: Readonly<Record<string, (at: string, awaiting: Phase) => string>> = {
  ECONNREFUSED: (peer) => `connection refused by ${peer}`,
  ECONNRESET: (peer, awaiting) => `connection reset by ${peer} before the ${awaiting}`,
  EPIPE: (peer, awaiting) => `connection closed by ${peer} before the ${awaiting}`,
  ECONNABORTED: (peer, awaiting) => `connection with ${peer} aborted before the ${awaiting}`,
  ETIMEDOUT: (peer) => `no connection with ${peer}: the network gave up (ETIMEDOUT)`,
  EHOSTUNREACH: (peer) => `no way to ${peer}: host unreachable`,
  EHOSTDOWN: (peer) => `no way to ${peer}: host is down`,
  ENETUNREACH: (peer) => `no way to ${peer}: network unreachable`,
  EACCES: (peer) => `not allowed to connect to ${peer} (EACCES): a rule of this host forbids it`,
  EPERM: (peer) => `not allowed to connect to ${peer} (EPERM): a rule of this host forbids it`,
  EADDRNOTAVAIL: (peer) => `no local address or port left to reach ${peer} from (EADDRNOTAVAIL)`,
};

function describe({ code, message, reason }: ErrorParts, target: ProbeTarget, awaiting: Phase): string {
  // node:http and node:tls say ECONNRESET for an orderly close too; only a system call's message names the code.
  if (code === "ECONNRESET" && !message.includes("ECONNRESET")) return closedReason(target, awaiting);
  const known = networkErrors[code];
  if (known !== undefined) return known(at(target), awaiting);
  if (code.startsWith("HPE_")) return `answer of ${at(target)} is not HTTP/1: ${reason ?? message}`;
  if (code === "ERR_HTTP2_ERROR") return `answer of ${at(target)} is not HTTP/2: ${message}`;
  if (isTlsCode(code)) return `TLS: ${tlsWords(code, reason ?? message, message)}`;
  return `check of ${at(target)} failed: ${message}`;
}

/** OpenSSL's verification codes (CERT_HAS_EXPIRED, DEPTH_ZERO_SELF_SIGNED_CERT, …) have underscores, errno names none. */
const isTlsCode = (code: string): boolean =>
  code === "EPROTO" || /^ERR_(SSL|TLS|OSSL)_/.test(code) || (code.includes("_") && !code.startsWith("ERR_"));

function tlsWords(code: string, reason: string, message: string): string {
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return message;
  // OpenSSL's line is `error:CODE:LIBRARY:FUNCTION:REASON:FILE:LINE:DETAIL`; Node adds advice on its flags after a semicolon.
  const words = /:SSL routines:[^:]*:([^:]+):/.exec(reason)?.[1] ?? reason.split(";")[0] ?? reason;
  return words === "wrong version number" ? "backend does not answer with TLS (wrong version number)" : words;
}
