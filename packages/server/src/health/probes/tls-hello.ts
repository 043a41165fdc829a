import tls from "node:tls";

import { attempt } from "./attempt.ts";
import type { Probe } from "./probe.ts";
import { tlsOptions } from "./tls.ts";

/**
 * Passes when the backend answers a ClientHello with a ServerHello, as HAProxy's `ssl-hello-chk`. No certificate is
 * verified, and a backend that goes on to ask for a client's certificate passes too.
 */
export const probeTlsHello: Probe = (target, options, context) =>
  attempt(target, context, (running) => {
    const socket = tls.connect({ ...tlsOptions(target, options), rejectUnauthorized: false });
    let helloSeen = false;
    socket.once("connect", () => (running.awaiting = "TLS handshake"));
    // Keys exist only once the ServerHello has been read: the one sign of it that node:tls shows before the handshake ends.
    socket.once("keylog", () => (helloSeen = true));
    socket.once("secureConnect", () => running.pass());
    socket.on("error", (error) => (helloSeen ? running.pass() : running.error(error)));
    return () => socket.destroy();
  });
