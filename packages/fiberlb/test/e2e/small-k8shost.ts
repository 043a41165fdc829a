import { EventEmitter, once } from "node:events";
import * as http2 from "node:http2";
import type { AddressInfo } from "node:net";

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  type Pod,
  PodSchema,
  PodService,
  type Service,
  ServiceSchema,
  ServiceService,
  WatchEventType,
} from "@fiberlb/api/k8shost";

interface Change {
  readonly type: WatchEventType;
  readonly resourceVersion: bigint;
  readonly service?: Service;
  readonly pod?: Pod;
}

/** As much of k8shost as the controller needs, on a port of the system's choice: two watches and one update. */
export class SmallK8shost {
  url = "";
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #services = new Map<string, Service>();
  readonly #pods = new Map<string, Pod>();
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  #version = 0n;
  readonly #server = http2.createServer(
    connectNodeAdapter({
      routes: (router) => {
        router.service(ServiceService, {
          watchServices: (_request, context) =>
            this.#watch(
              "service",
              [...this.#services.values()].map((service) => ({ service })),
              context,
            ),
          updateService: ({ service, updateMask }) => ({ service: this.#update(service!, updateMask?.paths ?? []) }),
        });
        router.service(PodService, {
          watchPods: (_request, context) =>
            this.#watch(
              "pod",
              [...this.#pods.values()].map((pod) => ({ pod })),
              context,
            ),
        });
      },
    }),
  );

  static async start(): Promise<SmallK8shost> {
    const host = new SmallK8shost();
    host.#server.on("session", (session) => {
      host.#sessions.add(session);
      session.on("close", () => host.#sessions.delete(session));
    });
    await once(host.#server.listen(0, "127.0.0.1"), "listening");
    host.url = `http://127.0.0.1:${(host.#server.address() as AddressInfo).port}`;
    return host;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const session of this.#sessions) session.destroy();
    await closed;
  }

  service(name: string): Service | undefined {
    return this.#services.get(name);
  }

  putService(init: MessageInitShape<typeof ServiceSchema>): void {
    this.#storeService(create(ServiceSchema, init));
  }

  putPod(init: MessageInitShape<typeof PodSchema>): void {
    const pod = create(PodSchema, init);
    pod.metadata!.resourceVersion = ++this.#version;
    this.#pods.set(pod.metadata!.name, pod);
    this.#tell("pod", { type: WatchEventType.MODIFIED, pod });
  }

  deleteService(name: string): void {
    const service = this.#services.get(name)!;
    service.metadata!.deletionTimestamp = timestampFromMs(1_700_000_000_000);
    this.#storeService(service);
  }

  /** An object without finalizers that is to go has gone. */
  #storeService(service: Service): void {
    const { name, deletionTimestamp, finalizers } = service.metadata!;
    service.metadata!.resourceVersion = ++this.#version;
    const isGone = deletionTimestamp !== undefined && finalizers.length === 0;
    if (isGone) this.#services.delete(name);
    else this.#services.set(name, service);
    this.#tell("service", { type: isGone ? WatchEventType.DELETED : WatchEventType.MODIFIED, service });
  }

  #update(given: Service, paths: readonly string[]): Service {
    const service = this.#services.get(given.metadata!.name)!;
    if (paths.includes("status") && given.status !== undefined) service.status = given.status;
    if (paths.includes("metadata.finalizers")) service.metadata!.finalizers = given.metadata!.finalizers;
    this.#storeService(service);
    return service;
  }

  #tell(kind: "service" | "pod", change: Omit<Change, "resourceVersion">): void {
    this.#changes.emit(kind, { ...change, resourceVersion: this.#version });
  }

  async *#watch(
    kind: "service" | "pod",
    existing: readonly object[],
    { signal }: HandlerContext,
  ): AsyncGenerator<Change> {
    const changes = EventEmitter.on(this.#changes, kind, { signal });
    const resourceVersion = this.#version;
    for (const object of existing) yield { type: WatchEventType.ADDED, resourceVersion, ...object };
    yield { type: WatchEventType.BOOKMARK, resourceVersion };
    for await (const [change] of changes) yield change as Change;
  }
}
