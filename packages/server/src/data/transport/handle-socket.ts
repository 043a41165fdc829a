import { Socket, type SocketConstructorOpts } from "node:net";

import type { TcpHandle, TlsHandle } from "./tcp-binding.ts";

/**
 * A socket of Node on handles that were read without one. Reads go on landing in the shared buffer, since that cannot
 * be taken back from a handle; what comes there is copied.
 * @param tls what goes through it, when it is TLS.
 */
export function socketOf(tcp: TcpHandle, tls: TlsHandle | undefined, readBuffer: Buffer): Socket {
  const options = {
    handle: tls ?? tcp,
    allowHalfOpen: true,
    // Nothing is read until somebody wants it.
    manualStart: true,
    onread: {
      buffer: readBuffer,
      callback: (count: number, bytes: Uint8Array) => socket.push(Buffer.from(bytes.subarray(0, count))),
    },
  };
  const socket: Socket = new Socket(options as unknown as SocketConstructorOpts);
  // A TLS handle of Node asks the one below for addresses, and closes it; the owner's `ssl` is freed then.
  if (tls !== undefined) {
    tls["_parent"] = tcp;
    Object.assign(tls, { onerror: (cause?: Error) => socket.destroy(cause) });
    Object.assign(socket, { ssl: tls, encrypted: true, alpnProtocol: tls.getALPNNegotiatedProtocol() });
  }
  return socket;
}
