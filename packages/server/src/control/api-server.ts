import type { AddressInfo } from "node:net";

import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { grpcHealth, grpcReflection, grpcReflectionAlpha } from "@fiberlb/api";

import type { Clock } from "../clock.ts";
import type { Authenticator } from "./auth/authenticator.ts";
import { HealthState, healthRoutes } from "./health.ts";
import { connectHandler } from "./http/connect-handler.ts";
import { createOnePortServer, type OnePortOptions, type OnePortServer, type TlsMaterial } from "./http/one-port.ts";
import {
  type ApiCall,
  authInterceptor,
  errorInterceptor,
  gateInterceptor,
  observingInterceptor,
} from "./interceptors.ts";
import { reflectionRoutes } from "./reflection.ts";

export interface ApiServerOptions extends Omit<OnePortOptions, "clock"> {
  readonly clock: Clock;
  readonly authenticator: Authenticator;
  /** Why nothing can be served now, if so. */
  readonly whyClosed: () => string | undefined;
  /** Of `routes`, for reflection and health. */
  readonly services: readonly DescService[];
  readonly routes: (router: ConnectRouter) => void;
  /** Called for each RPC when it has ended; for log and metrics. */
  readonly onCall: (call: ApiCall) => void;
  /** An error that no rule foresaw. The client learns nothing of it. */
  readonly onUnexpected: (error: unknown, rpc: string) => void;
  /** Largest request message. Default 4 MiB: a certificate chain has 256 KiB at most. */
  readonly maxMessageBytes?: number;
}

const DEFAULT_MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Services that need no tenant. */
const OPEN_SERVICES = new Set(
  [grpcHealth.Health, grpcReflection.ServerReflection, grpcReflectionAlpha.ServerReflection].map(
    ({ typeName }) => typeName,
  ),
);

/** gRPC, gRPC-Web and Connect on one port, with reflection and grpc.health.v1. */
export class ApiServer {
  readonly #server: OnePortServer;
  readonly #health: HealthState;
  readonly #shutdown = new AbortController();

  constructor(options: ApiServerOptions) {
    this.#health = new HealthState(options.services);
    const handler = connectHandler({
      routes: (router) => {
        options.routes(router);
        reflectionRoutes([...options.services, grpcHealth.Health])(router);
        healthRoutes(this.#health)(router);
      },
      onError: options.onUnexpected,
      interceptors: [
        observingInterceptor(options.clock, options.onCall),
        errorInterceptor(options.onUnexpected),
        gateInterceptor(options.whyClosed, OPEN_SERVICES),
        authInterceptor(options.authenticator, OPEN_SERVICES),
      ],
      jsonOptions: { alwaysEmitImplicit: true, ignoreUnknownFields: false },
      readMaxBytes: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
      shutdownSignal: this.#shutdown.signal,
    });
    this.#server = createOnePortServer(handler, options);
  }

  /** Rejects with the system's error, for example EADDRINUSE. Port 0 is any free one. */
  listen(port: number, host: string): Promise<AddressInfo> {
    return this.#server.listen(port, host);
  }

  /** Presents other keys to connections from now on. */
  replaceTls(material: TlsMaterial): void {
    this.#server.replaceTls(material);
  }

  /** Tells health watchers, ends streams, lets calls finish for up to `graceMs`. */
  async close({ graceMs }: { readonly graceMs: number }): Promise<void> {
    this.#health.shutdown();
    // One turn of the event loop lets the watchers' last message go out before their streams end.
    await new Promise((resolve) => setImmediate(resolve));
    const closed = this.#server.close(graceMs);
    this.#shutdown.abort();
    await closed;
  }
}
