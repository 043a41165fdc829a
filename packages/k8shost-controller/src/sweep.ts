import { type ActualLoadBalancer, isLeaving } from "./actual.ts";
import { namesCertificates, wantedOf, wantsLoadBalancer } from "./desired.ts";
import {
  describeKey,
  FINALIZER,
  keyText,
  type ObjectKey,
  type Pod,
  type Service,
  type Tenant,
  tenantText,
} from "./objects.ts";
import { serviceIn } from "./ownership.ts";
import { plan } from "./plan.ts";
import { PodIndex } from "./pod-index.ts";
import { readAll } from "./read-actual.ts";
import { type Reconciler, statusFor } from "./reconciler.ts";
import { showsStatus } from "./status.ts";

/** What a look at everything found. */
export interface Sweep {
  /** Services that have, or want, a load balancer. */
  readonly services: number;
  /** Those that something is to be done for. */
  readonly due: readonly ObjectKey[];
  /** Tenants whose load balancers could not be read. */
  readonly failures: readonly { readonly tenant: Tenant; readonly error: unknown }[];
}

/**
 * Compares all Services with all of FiberLB, each kind listed once per tenant, and changes nothing: what is to be done is done
 * key by key, from what there is then. It finds what no change told of: somebody's hand, a lost event, a load balancer whose
 * Service has gone.
 *
 * @param tenants beside those that Services belong to
 */
export async function sweep(reconciler: Reconciler, tenants: readonly Tenant[]): Promise<Sweep> {
  const { source } = reconciler.options;
  const [services, pods] = await Promise.all([source.listServices(), source.listPods()]);
  const byTenant = Map.groupBy(services, ({ meta }) => tenantText(meta));
  const known = new Map([...tenants, ...services.map(({ meta }) => meta)].map((one) => [tenantText(one), one]));
  const podIndex = new PodIndex(pods);
  const due: ObjectKey[] = [];
  const failures: { tenant: Tenant; error: unknown }[] = [];
  for (const [text, { orgId, projectId }] of known) {
    const tenant = { orgId, projectId };
    try {
      due.push(...(await sweepTenant(reconciler, { tenant, services: byTenant.get(text) ?? [], podIndex })));
    } catch (error) {
      failures.push({ tenant, error });
    }
  }
  const concerned = services.filter((one) => isConcerned(one, reconciler));
  return { services: concerned.length, due, failures };
}

const isConcerned = (service: Service, { options }: Reconciler): boolean =>
  wantsLoadBalancer(service, options.loadBalancerClass) || service.meta.finalizers.includes(FINALIZER);

interface TenantSweep {
  readonly tenant: Tenant;
  readonly services: readonly Service[];
  readonly podIndex: PodIndex;
}

async function sweepTenant(
  reconciler: Reconciler,
  { tenant, services, podIndex }: TenantSweep,
): Promise<readonly ObjectKey[]> {
  const { options, cache, index } = reconciler;
  const concerned = services.filter((one) => isConcerned(one, reconciler));
  const api = reconciler.apiOf(tenant);
  const [actual, certificates] = await Promise.all([
    readAll(api, { owner: options.owner, cache }),
    concerned.some(namesCertificates) ? reconciler.certificatesOf(api) : new Map<string, string>(),
  ]);
  const owned = byService(tenant, actual);
  for (const { key, loadBalancers } of owned.values()) for (const { id } of loadBalancers) index.add(key, id);
  index.markComplete(tenant);
  const serviceTexts = new Set(concerned.map(({ meta }) => keyText(meta)));
  const orphans = [...owned].filter(([text]) => !serviceTexts.has(text)).map(([, { key }]) => key);
  const due = concerned.filter((service) => {
    const { loadBalancers = [] } = owned.get(keyText(service.meta)) ?? {};
    return isDue(service, { reconciler, pods: podIndex.selectedBy(service), certificates, loadBalancers });
  });
  return [...orphans, ...due.map(({ meta }) => keyOf(meta))];
}

interface Owned {
  readonly key: ObjectKey;
  readonly loadBalancers: ActualLoadBalancer[];
}

function byService(tenant: Tenant, loadBalancers: readonly ActualLoadBalancer[]): ReadonlyMap<string, Owned> {
  const found = new Map<string, Owned>();
  for (const loadBalancer of loadBalancers) {
    const service = serviceIn(loadBalancer.tags);
    if (service === undefined) continue;
    const key = { ...tenant, ...service };
    const text = keyText(key);
    const known = found.get(text);
    if (known === undefined) found.set(text, { key, loadBalancers: [loadBalancer] });
    else known.loadBalancers.push(loadBalancer);
  }
  return found;
}

interface Surroundings {
  readonly reconciler: Reconciler;
  readonly pods: readonly Pod[];
  readonly certificates: ReadonlyMap<string, string>;
  readonly loadBalancers: readonly ActualLoadBalancer[];
}

/** Whether a run would find something to do. */
function isDue(service: Service, { reconciler, pods, certificates, loadBalancers: actual }: Surroundings): boolean {
  const { loadBalancerClass, owner } = reconciler.options;
  const { meta, ingressIps: shownIps } = service;
  const wanted = wantedOf(service, pods, { loadBalancerClass, certificates });
  const isHeld = meta.finalizers.includes(FINALIZER);
  if (wanted.kind === "nothing") return isHeld || actual.length > 0;
  if (!isHeld || plan({ meta, owner, wanted, actual, shownIps }).length > 0) return true;
  const { status, isSettled } = statusFor(service, { wanted, now: actual, failure: undefined });
  return !isSettled || actual.some(isLeaving) || !showsStatus(service, status);
}

const keyOf = ({ orgId, projectId, namespace, name }: ObjectKey): ObjectKey => ({ orgId, projectId, namespace, name });

/** For logs. */
export const describeSweep = ({ services, due, failures }: Sweep) => ({
  services,
  due: due.length,
  ...(due.length > 0 && { first: due.slice(0, 5).map(describeKey) }),
  failedTenants: failures.length,
});
