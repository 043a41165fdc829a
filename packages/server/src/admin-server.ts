import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import type { ListenAddress } from "./config/config.ts";

/** What the admin port tells; each is asked at the time of the request. */
export interface AdminProbes {
  /** Why no traffic should be sent here, or undefined when it may be; a store that is lost is no reason. */
  readonly notReady: () => string | undefined;
  /** Why the API cannot serve, or undefined when it can. */
  readonly storeProblem: () => Promise<string | undefined>;
  /** Prometheus text format 0.0.4. */
  readonly metrics: () => Promise<string>;
}

/** The admin port: /healthz, /readyz, /readyz/api, /metrics. */
export interface AdminServer {
  readonly port: number;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly type?: string;
  readonly body: string;
}

/** Opens the admin port. @throws the system's error when it cannot be bound. */
export async function startAdminServer(listen: ListenAddress, probes: AdminProbes): Promise<AdminServer> {
  const server = createServer((request, response) => {
    void answer(request.method ?? "", request.url ?? "", probes).then(({ status, type = "text/plain", body }) => {
      response.writeHead(status, { "content-type": `${type}; charset=utf-8`, "cache-control": "no-store" });
      response.end(request.method === "HEAD" ? undefined : body);
    });
  });
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(listen.port, listen.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return { port: (server.address() as AddressInfo).port, close: () => closeServer(server) };
}

async function answer(method: string, url: string, probes: AdminProbes): Promise<Answer> {
  if (method !== "GET" && method !== "HEAD") return { status: 405, body: "only GET\n" };
  switch (url.split("?", 1)[0]) {
    case "/healthz":
      return { status: 200, body: "ok\n" };
    case "/readyz": {
      const reason = probes.notReady();
      return reason === undefined ? { status: 200, body: "ok\n" } : { status: 503, body: `${reason}\n` };
    }
    case "/readyz/api": {
      const problem = await probes.storeProblem();
      return problem === undefined ? { status: 200, body: "ok\n" } : { status: 503, body: `${problem}\n` };
    }
    case "/metrics":
      return { status: 200, type: "text/plain; version=0.0.4", body: await probes.metrics() };
    default:
      return { status: 404, body: "known here: /metrics /healthz /readyz /readyz/api\n" };
  }
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
