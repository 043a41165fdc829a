import { clone, create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, createRouterTransport, type HandlerContext } from "@connectrpc/connect";
import {
  type K8shostClient,
  type Pod,
  PodSchema,
  PodService,
  type Service,
  ServiceSchema,
  ServiceService,
  WatchEventType,
} from "@fiberlb/api/k8shost";

type AnyObject = Service | Pod;

interface Change<O> {
  readonly type: WatchEventType;
  readonly object: O;
  readonly resourceVersion: bigint;
}

/** Objects of one kind, what happened to them, and who watches. */
class Table<O extends AnyObject> {
  readonly objects = new Map<string, O>();
  readonly history: Change<O>[] = [];
  oldest = 0n;
  #wake = Promise.withResolvers<void>();
  #epoch = 0;
  watches = 0;

  record(type: WatchEventType, object: O): void {
    const key = `${object.metadata?.namespace}/${object.metadata?.name}`;
    if (type === WatchEventType.DELETED) this.objects.delete(key);
    else this.objects.set(key, object);
    this.history.push({ type, object, resourceVersion: object.metadata?.resourceVersion ?? 0n });
    this.#wakeAll();
  }

  /** Ends every watch. */
  breakOff(): void {
    this.#epoch += 1;
    this.#wakeAll();
  }

  #wakeAll(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  async *watch(since: bigint, now: () => bigint, { signal }: HandlerContext): AsyncGenerator<Partial<Change<O>>> {
    this.watches += 1;
    const epoch = this.#epoch;
    if (since !== 0n && since < this.oldest) throw new ConnectError("too old", Code.OutOfRange);
    let at = since;
    if (since === 0n) {
      at = now();
      for (const object of this.objects.values()) yield { type: WatchEventType.ADDED, object, resourceVersion: at };
      yield { type: WatchEventType.BOOKMARK, resourceVersion: at };
    }
    signal.addEventListener("abort", () => this.#wakeAll(), { once: true });
    while (!signal.aborted) {
      if (epoch !== this.#epoch) throw new ConnectError("going away", Code.Unavailable);
      const next = this.history.find(({ resourceVersion }) => resourceVersion > at);
      if (next === undefined) {
        await this.#wake.promise;
        continue;
      }
      at = next.resourceVersion;
      yield next;
    }
  }
}

/** k8shost's API in memory, as far as the controller uses it. */
export class FakeK8shost {
  readonly services = new Table<Service>();
  readonly pods = new Table<Pod>();
  readonly client: K8shostClient;
  readonly updates: string[] = [];
  #version = 0n;

  constructor() {
    const transport = createRouterTransport(({ service }) => {
      service(ServiceService, {
        watchServices: ({ resourceVersion }, context) => this.#watchServices(resourceVersion, context),
        updateService: ({ service: given, updateMask }) => ({ service: this.#update(given!, updateMask?.paths ?? []) }),
      });
      service(PodService, { watchPods: ({ resourceVersion }, context) => this.#watchPods(resourceVersion, context) });
    });
    const clients = { services: createClient(ServiceService, transport), pods: createClient(PodService, transport) };
    this.client = clients as unknown as K8shostClient;
  }

  putService(init: MessageInitShape<typeof ServiceSchema>): void {
    const message = create(ServiceSchema, init);
    message.metadata!.resourceVersion = ++this.#version;
    this.services.record(WatchEventType.MODIFIED, message);
  }

  putPod(init: MessageInitShape<typeof PodSchema>): void {
    const message = create(PodSchema, init);
    message.metadata!.resourceVersion = ++this.#version;
    this.pods.record(WatchEventType.MODIFIED, message);
  }

  /** Marks it; it goes when it has no finalizers. */
  deleteService(name: string): void {
    const known = clone(ServiceSchema, this.services.objects.get(`default/${name}`)!);
    known.metadata!.resourceVersion = ++this.#version;
    known.metadata!.deletionTimestamp = timestampFromMs(1_700_000_000_000);
    const isHeld = known.metadata!.finalizers.length > 0;
    this.services.record(isHeld ? WatchEventType.MODIFIED : WatchEventType.DELETED, known);
  }

  deletePod(name: string): void {
    const known = clone(PodSchema, this.pods.objects.get(`default/${name}`)!);
    known.metadata!.resourceVersion = ++this.#version;
    this.pods.record(WatchEventType.DELETED, known);
  }

  /** Forgets what happened, as a store does when it compacts. */
  compact(): void {
    for (const table of [this.services, this.pods]) {
      table.oldest = this.#version + 1n;
      table.history.length = 0;
    }
    this.#version += 1n;
  }

  #update(given: Service, paths: readonly string[]): Service {
    const { namespace, name, resourceVersion } = given.metadata!;
    this.updates.push(`${namespace}/${name} ${paths.join()}`);
    const known = clone(ServiceSchema, this.services.objects.get(`${namespace}/${name}`)!);
    if (resourceVersion !== known.metadata!.resourceVersion) throw new ConnectError("has changed", Code.Aborted);
    if (paths.includes("status") && given.status !== undefined) known.status = given.status;
    if (paths.includes("metadata.finalizers")) known.metadata!.finalizers = given.metadata!.finalizers;
    known.metadata!.resourceVersion = ++this.#version;
    const isGone = known.metadata!.deletionTimestamp !== undefined && known.metadata!.finalizers.length === 0;
    this.services.record(isGone ? WatchEventType.DELETED : WatchEventType.MODIFIED, known);
    return known;
  }

  async *#watchServices(since: bigint, context: HandlerContext) {
    for await (const { object: service, ...event } of this.services.watch(since, () => this.#version, context)) {
      yield { ...event, ...(service !== undefined && { service }) };
    }
  }

  async *#watchPods(since: bigint, context: HandlerContext) {
    for await (const { object: pod, ...event } of this.pods.watch(since, () => this.#version, context)) {
      yield { ...event, ...(pod !== undefined && { pod }) };
    }
  }
}
