import { connect as netConnect } from "node:net";

import type { ConnectDeadlines } from "./connect-deadlines.ts";
import { listeningSocket, openServer } from "./net-listener.ts";
import { StreamConnection, type StreamIo } from "./stream-connection.ts";
import type { Transport } from "./transport.ts";

/** The transport on `net.Socket`: public interfaces of Node only. */
export function createStreamTransport(deadlines: ConnectDeadlines): Transport {
  const io: StreamIo = { deadlines, inHand: undefined };
  return {
    async listen(options, onConnection) {
      const server = await openServer(options, (socket) => {
        const connection = new StreamConnection(socket, io);
        onConnection(connection);
        connection.read();
      });
      return listeningSocket(server);
    },
    connect(options, handlers) {
      const { address: host, port } = options;
      const socket = netConnect({ host, port, noDelay: true, allowHalfOpen: true });
      const connection = new StreamConnection(socket, io, options);
      connection.handlers = handlers;
      return connection;
    },
    secure(accepted, options, handlers) {
      const connection = accepted as StreamConnection;
      connection.handlers = handlers;
      connection.secure(options);
      return connection;
    },
  };
}
