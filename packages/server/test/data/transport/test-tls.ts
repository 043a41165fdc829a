import tls from "node:tls";

import type { ConnectOptions, TlsServer } from "../../../src/data/transport/transport.ts";
import { TestAuthority } from "../tls/authority.ts";

/** What both ends of a TLS connection of the contract need. */
export interface TestTls {
  /** For the engine as the server. */
  readonly server: TlsServer;
  /** For the engine as the client. */
  readonly connect: Required<Pick<ConnectOptions, "tls">>;
  /** For the other end. */
  readonly peerServer: tls.TlsOptions;
  readonly peer: tls.ConnectionOptions;
}

let made: TestTls | undefined;

/** Certificates that both ends believe in; made once. */
export function testTls(): TestTls {
  return (made ??= make());
}

function make(): TestTls {
  const authority = new TestAuthority();
  const { chainPem: cert, privateKeyPem: key } = authority.issue({ names: ["server.test"] });
  const context = tls.createSecureContext({ ca: authority.pem });
  return {
    server: { defaultContext: tls.createSecureContext({ cert, key }), alpnProtocols: [], clientAuth: "NONE" },
    connect: { tls: { context, serverName: "server.test", skipVerify: false, alpnProtocols: [] } },
    peerServer: { cert, key },
    peer: { ca: authority.pem, servername: "server.test" },
  };
}
