import type {
  ActualBackend,
  ActualHealthCheck,
  ActualListener,
  ActualLoadBalancer,
  ActualPool,
} from "../src/actual.ts";
import { type Surroundings, wantedOf } from "../src/desired.ts";
import type { Pod, Service } from "../src/objects.ts";
import { type Operation } from "../src/operations.ts";
import { plan } from "../src/plan.ts";

export const OWNER = "k8shost/default";

const common = (id: string, name: string, tags: Readonly<Record<string, string>> = {}) => ({
  id,
  name,
  revision: 7,
  tags,
});

/** Tags of what the controller made for Service default/web. */
export const tags = (port?: string): Readonly<Record<string, string>> => ({
  "fiberlb.io/managed-by": OWNER,
  "fiberlb.io/service": "default/web",
  "fiberlb.io/service-uid": "uid-web",
  ...(port !== undefined && { "fiberlb.io/service-port": port }),
});

export const backend = (n: number, more: Partial<ActualBackend> = {}): ActualBackend => {
  const { address = `10.0.0.${n}`, port = 8080 } = more;
  return {
    ...common(`b${n}`, `web-${n}@${address}:${port}`, tags("TCP/80")),
    poolId: "p1",
    address,
    port,
    weight: 1,
    monitorPort: 0,
    ...more,
  };
};

export const pool = (more: Partial<ActualPool> = {}, fields: object = {}): ActualPool => ({
  ...common("p1", "tcp-80", tags("TCP/80")),
  loadBalancerId: "lb1",
  fields: { protocol: "TCP", algorithm: "MAGLEV", sendProxyProtocol: "NONE", drainTimeoutS: 30, ...fields },
  backends: [backend(1)],
  healthCheck: undefined,
  ...more,
});

export const healthCheck = (more: Partial<ActualHealthCheck> = {}, fields: object = {}): ActualHealthCheck => ({
  ...common("h1", "health-check-1", tags("TCP/80")),
  poolId: "p1",
  fields: { type: "TCP", intervalMs: 5000, timeoutMs: 2000, rise: 2, fall: 3, ...fields },
  ...more,
});

export const listener = (more: Partial<ActualListener> = {}, fields: object = {}): ActualListener => ({
  ...common("l1", "tcp-80", tags("TCP/80")),
  loadBalancerId: "lb1",
  defaultPoolId: "p1",
  fields: { protocol: "TCP", port: 80, allowedCidrs: [], certificateIds: [], connectionLimit: 0, ...fields },
  ...more,
});

/** What the controller makes of `service("web")` with one Pod. */
export const loadBalancer = (more: Partial<ActualLoadBalancer> = {}): ActualLoadBalancer => ({
  ...common("lb1", "k8s-default-web-0", tags()),
  vipAddress: "127.10.0.1",
  vipPool: "default",
  provisioningStatus: "ACTIVE",
  statusReason: "",
  listeners: [listener()],
  pools: [pool()],
  ...more,
});

export interface PlanCase {
  readonly service: Service;
  readonly pods?: readonly Pod[];
  readonly actual?: readonly ActualLoadBalancer[];
  readonly certificates?: Surroundings["certificates"];
}

/** The plan as texts, in order: `create backend web-2@10.0.0.2:8080 {…}` with the fields that matter. */
export function planned({ service, pods = [], actual = [], certificates = new Map() }: PlanCase): readonly string[] {
  const wanted = wantedOf(service, pods, { loadBalancerClass: "fiberlb.io/fiberlb", certificates });
  const { meta, ingressIps: shownIps } = service;
  return plan({ meta, owner: OWNER, wanted, actual, shownIps }).map(show);
}

/** What is wrong with the Service. */
export function problemsOf({ service, pods = [], certificates = new Map() }: PlanCase): readonly string[] {
  const wanted = wantedOf(service, pods, { loadBalancerClass: "fiberlb.io/fiberlb", certificates });
  return wanted.kind === "endpoints" ? wanted.problems.map((problem) => problem.text) : [];
}

function show(operation: Operation): string {
  const { type, kind } = operation;
  if (type === "delete") return `delete ${kind} ${operation.id}`;
  const { tags: _, name, ...rest } = operation.fields;
  const what = type === "update" ? operation.id : name === undefined ? "" : text(name);
  const fields = type === "create" || name === undefined ? rest : { name, ...rest };
  const shown = Object.entries(fields).map(([key, value]) => `${key}=${text(value)}`);
  return [type, kind, what, ...shown].filter((part) => part !== "").join(" ");
}

function text(value: unknown): string {
  if (value === undefined) return "default";
  if (typeof value === "object" && value !== null && "ref" in value) return `<${String(value.ref).trim()}>`;
  return typeof value === "string" ? value : JSON.stringify(value);
}
