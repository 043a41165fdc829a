/**
 * The composition root: makes the two halves of a node, and owns the order in which they start, stop and change hands.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";

import { type Clock, delay, systemClock } from "./clock.ts";
import type { Config } from "./config/config.ts";
import { answers, controlSocketPath, openControlSocket } from "./control-socket.ts";
import { createKeyRing, keyFingerprint } from "./control/secrets.ts";
import { dataFile, dataFolder, nodeName, readInstallation } from "./data-folder.ts";
import { createKernelDataPlane, type KernelDataPlaneOptions } from "./data/create-kernel-data-plane.ts";
import type { DataPlane } from "./data/data-plane.ts";
import { createDataPlane, type DataPlaneOptions } from "./data/pool.ts";
import type { Forwarding } from "./forwarding.ts";
import { deriveSessionKey, deriveTicketSecret, loadKey } from "./key-file.ts";
import { LastApplied } from "./last-applied/last-applied.ts";
import { SavedFiles } from "./last-applied/saved-files.ts";
import type { Log } from "./log.ts";
import { type Management, startManagement } from "./management.ts";
import { type OpenedStore, openStore } from "./open-store.ts";
import type { Random } from "./random.ts";
import type { KeyRing } from "./repository/key-ring.ts";
import type { NodeInstance } from "./repository/node-lease.ts";
import type { NameLookup } from "./snapshot/lookup.ts";
import { Channel, type FromPredecessor, type FromSuccessor, type Inheritance } from "./takeover/messages.ts";
import { type Estate, handOver } from "./takeover/predecessor.ts";
import { askToTakeOver, type Takeover } from "./takeover/successor.ts";
import { LinkVips } from "./vip/link-vips.ts";

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
  /** Asks name servers. Default: as this host does. */
  readonly lookup?: NameLookup;
  /** Opens the store; what it gives is closed with the node. Default: as configured. */
  readonly openStore?: () => Promise<OpenedStore>;
  /** Take over from the process that runs with the same store, if there is one. Default: a second process is refused. */
  readonly takeover?: TakeoverRequest;
}

/** How {@link startServer} takes over. */
export interface TakeoverRequest {
  /** The other process has waited too long and wants everything back: this process has to end at once. */
  readonly onRevoked: (reason: string) => void;
}

/** A node that runs. */
export interface RunningServer {
  /** Where the API is, for example `http://127.0.0.1:9080`. */
  readonly apiUrl: string;
  readonly adminUrl: string;
  /** Figures of the data plane. */
  readonly dataPlane: Pick<DataPlane, "listenerFigures" | "backendFigures" | "workerLosses">;
  /** Resolves when another process has taken over: what remains is to `stop`, which then leaves VIPs where they are. */
  readonly handedOver: Promise<void>;
  /** Ends in order: API, then listeners, connections for up to `shutdown.drainTimeoutMs`, VIPs, store. Idempotent. */
  stop(): Promise<void>;
}

/** After a takeover nothing is urgent: clients that are about to ask on an idle connection are waited for. */
const HANDED_OVER_IDLE_GRACE_MS = 5000;
/** Between two attempts to get the store back from a process that is about to end. */
const TAKE_BACK_INTERVAL_MS = 500;

/**
 * Starts a node. Resolves when its configuration has been applied and its API is open.
 * @throws Error with one line that says what could not be started, why, and what to do; nothing is left running.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const takeover = await requestTakeover(options);
  const node = await RunningNode.start({ ...options, clock: options.clock ?? systemClock }, takeover);
  const { apiUrl: api, adminUrl: admin } = node;
  options.log.info("node is up", { api, admin, store: options.config.store.kind });
  return node;
}

async function requestTakeover({ config, log, takeover }: ServerOptions): Promise<Takeover | undefined> {
  const folder = dataFolder(config);
  if (takeover === undefined) {
    // A SQLite store's own lock says it better.
    if (config.store.kind === "etcd" && folder !== undefined) await refuseSecondProcess(folder);
    return undefined;
  }
  if (folder === undefined)
    throw new Error(`Cannot take over with store.kind ${config.store.kind}: what it holds ends with its process`);
  const given = await askToTakeOver(controlSocketPath(folder), takeover);
  log.info(
    given === undefined ? "nobody to take over from; starting as usual" : "taking over from the running process",
  );
  return given;
}

/** An etcd cluster serves any number of processes, this node's folder one. */
async function refuseSecondProcess(folder: string): Promise<void> {
  const path = controlSocketPath(folder);
  if (await answers(path))
    throw new Error(
      `Cannot start: another process has ${folder} and answers at ${path}; stop it, take over from it (--takeover), or set node.dataDir to a folder of its own`,
    );
}

type Parts = ServerOptions & { readonly clock: Clock };

const openNodeStore = ({ config, clock, log, openStore: open }: Parts): Promise<OpenedStore> =>
  open?.() ?? openStore(config, { clock, log });

/** What the node is as a process: whether its managing half is its own, away for a moment, or another process's. */
type Phase = "managing" | "released" | "left";

class RunningNode implements RunningServer {
  readonly dataPlane: DataPlane;
  readonly handedOver: Promise<void>;
  readonly #parts: Parts;
  readonly #keyRing: KeyRing;
  readonly #keyFingerprint: string;
  readonly #instance: NodeInstance;
  readonly #left = Promise.withResolvers<void>();
  readonly #stopping = new AbortController();
  readonly #linkVips = new LinkVips();
  /** Absent until it has started for the first time; ended while it is released. */
  #management: Management | undefined;
  #forwarding: Forwarding | undefined;
  #phase: Phase = "managing";
  #socket: { close(): Promise<void> } | undefined;
  /** A hand-over that is under way. */
  #handOver: { readonly stream: Duplex; readonly done: Promise<unknown> } | undefined;
  /** Listeners may be open in the process before this one. */
  #joins: boolean;
  #stopped: Promise<void> | undefined;

  private constructor(parts: Parts, { joins }: { readonly joins: boolean }) {
    const { config, clock, log } = parts;
    this.#parts = parts;
    this.#joins = joins;
    this.handedOver = this.#left.promise;
    const key = loadKey(config);
    this.#keyRing = createKeyRing([key]);
    this.#keyFingerprint = keyFingerprint(key);
    this.#instance = {
      installation: readInstallation(dataFolder(config)),
      process: randomUUID(),
      host: hostname(),
      startedAt: new Date(clock.epochMs()).toISOString(),
    };
    this.dataPlane = createNodeDataPlane(config, {
      clock,
      log,
      sessionKey: deriveSessionKey(key),
      ticketSecret: deriveTicketSecret(key),
      joinListeners: () => this.#joins,
      isLinkVip: (address) => this.#linkVips.has(address),
      onReport: (report) => {
        if (this.#phase === "managing") this.#forwarding?.report(report);
      },
      onEjection: (ejection) => {
        if (this.#phase === "managing") this.#forwarding?.ejection(ejection);
      },
    });
  }

  static async start(parts: Parts, takeover: Takeover | undefined): Promise<RunningNode> {
    const { config } = parts;
    let node: RunningNode | undefined;
    try {
      await using cleanup = new AsyncDisposableStack();
      const store = await openNodeStore(parts);
      cleanup.defer(() => store.close());
      node = new RunningNode(parts, { joins: takeover !== undefined });
      cleanup.move();
      await node.#manage(store, takeover?.inheritance);
      await takeover?.ready();
    } catch (error) {
      if (node !== undefined && takeover !== undefined) await node.#forsake();
      takeover?.fail((error as Error).message);
      await node?.dataPlane.stop({ drainTimeoutMs: config.shutdown.drainTimeoutMs });
      throw error;
    }
    node.#joins = false;
    await node.#openSocket();
    return node;
  }

  get apiUrl(): string {
    return (this.#management as Management).apiUrl;
  }

  get adminUrl(): string {
    return (this.#management as Management).adminUrl;
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    await this.#socket?.close();
    // Whoever was taking over goes on without us.
    this.#handOver?.stream.destroy();
    await this.#handOver?.done;
    if (this.#phase === "managing") return this.#management?.stop();
    this.#management?.halt();
    const { drainTimeoutMs } = this.#parts.config.shutdown;
    await this.dataPlane.stop({ drainTimeoutMs, idleGraceMs: HANDED_OVER_IDLE_GRACE_MS });
  }

  async #manage(store: Management["store"], inheritance?: Inheritance): Promise<void> {
    const isFirst = this.#management === undefined;
    const listens = this.#management?.listens;
    const { config } = this.#parts;
    this.#management = await startManagement({
      ...this.#parts,
      // Where it was before, also when the system had chosen the port.
      config:
        listens === undefined
          ? config
          : { ...config, api: { ...config.api, listen: listens.api }, admin: { listen: listens.admin } },
      store,
      dataPlane: this.dataPlane,
      keyRing: this.#keyRing,
      keyFingerprint: this.#keyFingerprint,
      instance: this.#instance,
      ...keepLastApplied(this.#parts),
      linkVips: this.#linkVips,
      ...(inheritance !== undefined && { inheritance }),
      onForwarding: (forwarding) => (this.#forwarding = forwarding),
      startDataPlane: async () => {
        if (isFirst) await this.dataPlane.start();
      },
    });
  }

  /** A takeover that failed: the other process gets back all but the connections that came here meanwhile. */
  async #forsake(): Promise<void> {
    await this.dataPlane.leaveKernel?.();
    await this.#management?.release();
    this.#management?.halt();
  }

  async #openSocket(): Promise<void> {
    const { config } = this.#parts;
    const folder = dataFolder(config);
    if (folder === undefined) return;
    this.#socket = await openControlSocket(controlSocketPath(folder), {
      backup: async (path) => {
        if (this.#phase !== "managing") throw new Error("Cannot back up: another process is taking over; ask again");
        const backup = this.#management?.store.backup;
        if (backup === undefined)
          throw new Error(`Cannot back up store.kind ${config.store.kind}: it has no file here`);
        await backup.call(this.#management?.store, path);
      },
      refuseTakeover: () =>
        this.#handOver === undefined && !this.#stopping.signal.aborted
          ? undefined
          : "the running process is stopping, or another one is taking over from it already",
      handOver: (stream) => {
        const done = this.#handOverTo(stream).finally(() => (this.#handOver = undefined));
        this.#handOver = { stream, done };
      },
    });
  }

  async #handOverTo(stream: Duplex): Promise<void> {
    const { clock, log } = this.#parts;
    const channel = new Channel<FromSuccessor, FromPredecessor>(stream);
    const estate: Estate = {
      release: () => this.#release(),
      leave: async () => {
        this.#phase = "left";
        await this.#socket?.close();
      },
      takeBack: () => this.#takeBack(),
    };
    if (await handOver(channel, { estate, clock, log })) this.#left.resolve();
  }

  async #release(): Promise<Inheritance> {
    this.#phase = "released";
    await this.dataPlane.leaveKernel?.();
    const management = this.#management as Management;
    await management.release();
    return management.known();
  }

  async #takeBack(): Promise<void> {
    const { clock, log } = this.#parts;
    const { signal } = this.#stopping;
    const inheritance = (this.#management as Management).known();
    while (!signal.aborted) {
      try {
        await this.#manageAgain(inheritance);
        log.info("store and ports are open again");
        return;
      } catch (error) {
        log.warn("store and ports cannot be had so far; trying again", { reason: (error as Error).message });
        await delay(clock, TAKE_BACK_INTERVAL_MS, signal).catch(() => undefined);
      }
    }
  }

  async #manageAgain(inheritance: Inheritance): Promise<void> {
    const store = await openNodeStore(this.#parts);
    // From here on nobody else manages. Two that check and build tables would contradict each other.
    this.#management?.halt();
    await this.dataPlane.reclaimKernel?.();
    await this.#manage(store, inheritance);
    this.#phase = "managing";
  }
}

/** A store on this host's disk needs no copy beside it. */
function keepLastApplied({ config, clock, log }: Parts): { readonly lastApplied?: LastApplied } {
  const folder = config.store.kind === "etcd" ? dataFolder(config) : undefined;
  if (folder === undefined) return {};
  return { lastApplied: new LastApplied({ files: new SavedFiles(join(folder, "last-applied")), clock, log }) };
}

type DataPlaneParts = Required<
  Pick<DataPlaneOptions, "clock" | "sessionKey" | "ticketSecret" | "onReport" | "onEjection" | "joinListeners">
> &
  Pick<KernelDataPlaneOptions, "isLinkVip"> & { readonly log: Log };

function createNodeDataPlane(config: Config, parts: DataPlaneParts): DataPlane {
  const { dataPlane } = config;
  const routingFile = dataFile(config, "routing.json");
  return createKernelDataPlane({
    ...parts,
    createWorkers: (onReport) => createDataPlane({ ...parts, workers: dataPlane.workers, onReport }),
    mode: dataPlane.l4,
    node: nodeName(config),
    routeOthers: dataPlane.routeOthers,
    removeOnStop: dataPlane.onStop === "remove",
    ...(routingFile !== undefined && { routingFile }),
  });
}
