import * as http2 from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";

import { Code, ConnectError, createConnectRouter } from "@connectrpc/connect";
import {
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from "@connectrpc/connect-node";
import { grpcHealth } from "@fiberlb/api";
import { DeploymentService, NodeService, PodService, ServiceService } from "@fiberlb/api/k8shost";

import type { Authenticator } from "../auth/authenticator.ts";
import type { Clock } from "../clock.ts";
import { callerInterceptor } from "./caller.ts";
import { errorInterceptor, type OnUnexpected } from "./errors.ts";
import { healthRoutes } from "./health.ts";
import type { ApiParts } from "./parts.ts";
import { apiRoutes } from "./routes.ts";

/** Keys of the server, PEM. */
export interface ServerTls {
  readonly cert: string;
  readonly key: string;
  /** When given, every client must show a certificate that one of these signed. */
  readonly clientCa?: string;
}

/** How the API is served. */
export interface ApiServerOptions {
  readonly parts: ApiParts;
  readonly authenticator: Authenticator;
  readonly clock: Clock;
  readonly onUnexpected: OnUnexpected;
  /** Absent: cleartext. */
  readonly tls?: ServerTls | undefined;
}

const MAX_MESSAGE_BYTES = 1024 * 1024;
const MAX_STREAMS = 1000;
const SERVICES = [PodService, ServiceService, NodeService, DeploymentService].map(({ typeName }) => typeName);

/** gRPC (and Connect) over HTTP/2. */
export class ApiServer {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  readonly #sockets = new Set<Socket>();
  readonly #stopping = new AbortController();

  constructor(options: ApiServerOptions) {
    this.#clock = options.clock;
    const handler = this.#handler(options);
    const settings = { settings: { maxConcurrentStreams: MAX_STREAMS } };
    const { tls } = options;
    const server =
      tls === undefined
        ? http2.createServer(settings, handler)
        : http2.createSecureServer({ ...settings, ...secureOptions(tls) }, handler);
    server.on("session", (session) => {
      this.#sessions.add(session);
      session.once("close", () => this.#sessions.delete(session));
    });
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    this.#server = server;
  }

  /** Rejects with the system's error, for example EADDRINUSE. Port 0 is any free one. */
  listen(port: number, host: string): Promise<AddressInfo> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ port, host }, () => {
        this.#server.off("error", reject);
        resolve(this.#server.address() as AddressInfo);
      });
    });
  }

  /** Ends watches, lets calls finish for up to `graceMs`, then cuts them. */
  async close(graceMs: number): Promise<void> {
    this.#stopping.abort();
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const session of this.#sessions) session.close();
    const cancel = this.#clock.after(graceMs, () => {
      // A session that was closed waits for the client to end its side; not all do.
      for (const socket of this.#sockets) socket.destroy();
    });
    await closed;
    cancel();
  }

  #handler({ parts, authenticator, onUnexpected }: ApiServerOptions) {
    const router = createConnectRouter({
      acceptCompression: [compressionGzip],
      readMaxBytes: MAX_MESSAGE_BYTES,
      shutdownSignal: this.#stopping.signal,
      interceptors: [
        errorInterceptor(onUnexpected),
        callerInterceptor(authenticator, new Set([grpcHealth.Health.typeName])),
      ],
    });
    apiRoutes(parts)(router);
    healthRoutes(SERVICES, this.#stopping.signal)(router);
    const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
    return (req: http2.Http2ServerRequest, res: http2.Http2ServerResponse): void => {
      const path = req.url.split("?", 1)[0] ?? "";
      const handle = handlers.get(path);
      if (handle === undefined) {
        res.writeHead(404).end(`Unknown path ${path}: RPCs are POST /k8shost.v1.<Service>/<Method>\n`);
        return;
      }
      handle(universalRequestFromNodeRequest(req, res, undefined, undefined))
        .then((response) => universalResponseToNodeResponse(response, res))
        .catch((error: unknown) => {
          const { code } = ConnectError.from(error);
          const hasLeft = code === Code.Aborted || code === Code.Canceled || (res.stream?.destroyed ?? true);
          if (!hasLeft) onUnexpected(error, path);
        });
    };
  }
}

function secureOptions({ cert, key, clientCa }: ServerTls): http2.SecureServerOptions {
  const own = { cert, key, minVersion: "TLSv1.2" as const, ALPNProtocols: ["h2"] };
  return clientCa === undefined ? own : { ...own, ca: clientCa, requestCert: true, rejectUnauthorized: true };
}
