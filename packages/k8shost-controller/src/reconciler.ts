import { Code } from "@connectrpc/connect";
import type { FiberlbClient } from "@fiberlb/api";

import { type ActualLoadBalancer, isLeaving } from "./actual.ts";
import { apply } from "./apply.ts";
import { namesCertificates, type Wanted, wantedOf, wantsLoadBalancer } from "./desired.ts";
import { EntityCache } from "./entity-cache.ts";
import { codeOf, failureOf } from "./failure.ts";
import { findOwned } from "./find-owned.ts";
import {
  FINALIZER,
  keyText,
  type ObjectKey,
  type ObjectMeta,
  READY_CONDITION,
  type Service,
  type Tenant,
} from "./objects.ts";
import { OwnershipIndex } from "./ownership-index.ts";
import { SERVICE_UID } from "./ownership.ts";
import { currentOf, LOAD_BALANCER_REF, plan } from "./plan.ts";
import type { Problem } from "./problem.ts";
import type { Failure } from "./reason.ts";
import type { ServiceSource } from "./source.ts";
import { NO_STATUS, showsStatus, statusOf } from "./status.ts";
import { TenantApi } from "./tenant-api.ts";

/** What one look at a Service came to. */
export interface Outcome {
  /**
   * `unchanged`: all was as wanted; `changed`: now it is; `waiting`: the data plane, or a deletion, is under way; `failed`:
   * something was refused or not reached.
   */
  readonly result: "unchanged" | "changed" | "waiting" | "failed";
  /** Calls planned. */
  readonly operations: number;
  readonly failure?: Failure;
}

/** What the reconciler works with. */
export interface ReconcilerOptions {
  readonly source: ServiceSource;
  readonly fiberlb: FiberlbClient;
  /** Value of the tag `fiberlb.io/managed-by`. */
  readonly owner: string;
  readonly loadBalancerClass: string;
  readonly uuid: () => string;
  /** Ends calls that are under way. */
  readonly signal: AbortSignal;
}

/** Makes FiberLB as one Service wants it, from what there is: it remembers nothing that it would need. */
export class Reconciler {
  readonly options: ReconcilerOptions;
  readonly index = new OwnershipIndex();
  readonly cache = new EntityCache();
  readonly #running = new Map<string, Promise<unknown>>();

  constructor(options: ReconcilerOptions) {
    this.options = options;
  }

  /** Reads afresh, plans, applies, writes the status if it changed. Runs of one key come one after another. */
  async reconcile(key: ObjectKey): Promise<Outcome> {
    const text = keyText(key);
    const before = this.#running.get(text) ?? Promise.resolve();
    const run = before.then(() => this.#reconcile(key));
    const settled = run.then(
      () => undefined,
      () => undefined,
    );
    this.#running.set(text, settled);
    try {
      return await run;
    } finally {
      if (this.#running.get(text) === settled) this.#running.delete(text);
    }
  }

  apiOf(tenant: Tenant): TenantApi {
    return new TenantApi(this.options.fiberlb, tenant, this.options.signal);
  }

  async #reconcile(key: ObjectKey): Promise<Outcome> {
    let service: Service | undefined;
    try {
      service = await this.options.source.getService(key);
      return service !== undefined && wantsLoadBalancer(service, this.options.loadBalancerClass)
        ? await this.#provide(service)
        : await this.#withdraw(key, service);
    } catch (error) {
      const failure = failureOf(error);
      // Somebody else wrote at the same time: the next look will see what.
      if (service !== undefined && codeOf(error) !== Code.Aborted) await this.#tellFailure(service, failure);
      return { result: "failed", operations: 0, failure };
    }
  }

  async #provide(service: Service): Promise<Outcome> {
    const { source, owner, uuid } = this.options;
    const { meta, ingressIps: shownIps } = service;
    const api = this.apiOf(meta);
    // Before anything is made: whoever deletes the Service from now on waits until it is unmade.
    const isHeld = meta.finalizers.includes(FINALIZER);
    if (!isHeld) await source.writeFinalizers(service, [...meta.finalizers, FINALIZER]);
    const wanted = await this.#wantedOf(service, api);
    const find = { key: meta, meta, wanted, owner, index: this.index, cache: this.cache };
    const actual = await findOwned(api, find);
    const operations = plan({ meta, owner, wanted, actual, shownIps });
    const { failures, ids } = await apply(operations, { api, uuid });
    const made = ids.get(LOAD_BALANCER_REF);
    if (made !== undefined) this.index.add(meta, made);
    const now = operations.length === 0 ? actual : await findOwned(api, { ...find, isShallow: true });
    const [first] = failures;
    const failure = first === undefined ? undefined : failureOf(first);
    const isShown = await this.#writeStatus(service, { wanted, now, failure });
    return outcomeOf({ failure, operations: operations.length, isWaiting: !isShown, isWritten: !isHeld });
  }

  /** The Service is gone, or wants no load balancer: so do its load balancer, and then the finalizer. */
  async #withdraw(key: ObjectKey, service: Service | undefined): Promise<Outcome> {
    const { source, owner, uuid } = this.options;
    const isHeld = service?.meta.finalizers.includes(FINALIZER) === true;
    if (service !== undefined && !isHeld && this.index.idsOf(key).length === 0)
      return { result: "unchanged", operations: 0 };
    const api = this.apiOf(key);
    const meta: ObjectMeta = service?.meta ?? { ...key, uid: "", labels: {}, annotations: {}, finalizers: [] };
    const wanted: Wanted = { kind: "nothing" };
    const find = { key, meta, wanted, owner, index: this.index, cache: this.cache, isShallow: true };
    const operations = plan({ meta, owner, wanted, actual: await findOwned(api, find), shownIps: [] });
    const { failures } = await apply(operations, { api, uuid });
    const [first] = failures;
    if (first !== undefined) throw first;
    const left = await findOwned(api, find);
    if (left.length > 0) return { result: "waiting", operations: operations.length };
    if (service !== undefined && isHeld) {
      if (!showsStatus(service, NO_STATUS)) await source.writeStatus(service, NO_STATUS);
      const current = (await source.getService(key)) ?? service;
      await source.writeFinalizers(
        current,
        current.meta.finalizers.filter((one) => one !== FINALIZER),
      );
    }
    return outcomeOf({ failure: undefined, operations: operations.length, isWaiting: false, isWritten: isHeld });
  }

  async #wantedOf(service: Service, api: TenantApi): Promise<Wanted> {
    const { meta, selector } = service;
    const { orgId, projectId, namespace } = meta;
    const hasSelector = Object.keys(selector).length > 0;
    const pods = hasSelector ? await this.options.source.listPods({ orgId, projectId, namespace, selector }) : [];
    const certificates = namesCertificates(service) ? await this.certificatesOf(api) : new Map<string, string>();
    return wantedOf(service, pods, { loadBalancerClass: this.options.loadBalancerClass, certificates });
  }

  /** Ids of the tenant's certificates, by name and by id. */
  async certificatesOf(api: TenantApi): Promise<ReadonlyMap<string, string>> {
    const found = await api.list("certificate", {});
    return new Map(found.flatMap(({ id, name }) => [[id, id] as const, [name, id] as const]));
  }

  /** @returns whether the Service is served as its status says it is, so that nobody has to look again soon. */
  async #writeStatus(service: Service, result: ServiceResult): Promise<boolean> {
    const { status, isSettled } = statusFor(service, result);
    const { failure } = result;
    const wasReady = service.conditions.some(({ type, status: is }) => type === READY_CONDITION && is === "True");
    if (failure?.isTransient === true && wasReady) return isSettled;
    if (!showsStatus(service, status)) await this.options.source.writeStatus(service, status);
    return isSettled;
  }

  /** Nothing is known of the load balancer: what the status shows stays, and only one that is not served learns why. */
  async #tellFailure(service: Service, failure: Failure): Promise<void> {
    const { reason, message, isTransient } = failure;
    const shown = service.conditions.find(({ type }) => type === READY_CONDITION);
    if (service.type !== "LoadBalancer" || (isTransient && shown?.status === "True")) return;
    const condition = { type: READY_CONDITION, status: "False", reason, message } as const;
    const status = { ingressIps: service.ingressIps, condition };
    try {
      if (!showsStatus(service, status)) await this.options.source.writeStatus(service, status);
    } catch {
      // The run has failed already and will be repeated; its own failure is what is worth telling.
    }
  }
}

/** What a status is made of. */
export interface ServiceResult {
  readonly wanted: Wanted;
  readonly now: readonly ActualLoadBalancer[];
  readonly failure: Failure | undefined;
}

/** The status that a Service must show, and whether nothing more is to come by itself. */
export function statusFor(service: Service, { wanted, now, failure }: ServiceResult) {
  const existing = now.filter((one) => one.tags[SERVICE_UID] === service.meta.uid && !isLeaving(one));
  const wish = wanted.kind === "load-balancer" ? wanted.desired : { vipAddress: undefined, vipPool: undefined };
  const current = currentOf(wish, { existing, shownIps: service.ingressIps });
  const others = existing.filter((one) => one !== current);
  const problems: readonly Problem[] = wanted.kind === "endpoints" ? wanted.problems : [];
  const status = statusOf({ service, current, others, problems, failure });
  const isPending = status.condition?.reason === "Pending";
  return { status, isSettled: !isPending && (others.length === 0 || wanted.kind !== "load-balancer") };
}

function outcomeOf(run: {
  failure: Failure | undefined;
  operations: number;
  isWaiting: boolean;
  isWritten: boolean;
}): Outcome {
  const { failure, operations, isWaiting, isWritten } = run;
  if (failure !== undefined) return { result: "failed", operations, failure };
  if (isWaiting) return { result: "waiting", operations };
  return { result: operations > 0 || isWritten ? "changed" : "unchanged", operations };
}
