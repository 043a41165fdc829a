import { getSystemErrorMessage, getSystemErrorName } from "node:util";

import { TransportError } from "./transport.ts";

/** What was tried; the same code of the system calls for different remedies. */
export type Operation = "listen" | "accept" | "connect" | "secure" | "read" | "write" | "shutdown";

const OUT_OF_DESCRIPTORS = {
  EMFILE: "out of file descriptors; raise the limit (ulimit -n)",
  ENFILE: "the host is out of file descriptors; raise fs.file-max",
};

/** What to do, where more can be said than the system's own words. */
const ADVICE: Readonly<Partial<Record<Operation, Readonly<Record<string, string>>>>> = {
  listen: {
    ...OUT_OF_DESCRIPTORS,
    EADDRINUSE: "another process listens there; stop it or choose another port",
    EADDRNOTAVAIL: "the address is not on this host; add it to an interface",
    EACCES: "the port needs a privilege; grant CAP_NET_BIND_SERVICE",
  },
  accept: OUT_OF_DESCRIPTORS,
  connect: {
    ...OUT_OF_DESCRIPTORS,
    EADDRNOTAVAIL: "no local port is free for it; widen net.ipv4.ip_local_port_range",
  },
};

const FAILED: Readonly<Record<Operation, string>> = {
  listen: "Cannot listen on",
  accept: "Cannot accept on",
  connect: "Cannot connect to",
  secure: "Cannot speak TLS with",
  read: "Connection broken to",
  write: "Cannot write to",
  shutdown: "Cannot end the connection to",
};

/**
 * @param endpoint where, as `hostPort` writes it.
 * @param errno negative, as libuv has it.
 */
export function systemError(operation: Operation, endpoint: string, errno: number): TransportError {
  const code = getSystemErrorName(errno);
  const why = ADVICE[operation]?.[code] ?? getSystemErrorMessage(errno);
  return new TransportError(code, `${FAILED[operation]} ${endpoint}: ${why} (${code})`);
}

/** The same from an error that Node made. */
export function wrapError(operation: Operation, endpoint: string, cause: NodeJS.ErrnoException): TransportError {
  if (cause.errno !== undefined && cause.errno < 0) return systemError(operation, endpoint, cause.errno);
  return new TransportError(cause.code ?? "EIO", `${FAILED[operation]} ${endpoint}: ${cause.message}`, { cause });
}

/** An outgoing connection that was not made in time. */
export function connectTimeout(endpoint: string, timeoutMs: number): TransportError {
  return new TransportError("ETIMEDOUT", `${FAILED.connect} ${endpoint}: no answer within ${timeoutMs} ms (ETIMEDOUT)`);
}

/** Address and port as people write them: `127.0.0.1:80`, `[::1]:80`. */
export function hostPort(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** An IPv4 client of an IPv6 socket shows as `::ffff:192.0.2.1`; everybody else knows it as `192.0.2.1`. */
export function unmapIpv4(address: string): string {
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice("::ffff:".length) : address;
}
