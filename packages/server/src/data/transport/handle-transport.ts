import type { Server } from "node:net";

import type { ConnectDeadlines } from "./connect-deadlines.ts";
import { HandleConnection } from "./handle-connection.ts";
import { HandleIo } from "./handle-io.ts";
import { listeningSocket, openServer } from "./net-listener.ts";
import { createStreamTransport } from "./stream-transport.ts";
import { hostPort, systemError } from "./system-error.ts";
import type { TcpBinding, TcpHandle } from "./tcp-binding.ts";
import type { Connection, ListenOptions, Transport } from "./transport.ts";

/**
 * The transport on Node's TCP handles. `net` opens the server, with all its care for addresses and errors; the
 * connections are taken from the server's handle before `net` makes streams of them.
 */
export function createHandleTransport(binding: TcpBinding, deadlines: ConnectDeadlines): Transport {
  const io = new HandleIo(binding, deadlines);
  const streams = createStreamTransport(deadlines);
  return {
    async listen(options, onConnection) {
      const server = await openServer(options);
      // No connection can have come yet: the event loop has not polled since the socket was opened.
      handleOf(server).onconnection = (status, client) => {
        if (status === 0) accept(new HandleConnection(io, client), onConnection);
        else refuse(status, options);
      };
      return listeningSocket(server);
    },
    connect(options, handlers) {
      // Node's HTTP/2 on a TLS handle that was ours has ended the process when a backend broke off (decision 16).
      if (options.mayBecomeDuplex === true) return streams.connect(options, handlers);
      const connection = new HandleConnection(io, new binding.Tcp(binding.socketType), options);
      connection.handlers = handlers;
      connection.connect(options);
      return connection;
    },
    secure(accepted, options, handlers) {
      const connection = accepted as HandleConnection;
      connection.handlers = handlers;
      connection.secure(options);
      return connection;
    },
  };
}

function accept(connection: HandleConnection, onConnection: (connection: Connection) => void): void {
  onConnection(connection);
  connection.read();
}

function refuse(status: number, options: ListenOptions): void {
  options.onAcceptError?.(systemError("accept", hostPort(options.address, options.port), status));
}

function handleOf(server: Server): TcpHandle {
  return (server as unknown as { readonly ["_handle"]: TcpHandle })["_handle"];
}
