import { isIPv6 } from "node:net";
import { getSystemErrorMessage, getSystemErrorName } from "node:util";

import { TransportError } from "./transport.ts";

/** What to do about an error of the system, where more can be said than its own words. */
const ADVICE: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process listens there; stop it or choose another port",
  EADDRNOTAVAIL: "the address is not on this host; add it to an interface",
  EACCES: "the port needs a privilege; grant CAP_NET_BIND_SERVICE",
  EMFILE: "out of file descriptors; raise the limit (ulimit -n)",
  ENFILE: "the host is out of file descriptors; raise fs.file-max",
};

/**
 * @param failed what could not be done, as in "Cannot listen on 127.0.0.1:80".
 * @param errno negative, as libuv has it.
 */
export function systemError(failed: string, errno: number): TransportError {
  return namedError(failed, getSystemErrorName(errno), getSystemErrorMessage(errno));
}

/** The same from an error that Node made. */
export function wrapError(failed: string, cause: NodeJS.ErrnoException): TransportError {
  if (cause.errno !== undefined && cause.errno < 0) return systemError(failed, cause.errno);
  return new TransportError(cause.code ?? "EIO", `${failed}: ${cause.message}`, { cause });
}

/** An outgoing connection that was not made in time. */
export function connectTimeout(target: string, timeoutMs: number): TransportError {
  return new TransportError("ETIMEDOUT", `Cannot connect to ${target}: no answer within ${timeoutMs} ms (ETIMEDOUT)`);
}

/** Address and port as people write them: `127.0.0.1:80`, `[::1]:80`. */
export function hostPort(address: string, port: number): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

/** An IPv4 client of an IPv6 socket shows as `::ffff:192.0.2.1`; everybody else knows it as `192.0.2.1`. */
export function unmapIpv4(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice("::ffff:".length) : address;
}

function namedError(failed: string, code: string, words: string): TransportError {
  const advice = ADVICE[code];
  return new TransportError(code, `${failed}: ${advice ?? words} (${code})`);
}
