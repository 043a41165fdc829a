import type { Socket } from "node:net";
import { type SecureContext, TLSSocket, connect } from "node:tls";

import type { TlsSession } from "./tls-facts.ts";
import { serverNameToSend } from "./tls-verify.ts";
import type { TlsClient, TlsServer } from "./transport.ts";

/** TLS as the server, over a TCP socket; `secure` is emitted when the client is to be verified. */
export function acceptTls(socket: Socket, server: TlsServer): TLSSocket {
  const { alpnProtocols, clientAuth, defaultContext } = server;
  return new TLSSocket(socket, {
    isServer: true,
    secureContext: defaultContext,
    requestCert: clientAuth !== "NONE",
    rejectUnauthorized: clientAuth === "REQUIRED",
    ...(alpnProtocols.length === 0 ? {} : { ALPNProtocols: [...alpnProtocols] }),
    ...(server.contextOf === undefined ? {} : { SNICallback: selectContext(server) }),
  });
}

/** TLS as the client, over a TCP socket that may still be connecting; `secureConnect` is emitted when it is verified. */
export function connectTls(socket: Socket, client: TlsClient): TLSSocket {
  const servername = serverNameToSend(client);
  return connect({
    socket,
    secureContext: client.context,
    host: client.serverName,
    rejectUnauthorized: !client.skipVerify,
    ...(servername === undefined ? {} : { servername }),
    ...(client.alpnProtocols.length === 0 ? {} : { ALPNProtocols: [...client.alpnProtocols] }),
  });
}

/**
 * What the handshake can be asked for. A socket as the server does not tell whether the client's certificate is valid,
 * except through the member `ssl`, which is as old as Node and in no documentation.
 */
export function sessionOf(socket: TLSSocket): TlsSession {
  return (socket as TLSSocket & { readonly ssl: TlsSession }).ssl;
}

type SelectContext = (serverName: string, done: (error: null, context: SecureContext) => void) => void;

function selectContext(server: TlsServer): SelectContext {
  return (serverName, done) => {
    done(null, server.contextOf?.(serverName.toLowerCase()) ?? server.defaultContext);
  };
}
