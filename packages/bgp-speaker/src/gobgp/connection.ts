import { connect } from "node:net";

import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";

import type { SpeakerTls } from "../speaker.ts";
import type { Target } from "./target.ts";

/** One HTTP/2 connection, made with the first call. */
export interface Connection {
  readonly transport: Transport;
  /** Ends it and every call on it. */
  close(): void;
}

/**
 * Opens a connection that is given up as a whole when anything on it fails. It sends no HTTP/2 pings: gobgpd closes the
 * connection at the fourth (too_many_pings).
 */
export function openConnection(target: Target, tls: SpeakerTls = {}): Connection {
  const baseUrl = target.kind === "unix" ? "http://localhost" : target.baseUrl;
  const sessionManager = new Http2SessionManager(baseUrl, undefined, sessionOptions(target, tls));
  return {
    transport: createGrpcTransport({ baseUrl, sessionManager }),
    close: () => sessionManager.abort(),
  };
}

function sessionOptions(target: Target, { ca, cert, key }: SpeakerTls): object {
  switch (target.kind) {
    case "unix":
      return { createConnection: () => connect({ path: target.path }) };
    case "http":
      return {};
    case "https":
      return {
        ...(ca !== undefined && { ca }),
        ...(cert !== undefined && { cert }),
        ...(key !== undefined && { key }),
      };
  }
}
