/**
 * The composition root: makes the parts, wires them, and owns the order in which they start and stop.
 */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

import type { Store } from "@fiberlb/store";
import type { Cidr, VipPoolSpec } from "@fiberlb/types";

import { startAdminServer } from "./admin-server.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type Config, DEFAULT_VIP_POOLS, parseListen } from "./config/config.ts";
import { controlSocketPath, openControlSocket } from "./control-socket.ts";
import { type ControlPlane, createControlPlane } from "./control/control-plane.ts";
import type { TlsMaterial } from "./control/http/one-port.ts";
import { createKeyRing } from "./control/secrets.ts";
import { createKernelDataPlane } from "./data/create-kernel-data-plane.ts";
import type { DataPlane } from "./data/data-plane.ts";
import { createDataPlane, type DataPlaneOptions } from "./data/pool.ts";
import type { Forwarding } from "./forwarding.ts";
import type { HealthMonitor } from "./health/monitor.ts";
import { deriveSessionKey, deriveTicketSecret, loadKey } from "./key-file.ts";
import type { Log } from "./log.ts";
import { ApiCalls } from "./metrics/api-calls.ts";
import { renderMetrics } from "./metrics/exposition.ts";
import { nodeMetrics } from "./metrics/node-metrics.ts";
import { type OpenedStore, openStore } from "./open-store.ts";
import type { Random } from "./random.ts";
import type { KeyRing } from "./repository/key-ring.ts";
import { startForwarding } from "./start-forwarding.ts";

/** What a node is made of. */
export interface ServerOptions {
  readonly config: Config;
  readonly log: Log;
  /** Of the program; shown by `fiberlb get nodes`. */
  readonly version: string;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Default: the engine's. */
  readonly random?: Random;
}

/** A node that runs. */
export interface RunningServer {
  /** Where the API is, for example `http://127.0.0.1:9080`. */
  readonly apiUrl: string;
  readonly adminUrl: string;
  /** Figures of the data plane. */
  readonly dataPlane: Pick<DataPlane, "listenerFigures" | "backendFigures" | "workerLosses">;
  /** Ends in order: API, then listeners, connections for up to `shutdown.drainTimeoutMs`, VIPs, store. Idempotent. */
  stop(): Promise<void>;
}

/** How long calls of the API that run may take to finish. */
const API_GRACE_MS = 1000;

/**
 * Starts a node. Resolves when its configuration has been applied and its API is open.
 * @throws Error with one line that says what could not be started, why, and what to do; nothing is left running.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { config, log } = options;
  const clock = options.clock ?? systemClock;
  await using cleanup = new AsyncDisposableStack();
  const store = await openStore(config, { clock, log });
  cleanup.defer(() => store.close());
  const key = loadKey(config);
  const dataPlane = createNodeDataPlane(config, {
    clock,
    log,
    sessionKey: deriveSessionKey(key),
    ticketSecret: deriveTicketSecret(key),
    onReport: (report) => forwarding?.report(report),
  });
  cleanup.defer(() => dataPlane.stop({ drainTimeoutMs: config.shutdown.drainTimeoutMs }));
  const apiCalls = new ApiCalls();
  const keyRing = createKeyRing([key]);
  const control = createNodeControlPlane({ ...options, clock, store, dataPlane, apiCalls, keyRing });
  await control.start();
  cleanup.defer(() => control.close({ graceMs: 0 }));
  await dataPlane.start();
  const started = await startForwarding({ ...options, clock, repository: control.repository, dataPlane, keyRing });
  const { forwarding } = started;
  cleanup.defer(() => started.stop());
  const api = parseListen(config.api.listen)!;
  const { port } = await control.listen(api.port, api.host).catch(explainListen("API", config.api.listen));
  // Closed before everything else, so that nobody is told of changes that nobody applies any more.
  cleanup.defer(() => control.close({ graceMs: API_GRACE_MS }));
  const admin = await startAdmin({ config, store, dataPlane, apiCalls, ...started });
  const socket = await openNodeSocket(config, store);
  const stopping = cleanup.move();
  let stopped: Promise<void> | undefined;
  const apiUrl = `${config.api.tls === undefined ? "http" : "https"}://${hostOf(api.host)}:${port}`;
  log.info("node is up", { api: apiUrl, admin: admin.url, store: config.store.kind });
  return {
    apiUrl,
    adminUrl: admin.url,
    dataPlane,
    stop: () =>
      (stopped ??= (async () => {
        await socket?.close();
        await stopping.disposeAsync();
        await admin.close();
      })()),
  };
}

const hostOf = (host: string): string => (host.includes(":") ? `[${host}]` : host);

type Parts = ServerOptions & { readonly clock: Clock };

type DataPlaneParts = Required<Pick<DataPlaneOptions, "clock" | "sessionKey" | "ticketSecret" | "onReport">> & {
  readonly log: Log;
};

function createNodeDataPlane({ dataPlane, node, store }: Config, parts: DataPlaneParts): DataPlane {
  return createKernelDataPlane({
    ...parts,
    createWorkers: (onReport) => createDataPlane({ ...parts, workers: dataPlane.workers, onReport }),
    mode: dataPlane.l4,
    node: node.name ?? hostname(),
    routeOthers: dataPlane.routeOthers,
    removeOnStop: dataPlane.onStop === "remove",
    ...(store.kind === "sqlite" && { routingFile: `${store.path}.routing.json` }),
  });
}

function createNodeControlPlane(
  parts: Parts & {
    readonly store: Store;
    readonly dataPlane: DataPlane;
    readonly apiCalls: ApiCalls;
    readonly keyRing: KeyRing;
  },
): ControlPlane {
  const { config, log, clock, store, dataPlane, apiCalls, keyRing } = parts;
  if (config.vipPools === undefined)
    log.info("no vipPools configured: VIPs come from 127.10.0.0/16, which only this host can reach");
  return createControlPlane({
    store,
    clock,
    keyRing,
    vipPools: (config.vipPools ?? DEFAULT_VIP_POOLS) as readonly unknown[] as readonly VipPoolSpec[],
    vipReuseDelayMs: config.vipReuseDelayS * 1000,
    deniedCidrs: (config.backends.deniedCidrs ?? []) as readonly string[] as readonly Cidr[],
    traffic: dataPlane,
    isIdle: (backendId) => dataPlane.backendFigures(backendId).connectionsActive === 0,
    tls: readTls(config.api.tls),
    onCall: (call) => {
      apiCalls.add(call.method, call.code);
      log.debug("rpc", { ...call });
    },
    log: {
      warn: (message) => log.warn(message),
      error: (what, error) => log.error(`${what} failed`, { error }),
    },
  });
}

function readTls(tls: Config["api"]["tls"]): TlsMaterial | undefined {
  if (tls === undefined) return undefined;
  const read = (key: string, file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (error) {
      throw new Error(`Cannot read api.tls.${key} ${file}: ${(error as Error).message}`, { cause: error });
    }
  };
  return {
    cert: read("cert", tls.cert),
    key: read("key", tls.key),
    ...(tls.clientCa !== undefined && { clientCa: read("clientCa", tls.clientCa) }),
  };
}

interface AdminParts {
  readonly config: Config;
  readonly store: Store;
  readonly dataPlane: DataPlane;
  readonly forwarding: Forwarding;
  readonly monitor: HealthMonitor;
  readonly apiCalls: ApiCalls;
}

async function startAdmin(parts: AdminParts): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { config, store, forwarding } = parts;
  const listen = parseListen(config.admin.listen)!;
  const admin = await startAdminServer(listen, {
    ready: () => forwarding.ready,
    storeProblem: () =>
      store.status().then(
        () => undefined,
        (error: Error) => error.message,
      ),
    metrics: async () => {
      await parts.dataPlane.refreshFigures?.();
      return metricsText(parts);
    },
  }).catch(explainListen("admin", config.admin.listen));
  return { url: `http://${hostOf(listen.host)}:${admin.port}`, close: () => admin.close() };
}

function metricsText({ dataPlane, forwarding, monitor, apiCalls }: AdminParts): string {
  const { revision, units } = forwarding.snapshot;
  const health = new Map(monitor.reports().map((report) => [report.target.backendId, report.health]));
  return renderMetrics(
    nodeMetrics({
      units: [...units.values()],
      revision,
      listenerFigures: (id) => dataPlane.listenerFigures(id),
      backendFigures: (id) => dataPlane.backendFigures(id),
      isUp: (id) =>
        health.get(id) === undefined || health.get(id) === "UNKNOWN" ? undefined : health.get(id) === "ONLINE",
      health: monitor.figures(),
      workerLosses: dataPlane.workerLosses,
      apiRequests: apiCalls.samples(),
    }),
  );
}

async function openNodeSocket(config: Config, store: OpenedStore): Promise<{ close(): Promise<void> } | undefined> {
  if (store.backup === undefined) return undefined;
  return openControlSocket(controlSocketPath(config.store.path), {
    backup: async (path) => store.backup?.(path),
  });
}

/** Says what a port that cannot be opened means. */
function explainListen(what: "API" | "admin", address: string): (error: NodeJS.ErrnoException) => never {
  return (error) => {
    const key = what === "API" ? "api.listen" : "admin.listen";
    const why: Readonly<Record<string, string>> = {
      EADDRINUSE: `the port is in use (by another "fiberlb serve"?); stop its owner or set ${key}`,
      EADDRNOTAVAIL: `this host has no such address; set ${key} to one of its own`,
      EACCES: `ports below 1024 need CAP_NET_BIND_SERVICE; set ${key} to a higher one`,
    };
    throw new Error(`Cannot open the ${what} port ${address}: ${why[error.code ?? ""] ?? error.message}`, {
      cause: error,
    });
  };
}
