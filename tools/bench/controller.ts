import { createFiberlbClient } from "@fiberlb/api";
import {
  createController,
  keyText,
  type ObjectMeta,
  type Pod,
  READY_CONDITION,
  type Service,
  type ServiceSource,
} from "@fiberlb/k8shost-controller";

import type { BenchContext } from "./bench-context.ts";
import { BenchNode } from "./node.ts";
import type { BenchTable } from "./table.ts";

const PODS_EACH = 10;
const TENANT = { orgId: "default", projectId: "default", namespace: "default" } as const;

/** What a pass over everything cost. */
interface Cost {
  readonly calls: number;
  readonly writes: number;
  readonly wallMs: number;
  readonly controllerCpuMs: number;
  readonly nodeCpuMs: number;
  readonly heapMiB: number;
}

/** Services with ten Pods each: the first full reconcile, and a pass that finds nothing to do. */
export async function benchController(
  { quick, progress }: BenchContext,
  options: { size: number },
): Promise<BenchTable> {
  const size = quick ? Math.ceil(options.size / 10) : options.size;
  const node = await BenchNode.start({ store: "memory" });
  try {
    const rows = await measure(node, size, progress);
    return {
      title: `Controller, ${size} Services × ${PODS_EACH} Pods: calls of FiberLB's API, time, CPU, heap`,
      columns: ["pass", "calls", "of these writes", "time", "controller's CPU", "node's CPU", "controller's heap"],
      rows,
      notes: [
        "Controller and node share the machine; the node serves each load balancer, and answers a create when it does.",
        "Heap: of the process that measures, with its 10 Pods a Service, after a garbage collection where that can be asked for.",
      ],
    };
  } finally {
    await node.stop();
  }
}

async function measure(node: BenchNode, size: number, progress: (text: string) => void): Promise<string[][]> {
  const counted = { calls: 0, writes: 0 };
  const fiberlb = createFiberlbClient({
    baseUrl: node.apiUrl,
    interceptors: [
      (next) => (request) => {
        counted.calls += 1;
        if (!/^(Get|List)/.test(request.method.name)) counted.writes += 1;
        return next(request);
      },
    ],
  });
  const source = new ArraySource(size);
  const controller = createController({ source, fiberlb });
  const cost = async (run: () => Promise<unknown>): Promise<Cost> => {
    Object.assign(counted, { calls: 0, writes: 0 });
    const [startMs, cpu, nodeMs] = [performance.now(), process.cpuUsage(), await node.cpuMs()];
    await run();
    const { user, system } = process.cpuUsage(cpu);
    const wallMs = performance.now() - startMs;
    const nodeCpuMs = (await node.cpuMs()) - nodeMs;
    globalThis.gc?.();
    const heapMiB = process.memoryUsage().heapUsed / 2 ** 20;
    return { ...counted, wallMs, controllerCpuMs: (user + system) / 1000, nodeCpuMs, heapMiB };
  };
  try {
    progress(`controller: ${size} Services, first reconcile`);
    const rows = [rowOf("first", await cost(() => controller.reconcileAll()))];
    if (source.ready !== size) throw new Error(`only ${source.ready} of ${size} Services are served`);
    progress("controller: steady passes");
    await controller.reconcileAll();
    rows.push(rowOf("steady", await cost(() => controller.reconcileAll())));
    source.replacePod(0);
    rows.push(rowOf("one Pod for another", await cost(() => controller.reconcile(source.keyOf(0)))));
    const fresh = createController({ source, fiberlb });
    rows.push(rowOf("first of a restarted controller", await cost(() => fresh.reconcileAll())));
    await fresh.stop();
    return rows;
  } finally {
    await controller.stop();
    fiberlb.close();
  }
}

const rowOf = (name: string, { calls, writes, wallMs, controllerCpuMs, nodeCpuMs, heapMiB }: Cost): string[] => [
  name,
  String(calls),
  String(writes),
  seconds(wallMs),
  seconds(controllerCpuMs),
  seconds(nodeCpuMs),
  `${heapMiB.toFixed(0)} MiB`,
];

const seconds = (ms: number): string => (ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`);

/** A host without a network: Services `s0`, `s1`, … and their Pods. */
class ArraySource implements ServiceSource {
  readonly #services = new Map<string, Service>();
  readonly #pods = new Map<string, Pod[]>();

  constructor(size: number) {
    for (let index = 0; index < size; index += 1) {
      const name = `s${index}`;
      const service: Service = {
        meta: metaOf(name, {}),
        type: "LoadBalancer",
        selector: { app: name },
        ports: [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }],
        loadBalancerSourceRanges: [],
        sessionAffinity: "None",
        externalTrafficPolicy: "Cluster",
        ingressIps: [],
        conditions: [],
      };
      this.#services.set(keyText(service.meta), service);
      this.#pods.set(
        name,
        Array.from({ length: PODS_EACH }, (_, pod) => podOf(name, index * PODS_EACH + pod)),
      );
    }
  }

  get ready(): number {
    return [...this.#services.values()].filter(({ ingressIps }) => ingressIps.length === 1).length;
  }

  keyOf(index: number): ObjectMeta {
    return metaOf(`s${index}`, {});
  }

  replacePod(index: number): void {
    const name = `s${index}`;
    this.#pods.get(name)?.splice(0, 1, podOf(name, 60_000 + index));
  }

  listServices = () => Promise.resolve([...this.#services.values()]);
  getService = (key: ObjectMeta) => Promise.resolve(this.#services.get(keyText(key)));
  listPods: ServiceSource["listPods"] = (filter) =>
    Promise.resolve(
      filter === undefined ? [...this.#pods.values()].flat() : (this.#pods.get(filter.selector["app"] ?? "") ?? []),
    );
  async *watch() {}
  writeStatus: ServiceSource["writeStatus"] = ({ meta }, { ingressIps, condition }) => {
    const known = this.#services.get(keyText(meta));
    const others = known?.conditions.filter(({ type }) => type !== READY_CONDITION) ?? [];
    const conditions = condition === undefined ? others : [...others, condition];
    if (known !== undefined) this.#services.set(keyText(meta), { ...known, ingressIps, conditions });
    return Promise.resolve();
  };
  writeFinalizers: ServiceSource["writeFinalizers"] = ({ meta }, finalizers) => {
    const known = this.#services.get(keyText(meta));
    if (known !== undefined) this.#services.set(keyText(meta), { ...known, meta: { ...known.meta, finalizers } });
    return Promise.resolve();
  };
}

const metaOf = (name: string, labels: Readonly<Record<string, string>>): ObjectMeta => ({
  ...TENANT,
  name,
  uid: `uid-${name}`,
  labels,
  annotations: {},
  finalizers: [],
});

const podOf = (app: string, serial: number): Pod => ({
  meta: metaOf(`${app}-${serial}`, { app }),
  podIp: `127.78.${serial >> 8}.${serial & 255}`,
  ready: true,
  namedPorts: {},
});
