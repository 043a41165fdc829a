import { create } from "@bufbuild/protobuf";
import { type CallOptions, Code, ConnectError } from "@connectrpc/connect";
import {
  ConditionSchema,
  ConditionStatus,
  type K8shostClient,
  ObjectMetaSchema,
  type Pod as PodMessage,
  type Service as ServiceMessage,
  ServiceSchema,
} from "@fiberlb/api/k8shost";
import { ORG_HEADER, PROJECT_HEADER } from "@fiberlb/types";

import { type Clock, delay, systemClock } from "../clock.ts";
import { matchesFilter, selects } from "../endpoints.ts";
import type { Log } from "../log.ts";
import { keyText, type ObjectKey, type Pod, READY_CONDITION, type Service, type ServiceStatus } from "../objects.ts";
import type { PodFilter, ServiceSource } from "../source.ts";
import { toPod, toService } from "./from-messages.ts";
import { Mirror, type WatchEvent } from "./mirror.ts";

/** How to follow a k8shost server. */
export interface K8shostSourceOptions {
  /** Its credentials must be an admin's: it follows the objects of all tenants. Stays its owner's. */
  readonly k8shost: K8shostClient;
  /** Default: the machine's own. */
  readonly clock?: Clock;
  /** Default: says nothing. */
  readonly logger?: Log;
}

/** A source that follows a k8shost server over its API. */
export interface K8shostSource extends ServiceSource {
  /** Whether the server has told everything once. */
  readonly isSynced: boolean;
  /** Ends the watches. */
  stop(): Promise<void>;
}

/**
 * Follows Services and Pods of a k8shost server. Reads are answered from what two watches have told, and wait until both have
 * told everything once; writes go to the server.
 */
export function createK8shostSource(options: K8shostSourceOptions): K8shostSource {
  return new WatchingSource(options);
}

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };
/** Of one write. */
const CALL_TIMEOUT_MS = 10_000;
/** How long a read waits for the first listing. */
const SYNC_TIMEOUT_MS = 10_000;

interface ServiceEntry {
  readonly service: Service;
  readonly message: ServiceMessage;
}

class WatchingSource implements K8shostSource {
  readonly #client: K8shostClient;
  readonly #clock: Clock;
  readonly #services: Mirror<ServiceMessage, ServiceEntry>;
  readonly #pods: Mirror<PodMessage, Pod>;
  readonly #ending = new AbortController();
  readonly #watchers = new Set<(key: ObjectKey) => void>();
  readonly #runs: Promise<unknown>;

  constructor({ k8shost, clock = systemClock, logger: log = SILENT }: K8shostSourceOptions) {
    this.#client = k8shost;
    this.#clock = clock;
    this.#services = new Mirror<ServiceMessage, ServiceEntry>({
      what: "Services",
      watch: (resourceVersion, signal) => this.#watchServices(resourceVersion, signal),
      toItem: (message) => ({ service: toService(message), message }),
      keyOf: ({ service }) => service.meta,
      versionOf: ({ metadata }) => metadata?.resourceVersion ?? 0n,
      onChange: (before, after) => this.#tell([before?.service.meta, after?.service.meta]),
      clock,
      log,
    });
    this.#pods = new Mirror<PodMessage, Pod>({
      what: "Pods",
      watch: (resourceVersion, signal) => this.#watchPods(resourceVersion, signal),
      toItem: toPod,
      keyOf: ({ meta }) => meta,
      versionOf: ({ metadata }) => metadata?.resourceVersion ?? 0n,
      onChange: (before, after) => this.#tellSelectors([before, after]),
      clock,
      log,
    });
    this.#runs = Promise.all([this.#services.run(this.#ending.signal), this.#pods.run(this.#ending.signal)]);
  }

  get isSynced(): boolean {
    return this.#services.isSynced && this.#pods.isSynced;
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#runs;
  }

  async listServices(): Promise<readonly Service[]> {
    await this.#synced();
    return this.#services.values().map(({ service }) => service);
  }

  async getService(key: ObjectKey): Promise<Service | undefined> {
    await this.#synced();
    return this.#services.get(key)?.service;
  }

  async listPods(filter?: PodFilter): Promise<readonly Pod[]> {
    await this.#synced();
    return this.#pods.values().filter((pod) => matchesFilter(pod, filter));
  }

  async *watch(signal: AbortSignal): AsyncIterable<ObjectKey> {
    const keys = new Map<string, ObjectKey>();
    let wake = Promise.withResolvers<void>();
    const watcher = (key: ObjectKey): void => {
      keys.set(keyText(key), key);
      wake.resolve();
    };
    const end = (): void => wake.resolve();
    const ended = AbortSignal.any([signal, this.#ending.signal]);
    ended.addEventListener("abort", end, { once: true });
    this.#watchers.add(watcher);
    try {
      while (!ended.aborted) {
        await wake.promise;
        wake = Promise.withResolvers<void>();
        const changed = [...keys.values()];
        keys.clear();
        yield* changed;
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  async writeStatus({ meta }: Service, { ingressIps, condition }: ServiceStatus): Promise<void> {
    const known = this.#services.get(meta)?.message;
    const conditions = (known?.status?.conditions ?? []).filter(({ type }) => type !== READY_CONDITION);
    if (condition !== undefined) {
      const { type, reason, message } = condition;
      const status = { True: ConditionStatus.TRUE, False: ConditionStatus.FALSE, Unknown: ConditionStatus.UNKNOWN };
      conditions.push(create(ConditionSchema, { type, reason, message, status: status[condition.status] }));
    }
    const status = { loadBalancer: { ingress: ingressIps.map((ip) => ({ ip })) }, conditions };
    await this.#update(known, { status }, ["status"], meta);
  }

  async writeFinalizers({ meta }: Service, finalizers: readonly string[]): Promise<void> {
    const known = this.#services.get(meta)?.message;
    await this.#update(known, { finalizers: [...finalizers] }, ["metadata.finalizers"], meta);
  }

  /** With the version that the mirror has: whoever wrote since then is not overwritten, and a Service made anew not touched. */
  async #update(
    known: ServiceMessage | undefined,
    { status, finalizers = [] }: { readonly status?: object; readonly finalizers?: string[] },
    paths: string[],
    { namespace, name, orgId, projectId }: ObjectKey,
  ): Promise<void> {
    const resourceVersion = known?.metadata?.resourceVersion ?? 0n;
    const metadata = create(ObjectMetaSchema, { namespace, name, resourceVersion, finalizers });
    const service = create(ServiceSchema, { metadata, ...(status !== undefined && { status }) });
    const headers = { [ORG_HEADER]: orgId, [PROJECT_HEADER]: projectId };
    const options: CallOptions = { headers, timeoutMs: CALL_TIMEOUT_MS, signal: this.#ending.signal };
    const answer = await this.#client.services.updateService({ service, updateMask: { paths } }, options);
    if (answer.service !== undefined) this.#services.put(answer.service);
  }

  /** @throws ConnectError Unavailable when the server has not told everything once within a while */
  async #synced(): Promise<void> {
    if (this.isSynced) return;
    const patience = new AbortController();
    const signal = AbortSignal.any([this.#ending.signal, patience.signal]);
    const synced = Promise.all([this.#services.synced, this.#pods.synced]).then(() => true);
    const isSynced = await Promise.race([synced, delay(this.#clock, SYNC_TIMEOUT_MS, signal).then(() => false)]);
    patience.abort();
    if (!isSynced) throw new ConnectError("k8shost has not listed its Services and Pods yet", Code.Unavailable);
  }

  async *#watchServices(resourceVersion: bigint, signal: AbortSignal): AsyncIterable<WatchEvent<ServiceMessage>> {
    const events = this.#client.services.watchServices({ allTenants: true, resourceVersion }, { signal });
    for await (const { type, service: object, resourceVersion: at } of events)
      yield { type, object, resourceVersion: at };
  }

  async *#watchPods(resourceVersion: bigint, signal: AbortSignal): AsyncIterable<WatchEvent<PodMessage>> {
    const events = this.#client.pods.watchPods({ allTenants: true, resourceVersion }, { signal });
    for await (const { type, pod: object, resourceVersion: at } of events) yield { type, object, resourceVersion: at };
  }

  /** Services that select the Pod as it was, or as it is now. */
  #tellSelectors(pods: readonly (Pod | undefined)[]): void {
    // What the first listing names is looked at as a whole anyway.
    if (!this.#pods.isSynced) return;
    const known = pods.filter((pod) => pod !== undefined);
    for (const { service } of this.#services.values()) {
      if (known.some((pod) => selects(service, pod))) this.#tell([service.meta]);
    }
  }

  #tell(keys: readonly (ObjectKey | undefined)[]): void {
    for (const key of keys) {
      if (key === undefined) continue;
      const { orgId, projectId, namespace, name } = key;
      for (const watcher of this.#watchers) watcher({ orgId, projectId, namespace, name });
    }
  }
}
