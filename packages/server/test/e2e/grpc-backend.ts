import { once } from "node:events";
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type Http2SecureServer,
  type ServerHttp2Session,
} from "node:http2";
import type { AddressInfo } from "node:net";

import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { grpcHealth, grpcReflection } from "@fiberlb/api";

import type { Issued } from "../openssl.ts";

const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = grpcHealth.HealthCheckResponse_ServingStatus;

/** What a Watch answers, one after the other. */
export const WATCHED = [SERVING, NOT_SERVING, SERVICE_UNKNOWN] as const;

/** A gRPC server of Connect, in cleartext or over TLS. */
export interface GrpcBackend {
  readonly port: number;
  /** Calls whose client has gone away. */
  readonly aborted: Promise<void>;
  /** Headers of the calls that came. */
  readonly headers: readonly Headers[];
  close(): Promise<void>;
}

/**
 * Starts one. Health: Check of "missing" is NOT_FOUND with metadata, of "slow" never answered, else SERVING; Watch
 * answers {@link WATCHED}, of "forever" without an end. Reflection answers each request at once with its own host.
 */
export async function startGrpcBackend(tls?: Issued): Promise<GrpcBackend> {
  const headers: Headers[] = [];
  const aborted = Promise.withResolvers<void>();
  const untilAborted = (signal: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) => {
      const abort = (): void => {
        aborted.resolve();
        reject(new ConnectError("gone", Code.Canceled));
      };
      if (signal.aborted) abort();
      else signal.addEventListener("abort", abort);
    });
  const routes = (router: ConnectRouter): void => {
    router.service(grpcHealth.Health, {
      async check({ service }, { requestHeader, responseHeader, responseTrailer, signal }) {
        headers.push(requestHeader);
        responseHeader.set("x-leading", "first");
        responseTrailer.set("x-trailing", "last");
        if (service === "missing") throw new ConnectError("no such service: ü", Code.NotFound, { "x-why": "unknown" });
        if (service === "slow") return untilAborted(signal);
        return { status: SERVING };
      },
      async *watch({ service }, { signal }) {
        for (const status of WATCHED) yield { status };
        if (service === "forever") await untilAborted(signal);
      },
    });
    router.service(grpcReflection.ServerReflection, {
      async *serverReflectionInfo(requests) {
        for await (const { host } of requests) yield { validHost: host };
      },
    });
  };
  const handler = connectNodeAdapter({ routes, connect: false, grpcWeb: false });
  const server: Http2Server | Http2SecureServer =
    tls === undefined ? createServer(handler) : createSecureServer({ cert: tls.pem, key: tls.keyPem }, handler);
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session: ServerHttp2Session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    aborted: aborted.promise,
    headers,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}
