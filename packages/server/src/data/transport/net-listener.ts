import { type Server, type Socket, createServer } from "node:net";

import { hostPort, wrapError } from "./system-error.ts";
import type { ListenOptions, ListeningSocket } from "./transport.ts";

/**
 * Opens a `net.Server` whose connections are not read at first, delay nothing and may be half-closed.
 * @throws TransportError when the address cannot be bound.
 */
export function openServer(options: ListenOptions, onSocket?: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, onSocket);
  const { address: host, port, reusePort, backlog } = options;
  const at = hostPort(host, port);
  return new Promise((resolve, reject) => {
    const refuse = (cause: Error): void => reject(wrapError("listen", at, cause));
    server.once("error", refuse);
    server.listen({ host, port, reusePort, backlog, exclusive: true }, () => {
      server.off("error", refuse);
      server.on("error", (cause) => options.onAcceptError?.(wrapError("accept", at, cause)));
      resolve(server);
    });
  });
}

/** The server as the seam shows it. */
export function listeningSocket(server: Server): ListeningSocket {
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new TypeError("not a listening TCP server");
  let closed: Promise<void> | undefined;
  return {
    address: bound.address,
    port: bound.port,
    close: () => (closed ??= closeListening(server)),
  };
}

/** `net.Server.close` reports only when all connections have ended too; the port is free before that. */
async function closeListening(server: Server): Promise<void> {
  server.close();
  // The handle is closed at the end of this round of the event loop.
  await new Promise<void>((resolve) => void setImmediate(resolve));
}
