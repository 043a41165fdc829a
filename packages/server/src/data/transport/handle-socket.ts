import { Socket, type SocketConstructorOpts } from "node:net";

import type { TcpHandle } from "./tcp-binding.ts";

/**
 * A socket of Node on a handle that was read without one. Reads go on landing in the shared buffer, since that cannot
 * be taken back from the handle; what comes there is copied.
 */
export function socketOf(handle: TcpHandle, readBuffer: Buffer): Socket {
  const options = {
    handle,
    allowHalfOpen: true,
    // Nothing is read until somebody wants it.
    manualStart: true,
    onread: {
      buffer: readBuffer,
      callback: (count: number, bytes: Uint8Array) => socket.push(Buffer.from(bytes.subarray(0, count))),
    },
  };
  const socket: Socket = new Socket(options as unknown as SocketConstructorOpts);
  return socket;
}
