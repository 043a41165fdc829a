import { fileURLToPath } from "node:url";

import type { Host } from "../host.ts";
import { Peer } from "../peer.ts";

const SCRIPT = fileURLToPath(new URL("server-process.ts", import.meta.url));

/** Where the servers of the lab listen. */
export const SERVER_PORT = 8080;

/** A web server that runs. */
export type WebServer = Pick<Peer<never, never>, "close">;

/** Starts a web server on a machine; resolves when it listens. */
export const startServer = (host: Host): Promise<WebServer> =>
  Peer.of(host.name, host.fork(SCRIPT, [host.name, String(SERVER_PORT)]));
