/**
 * The half of a node that one process at a time can be: store, API, admin port, and what follows the store. The data plane
 * is its owner's; so this half can end and begin anew while traffic goes on.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:net";

import { type Cidr, invalid, parseSpec, type VipPoolSpec } from "@fiberlb/types";

import { startAdminServer } from "./admin-server.ts";
import type { Announcing } from "./announce/announcing.ts";
import { followLinkPools } from "./announce/l2/follow-pools.ts";
import { createLinkPoolFile } from "./announce/l2/link-pool-file.ts";
import { startAnnouncing } from "./announce/start-announcing.ts";
import type { Clock } from "./clock.ts";
import { type Config, DEFAULT_VIP_POOLS, parseListen } from "./config/config.ts";
import { vipPoolSpecs } from "./config/vip-pools.ts";
import { type ControlPlane, createControlPlane } from "./control/control-plane.ts";
import type { TlsMaterial } from "./control/http/one-port.ts";
import { dataFile, nodeName } from "./data-folder.ts";
import type { DataPlane } from "./data/data-plane.ts";
import { enterStore, type StoreEntry } from "./enter-store.ts";
import type { Forwarding } from "./forwarding.ts";
import type { HealthMonitor } from "./health/monitor.ts";
import type { LastApplied } from "./last-applied/last-applied.ts";
import type { Log } from "./log.ts";
import { ApiCalls } from "./metrics/api-calls.ts";
import { renderMetrics } from "./metrics/exposition.ts";
import { nodeMetrics } from "./metrics/node-metrics.ts";
import type { DrainWatch } from "./node-drain.ts";
import type { OpenedStore } from "./open-store.ts";
import type { Random } from "./random.ts";
import { claimClusterKey } from "./repository/cluster-key.ts";
import type { KeyRing } from "./repository/key-ring.ts";
import type { NodeInstance } from "./repository/node-lease.ts";
import type { NodeSession } from "./repository/node-session.ts";
import type { Repository } from "./repository/repository.ts";
import type { NameLookup } from "./snapshot/lookup.ts";
import { type StartedForwarding, startForwarding } from "./start-forwarding.ts";
import type { Inheritance } from "./takeover/messages.ts";
import { LinkVips } from "./vip/link-vips.ts";

/** What {@link startManagement} works with. */
export interface ManagementOptions {
  readonly config: Config;
  readonly log: Log;
  readonly version: string;
  /** Tells this process from others that were given the same node name. */
  readonly instance: NodeInstance;
  readonly clock: Clock;
  readonly random?: Random;
  readonly lookup?: NameLookup;
  /** Closed with this half, also when it cannot be started. */
  readonly store: OpenedStore;
  readonly dataPlane: DataPlane;
  readonly keyRing: KeyRing;
  /** Keeps what is applied on this node's disk; absent: it does not start without its store. */
  readonly lastApplied?: LastApplied;
  /** Names the key that secrets are sealed with. */
  readonly keyFingerprint: string;
  /** Which VIPs are announced on a link; kept up to date here. Default: of nobody else's interest. */
  readonly linkVips?: LinkVips;
  /** What the process before this one knew; VIPs and traffic are then left alone when the start fails. */
  readonly inheritance?: Inheritance;
  /** Called before anything is configured. */
  readonly startDataPlane: () => Promise<void>;
  /** Called as soon as there is somebody who takes reports of the data plane. */
  readonly onForwarding: (forwarding: Forwarding) => void;
}

/** The half that manages, while it runs. */
export interface Management {
  readonly apiUrl: string;
  readonly adminUrl: string;
  readonly store: OpenedStore;
  /** Where it listens, with the ports that were found for port 0. */
  readonly listens: { readonly api: string; readonly admin: string };
  /** Ends in order: API, announcements, then the data plane with its connections and VIPs, store, admin port. */
  stop(): Promise<void>;
  /** Ends API, admin port and store; traffic and health checks go on. */
  release(): Promise<void>;
  /** What whoever follows need not find out again; asked for before `halt`. */
  known(): Inheritance;
  /** After `release`: ends the health checks. */
  halt(): void;
}

/** How long calls of the API that run may take to finish. */
const API_GRACE_MS = 1000;

/**
 * Resolves when the store's configuration has been applied and the API is open.
 * @throws Error with one line that says what could not be started, why, and what to do; nothing is left running.
 */
export async function startManagement(options: ManagementOptions): Promise<Management> {
  const { config, store, dataPlane, inheritance, linkVips = new LinkVips() } = options;
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => store.close());
  const apiCalls = new ApiCalls();
  const control = createNodeControlPlane({ ...options, apiCalls });
  cleanup.defer(() => control.close({ graceMs: 0 }));
  const identity = { name: nodeName(config), version: options.version, startedAt: options.instance.startedAt };
  const session = control.repository.openNodeSession(identity.name, options.instance);
  cleanup.defer(() => session.close());
  const entry = await enterNodeStore(options, control, session);
  cleanup.defer(() => entry.stop());
  // Whoever cannot have the ports should know before taking over any listener.
  if (inheritance !== undefined) await lookAtPorts(config);
  await options.startDataPlane();
  const { repository } = control;
  // Before any listener is opened: those on VIPs that another node has need the host's leave.
  cleanup.defer(followNodePools(repository, options, linkVips));
  const announcing = await startAnnouncing({ ...options, repository, session, node: identity.name });
  cleanup.defer(() => announcing.stop());
  const { meanwhile } = entry;
  const parts = { ...options, repository, session, identity, announcing, linkVips, meanwhile };
  const started = await startForwarding(parts);
  options.onForwarding(started.forwarding);
  cleanup.defer(() => (inheritance === undefined ? end(announcing, started) : forsake(started)));
  const api = parseListen(config.api.listen)!;
  const { port } = await control.listen(api.port, api.host).catch(explainListen("API", config.api.listen));
  const admin = await startAdmin({ config, store, dataPlane, apiCalls, announcing, ...started });
  cleanup.move();
  return {
    apiUrl: `${config.api.tls === undefined ? "http" : "https"}://${hostOf(api.host)}:${port}`,
    adminUrl: `http://${admin.place}`,
    listens: { api: `${hostOf(api.host)}:${port}`, admin: admin.place },
    store,
    known: () => started.known(),
    halt: () => started.halt(),
    async stop() {
      await entry.stop();
      // Before everything else, so that nobody is told of changes that nobody applies any more.
      await control.close({ graceMs: API_GRACE_MS });
      await end(announcing, started);
      await announcing.stop();
      await store.close();
      await admin.close();
    },
    async release() {
      // Each of them, whatever becomes of the others: what stays open keeps the next process from starting.
      await using closing = new AsyncDisposableStack();
      await entry.stop();
      closing.defer(() => admin.close());
      closing.defer(() => store.close());
      closing.defer(() => started.detach());
      // VIPs stay announced: whoever follows announces the same.
      closing.defer(() => announcing.stop());
      closing.defer(() => control.close({ graceMs: API_GRACE_MS }));
    },
  };
}

/** Whatever may speak against this node's using the store: another key, a newer release, another node of its name. */
function enterNodeStore(options: ManagementOptions, control: ControlPlane, session: NodeSession): Promise<StoreEntry> {
  return enterStore({
    ...options,
    enter: async () => {
      if (options.config.store.kind === "etcd") await claimKey(options);
      await control.start();
      await session.claim();
    },
  });
}

function followNodePools(
  { vipPoolView }: Repository,
  { config, log }: ManagementOptions,
  linkVips: LinkVips,
): () => void {
  const path = dataFile(config, "link-pools.json");
  const file = path === undefined ? {} : { file: createLinkPoolFile(path, log) };
  return followLinkPools(vipPoolView, { linkVips, configured: configuredPools(config), ...file, log });
}

/** What the nodes of a cluster seal, all of them have to open. */
function claimKey({ config, store, keyFingerprint }: ManagementOptions): Promise<void> {
  const keyFile = config.secrets.keyFile ?? "(none)";
  return claimClusterKey(store, { fingerprint: keyFingerprint, node: nodeName(config), keyFile });
}

/** Nobody stops to accept before the network sends its packets elsewhere. */
async function end(announcing: Announcing, started: StartedForwarding): Promise<void> {
  await announcing.leave();
  await started.stop();
}

async function forsake(started: StartedForwarding): Promise<void> {
  await started.detach();
  started.halt();
}

const hostOf = (host: string): string => (host.includes(":") ? `[${host}]` : host);

function createNodeControlPlane(parts: ManagementOptions & { readonly apiCalls: ApiCalls }): ControlPlane {
  const { config, log, clock, store, dataPlane, apiCalls, keyRing } = parts;
  if (config.vipPools === undefined)
    log.info("no vipPools configured: VIPs come from 127.10.0.0/16, which only this host can reach");
  return createControlPlane({
    store,
    clock,
    keyRing,
    vipPools: configuredPools(config),
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

/** Checked with the configuration. */
function configuredPools({ vipPools }: Config): readonly VipPoolSpec[] {
  return vipPoolSpecs(vipPools ?? DEFAULT_VIP_POOLS).map((pool) => {
    const spec = parseSpec("vipPool", pool);
    if (!spec.ok) throw invalid(spec.violations);
    return spec.value;
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
  readonly store: OpenedStore;
  readonly dataPlane: DataPlane;
  readonly forwarding: Forwarding;
  readonly monitor: HealthMonitor;
  readonly apiCalls: ApiCalls;
  readonly drain: DrainWatch;
  readonly announcing: Announcing;
}

async function startAdmin(parts: AdminParts): Promise<{ readonly place: string; close(): Promise<void> }> {
  const { config, store } = parts;
  const listen = parseListen(config.admin.listen)!;
  const admin = await startAdminServer(listen, {
    notReady: () => whyNotReady(parts),
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
  return { place: `${hostOf(listen.host)}:${admin.port}`, close: () => admin.close() };
}

/** External load balancers and routers are to go elsewhere while a node drains, though it still serves who comes. */
function whyNotReady({ config, forwarding, drain }: AdminParts): string | undefined {
  if (!forwarding.ready) return "no configuration has been applied so far";
  return drain.draining ? `node ${nodeName(config)} drains` : undefined;
}

function metricsText({ dataPlane, forwarding, monitor, apiCalls, announcing }: AdminParts): string {
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
      conntrackEntries: dataPlane.conntrackEntries?.() ?? new Map(),
      bgp: announcing.figures(),
      apiRequests: apiCalls.samples(),
    }),
  );
}

/** Binds the ports for a moment. @throws Error that says which one cannot be had, and what to do. */
async function lookAtPorts({ api, admin }: Config): Promise<void> {
  for (const [what, { listen }] of [
    ["API", api],
    ["admin", admin],
  ] as const) {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(parseListen(listen), resolve);
    }).catch(explainListen(what, listen));
    await new Promise((resolve) => server.close(resolve));
  }
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
