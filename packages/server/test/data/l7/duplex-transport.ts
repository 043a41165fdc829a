import net from "node:net";

import { createNodeTransport } from "../../../src/data/transport/node-transport.ts";
import { type Connection, noHandlers, type Transport, TransportError } from "../../../src/data/transport/transport.ts";
import type { FakeClock } from "../../fake-clock.ts";

/** STAND-IN until the engines have toDuplex. */
export function duplexTransport(clock: FakeClock): Transport {
  const inner = createNodeTransport({ clock });
  return {
    listen: (options, on) => inner.listen(options, on),
    secure: (a, o, h) => inner.secure(a, o, h),
    connect: ({ address, port }, handlers) => {
      const socket = net.connect({ host: address, port, noDelay: true });
      const connection = {
        handlers,
        tls: undefined,
        toDuplex: () => {
          connection.handlers = noHandlers;
          return socket;
        },
        reset: () => socket.destroy(),
        close: () => socket.destroy(),
      } as unknown as Connection;
      socket.on("connect", () => handlers.onConnect?.(connection));
      socket.on("error", (e: NodeJS.ErrnoException) => {
        connection.handlers.onClose(connection, new TransportError(e.code ?? "EIO", e.message));
      });
      return connection;
    },
  };
}
