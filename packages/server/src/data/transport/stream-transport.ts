import { connect as netConnect } from "node:net";

import type { ConnectDeadlines } from "./connect-deadlines.ts";
import { listeningSocket, openServer } from "./net-listener.ts";
import { StreamConnection } from "./stream-connection.ts";
import type { Transport } from "./transport.ts";

/** The transport on `net.Socket`: public interfaces of Node only. */
export function createStreamTransport(deadlines: ConnectDeadlines): Transport {
  return {
    async listen(options, onConnection) {
      const server = await openServer(options, (socket) => {
        const connection = new StreamConnection(socket, deadlines);
        onConnection(connection);
        connection.read();
      });
      return listeningSocket(server);
    },
    connect(options, handlers) {
      const { address: host, port } = options;
      const socket = netConnect({ host, port, noDelay: true, allowHalfOpen: true });
      const connection = new StreamConnection(socket, deadlines, options);
      connection.handlers = handlers;
      return connection;
    },
  };
}
