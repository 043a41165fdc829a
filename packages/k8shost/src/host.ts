import { create } from "@bufbuild/protobuf";
import { describeError, type FiberlbClient } from "@fiberlb/api";
import { type K8shostClient, type ResourceAmounts, ResourceAmountsSchema } from "@fiberlb/api/k8shost";
import {
  type Controller,
  type ControllerSettings,
  createController,
  createK8shostSource,
  type K8shostSource,
  type Log,
  type Random,
  systemRandom,
} from "@fiberlb/k8shost-controller";
import type { Store } from "@fiberlb/store";

import { ApiServer, type ServerTls } from "./api/api-server.ts";
import { createEmbeddedClient } from "./api/embedded-client.ts";
import type { ApiParts } from "./api/parts.ts";
import { type Authenticator, openAuthenticator } from "./auth/authenticator.ts";
import { type Clock, systemClock } from "./clock.ts";
import type { Loop } from "./loops/loop.ts";
import { createLoops } from "./loops/loops.ts";
import { ObjectCache, type View } from "./objects/cache.ts";
import { ClusterIps } from "./objects/cluster-ips.ts";
import { DEPLOYMENTS, NODES, PODS, SERVICES } from "./objects/kinds.ts";
import { nodeRules } from "./objects/nodes.ts";
import { ObjectStore } from "./objects/object-store.ts";
import { Resources } from "./objects/resources.ts";
import { deploymentRules, podRules, serviceRules } from "./objects/rules-by-kind.ts";
import type { Strategy } from "./scheduler/decide.ts";
import { hasEnded, podRequests } from "./scheduler/requests.ts";

/** What a host is made of. */
export interface K8shostOptions {
  /**
   * The FiberLB that Services of type LoadBalancer are made in; its credentials must allow to act for all tenants. Stays its
   * owner's. Absent: no controller runs here.
   */
  readonly fiberlb?: FiberlbClient;
  /** How the controller behaves. */
  readonly controller?: ControllerSettings;
  /** Stays its owner's: `stop` leaves it open. */
  readonly store: Store;
  /** Default: everybody is an admin, on loopback addresses only. */
  readonly authenticator?: Authenticator;
  /** Absent: cleartext. */
  readonly tls?: ServerTls;
  /** IPv4 network of cluster IPs. Default 10.96.0.0/16. */
  readonly serviceCidr?: string;
  /** Whether this process schedules Pods and keeps Deployments, or serves the API alone. Exactly one should. Default true. */
  readonly runsLoops?: boolean;
  /** Where Pods go among nodes that they fit on. Default spread. */
  readonly strategy?: Strategy;
  /** Default: the machine's own. */
  readonly clock?: Clock;
  /** Default: the machine's own. */
  readonly random?: Random;
  /** Default: says nothing. */
  readonly logger?: Log;
}

/** An API server for Pods, Services, Deployments and nodes. */
export interface K8shost {
  /** The API without a network: an admin of default/default, or of the tenant that a call's headers name. */
  readonly client: K8shostClient;
  /** Reads the store and begins to work. Rejects when the store cannot be read. */
  start(): Promise<void>;
  /**
   * Serves the API; port 0 is any free one. Rejects with the system's error, and when everybody would be an admin at an
   * address that others can reach.
   */
  listen(options?: {
    readonly host?: string;
    readonly port?: number;
  }): Promise<{ readonly host: string; readonly port: number }>;
  /** Ends watches, lets calls finish for up to `graceMs` milliseconds (default 1000), stops the loops. */
  stop(options?: { readonly graceMs?: number }): Promise<void>;
}

/** Port of the API when nothing else is said. */
export const DEFAULT_PORT = 6443;
const DEFAULT_GRACE_MS = 1000;
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** Puts a host together; nothing runs before `start`. */
export function createK8shost(options: K8shostOptions): K8shost {
  return new Host(options);
}

interface RunningController {
  readonly source: K8shostSource;
  readonly controller: Controller;
}

class Host implements K8shost {
  readonly #authenticator: Authenticator;
  readonly #cache: ObjectCache;
  readonly #api: ApiServer;
  readonly #loops: readonly Loop[];
  readonly #openController: () => RunningController | undefined;
  #running: RunningController | undefined;
  readonly client: K8shostClient;

  constructor(options: K8shostOptions) {
    const { store, tls, clock = systemClock, random = systemRandom, logger: log = SILENT } = options;
    this.#authenticator = options.authenticator ?? openAuthenticator;
    this.#cache = new ObjectCache(store, { clock, log });
    const parts = this.#parts(options, { clock, random });
    const { runsLoops = true, strategy = "spread" } = options;
    this.#loops = !runsLoops ? [] : createLoops({ ...parts, cache: this.#cache }, { random, log, strategy });
    const onUnexpected = (error: unknown, method: string): void =>
      log.error("call failed", { method, error: describeError(error) });
    this.client = createEmbeddedClient(parts, onUnexpected);
    const { fiberlb, controller: settings = {} } = options;
    this.#openController = () => {
      if (fiberlb === undefined || !runsLoops) return undefined;
      const source = createK8shostSource({ k8shost: this.client, clock, logger: log });
      return {
        source,
        controller: createController({ source, fiberlb, clock, random, logger: log, options: settings }),
      };
    };
    this.#api = new ApiServer({
      parts,
      authenticator: this.#authenticator,
      clock,
      tls,
      onUnexpected,
    });
  }

  async start(): Promise<void> {
    await this.#cache.start();
    for (const loop of this.#loops) loop.start();
    this.#running = this.#openController();
    this.#running?.controller.start();
  }

  async listen({ host = "127.0.0.1", port = DEFAULT_PORT } = {}): Promise<{ host: string; port: number }> {
    if (this.#authenticator.isOpen && !isLoopback(host))
      throw new Error(`Cannot listen on ${host}: everybody who reaches it would be an admin; use tokens, or 127.0.0.1`);
    const { address, port: bound } = await this.#api.listen(port, host);
    return { host: address, port: bound };
  }

  async stop({ graceMs = DEFAULT_GRACE_MS } = {}): Promise<void> {
    const closed = this.#api.close(graceMs);
    // The source first: nobody has to wait for what it would have told.
    await this.#running?.source.stop();
    await this.#running?.controller.stop();
    const stopping = this.#loops.map((loop) => loop.stop());
    // Loops may be waiting for what the cache will not tell any more.
    await this.#cache.stop();
    await Promise.all(stopping);
    await closed;
  }

  #parts({ store, serviceCidr }: K8shostOptions, { clock, random }: { clock: Clock; random: Random }): ApiParts {
    const ips = new ClusterIps(store, {
      ...(serviceCidr !== undefined && { cidr: serviceCidr }),
      fraction: () => random.fraction(),
    });
    const shared = { objects: new ObjectStore(store), clock, random };
    return {
      ...shared,
      pods: new Resources({ ...shared, kind: PODS, rules: podRules, nameRule: "subdomain" }),
      services: new Resources({ ...shared, kind: SERVICES, rules: serviceRules(ips), nameRule: "label" }),
      deployments: new Resources({ ...shared, kind: DEPLOYMENTS, rules: deploymentRules, nameRule: "label" }),
      nodes: new Resources({ ...shared, kind: NODES, rules: nodeRules, nameRule: "subdomain" }),
      requestedOn: (nodeName) => requestedOn(this.#cache.view, nodeName),
    };
  }
}

function requestedOn({ pods }: View, nodeName: string): ResourceAmounts {
  const sum = create(ResourceAmountsSchema);
  for (const pod of pods.values()) {
    if (pod.spec?.nodeName !== nodeName || hasEnded(pod)) continue;
    const { cpuMillis, memoryBytes } = podRequests(pod);
    sum.cpuMillis += cpuMillis;
    sum.memoryBytes += memoryBytes;
  }
  return sum;
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
