import { Code, ConnectError } from "@connectrpc/connect";

import type { ObjectKey, ObjectMeta, Pod, PodFilter, Service, ServiceSource, ServiceStatus } from "../src/index.ts";
import { keyText, READY_CONDITION } from "../src/index.ts";

export const TENANT = { orgId: "acme", projectId: "shop" };

/** Identity of a test's object. */
export const meta = (name: string, more: Partial<ObjectMeta> = {}): ObjectMeta => ({
  ...TENANT,
  namespace: "default",
  name,
  uid: `uid-${name}`,
  labels: {},
  annotations: {},
  finalizers: [],
  ...more,
});

type ServiceInit = Partial<Omit<Service, "meta">> & { readonly meta?: Partial<ObjectMeta> };

/** A Service of type LoadBalancer with port 80 for Pods `app=<name>`. */
export const service = (name: string, { meta: given = {}, ...more }: ServiceInit = {}): Service => ({
  meta: meta(name, given),
  type: "LoadBalancer",
  selector: { app: name },
  ports: [{ name: "", port: 80, targetPort: 8080, protocol: "TCP" }],
  loadBalancerSourceRanges: [],
  sessionAffinity: "None",
  externalTrafficPolicy: "Cluster",
  ingressIps: [],
  conditions: [],
  ...more,
});

/** A Pod that is Ready, with label `app=<app>` and address 10.0.0.<n>. */
export const pod = (
  app: string,
  n: number,
  more: Partial<Omit<Pod, "meta">> & { readonly meta?: Partial<ObjectMeta> } = {},
): Pod => {
  const { meta: given = {}, ...rest } = more;
  return {
    meta: meta(`${app}-${n}`, { labels: { app }, ...given }),
    podIp: `10.0.0.${n}`,
    ready: true,
    namedPorts: {},
    ...rest,
  };
};

/** A host in memory: Services go when they are deleted and have no finalizers. */
export class FakeSource implements ServiceSource {
  readonly services = new Map<string, Service>();
  readonly pods = new Map<string, Pod>();
  readonly calls: string[] = [];
  /** Throws before the call. */
  before: (method: string) => void = () => undefined;
  readonly #watchers = new Set<(key: ObjectKey) => void>();

  put(...objects: readonly (Service | Pod)[]): void {
    for (const object of objects) {
      if ("ports" in object) this.services.set(keyText(object.meta), object);
      else this.pods.set(keyText(object.meta), object);
    }
    for (const key of this.#concerned(objects)) this.#tell(key);
  }

  change(name: string, fields: ServiceInit): void {
    const before = this.service(name);
    if (before === undefined) return;
    const { meta: given = {}, ...more } = fields;
    this.put({ ...before, ...more, meta: { ...before.meta, ...given } });
  }

  service(name: string): Service | undefined {
    return this.services.get(keyText(meta(name)));
  }

  removePod(app: string, n: number): void {
    const known = this.pods.get(keyText(meta(`${app}-${n}`)));
    if (known === undefined) return;
    this.pods.delete(keyText(known.meta));
    for (const key of this.#concerned([known])) this.#tell(key);
  }

  /** Asks for deletion: it goes when it has no finalizers. */
  deleteService(name: string): void {
    const known = this.service(name);
    if (known === undefined) return;
    if (known.meta.finalizers.length > 0) this.change(name, { meta: { deletedAt: "2026-01-01T00:00:00.000Z" } });
    else this.services.delete(keyText(known.meta));
    this.#tell(known.meta);
  }

  listServices(): Promise<readonly Service[]> {
    return this.#answer("listServices", () => [...this.services.values()]);
  }

  getService(key: ObjectKey): Promise<Service | undefined> {
    return this.#answer("getService", () => this.services.get(keyText(key)));
  }

  listPods(filter?: PodFilter): Promise<readonly Pod[]> {
    return this.#answer("listPods", () =>
      [...this.pods.values()].filter(
        ({ meta: { namespace, orgId, projectId, labels } }) =>
          filter === undefined ||
          (filter.namespace === namespace &&
            filter.orgId === orgId &&
            filter.projectId === projectId &&
            Object.entries(filter.selector).every(([key, value]) => labels[key] === value)),
      ),
    );
  }

  async *watch(signal: AbortSignal): AsyncIterable<ObjectKey> {
    const keys: ObjectKey[] = [];
    let wake = Promise.withResolvers<void>();
    const watcher = (key: ObjectKey): void => {
      keys.push(key);
      wake.resolve();
    };
    signal.addEventListener("abort", () => wake.resolve(), { once: true });
    this.#watchers.add(watcher);
    try {
      while (!signal.aborted) {
        await wake.promise;
        wake = Promise.withResolvers<void>();
        yield* keys.splice(0);
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  writeStatus({ meta: seen }: Service, { ingressIps, condition }: ServiceStatus): Promise<void> {
    return this.#answer("writeStatus", () => {
      const known = this.#same(seen);
      const others = known.conditions.filter(({ type }) => type !== READY_CONDITION);
      const conditions = condition === undefined ? others : [...others, condition];
      this.services.set(keyText(known.meta), { ...known, ingressIps, conditions });
    });
  }

  writeFinalizers({ meta: seen }: Service, finalizers: readonly string[]): Promise<void> {
    return this.#answer("writeFinalizers", () => {
      const known = this.#same(seen);
      if (known.meta.deletedAt !== undefined && finalizers.length === 0) this.services.delete(keyText(known.meta));
      else this.services.set(keyText(known.meta), { ...known, meta: { ...known.meta, finalizers } });
    });
  }

  #same(seen: ObjectMeta): Service {
    const known = this.services.get(keyText(seen));
    if (known?.meta.uid !== seen.uid) throw new ConnectError(`Service ${seen.name} is another one`, Code.Aborted);
    return known;
  }

  async #answer<T>(method: string, answer: () => T): Promise<T> {
    this.calls.push(method);
    this.before(method);
    await Promise.resolve();
    return answer();
  }

  #concerned(objects: readonly (Service | Pod)[]): readonly ObjectKey[] {
    return objects.flatMap((object) => {
      if ("ports" in object) return [object.meta];
      const selected = (one: Service): boolean =>
        Object.entries(one.selector).every(([key, value]) => object.meta.labels[key] === value);
      return [...this.services.values()].filter(selected).map((one) => one.meta);
    });
  }

  #tell(key: ObjectKey): void {
    for (const watcher of this.#watchers) watcher(key);
  }
}
