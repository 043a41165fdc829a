import type { DatagramEndpoint } from "./datagram.ts";
import { hostPort } from "./system-error.ts";
import { TransportError } from "./transport.ts";

/**
 * Datagrams wait here while their worker does other things; the kernel caps it at net.core.rmem_max. 4 MiB hold 3 ms
 * of 10 Gbit/s.
 */
export const RECEIVE_BUFFER_BYTES = 4 << 20;

/** Datagrams that may wait in this process for a socket that the kernel takes nothing from. */
export const MOST_WAITING = 256;

/** Failures to send that say nothing about the peer. */
const LOSSES: ReadonlySet<string> = new Set(["EMSGSIZE", "ENOBUFS", "ENOMEM", "EAGAIN", "EINTR"]);

/** Failures to open a socket that say nothing about the peer: the system has none left. */
const EXHAUSTION: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "EADDRINUSE", "EAGAIN", "ENOBUFS", "ENOMEM"]);

/** Whether a datagram was lost for a reason that is not its peer's. */
export const isLoss = ({ code }: TransportError): boolean => LOSSES.has(code);

/** Whether the system had no socket or port left. */
export const isExhaustion = ({ code }: TransportError): boolean => EXHAUSTION.has(code);

/** Too much waits already. */
export function queueFull({ address, port }: DatagramEndpoint): TransportError {
  const at = hostPort(address, port);
  return new TransportError("ENOBUFS", `Cannot write to ${at}: the system takes datagrams too slowly (ENOBUFS)`);
}

/** Nobody can be sent to on port 0, though datagrams may come from there (RFC 768: a sender that wants no answer). */
export function noPort({ address, port }: DatagramEndpoint): TransportError {
  return new TransportError("EINVAL", `Cannot write to ${hostPort(address, port)}: there is no port 0 (EINVAL)`);
}
