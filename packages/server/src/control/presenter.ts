import { type ResourceMessage, resourceSchemas, toMessage } from "@fiberlb/api";
import { prefixRange, read, readRange } from "@fiberlb/store";
import type { BackendStatus, ResourceStatus } from "@fiberlb/types";
import { decodeEntity } from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import type { UnitRecord } from "../repository/attachments.ts";
import { decodeJson } from "../repository/codec.ts";
import type { Stored } from "../repository/entity-reader.ts";
import { backendHealthPrefix, childrenPrefix, loadBalancerKey, type TenantKind, unitKey } from "../repository/keys.ts";
import type { Repository } from "../repository/repository.ts";
import { byBackend, readObservedTrees, type TreeAddress } from "../repository/tree.ts";
import { backendStatus } from "./status/operating.ts";
import { provisioning } from "./status/provisioning.ts";
import { partStatus, provisioningInput, type Surroundings, treeStatus, type TreeStatus } from "./status/tree-status.ts";

/** A Create waits for so long until its change is served. */
const ACTIVE_WAIT_MS = 1000;
/** Reads for the status of one backend. */
const BACKEND_READS = 4;
const BACKENDS_PER_TXN = Math.floor(128 / BACKEND_READS);

/** Makes answers of entities: with the status, where the kind has one. */
export class Presenter {
  readonly #repository: Repository;
  readonly #clock: Clock;

  constructor(repository: Repository, clock: Clock) {
    this.#repository = repository;
    this.#clock = clock;
  }

  /** Messages of stored entities, in the same order. */
  async present<K extends TenantKind>(kind: K, items: readonly Stored<K>[]): Promise<ResourceMessage<K>[]> {
    const statuses = await this.#statuses(kind, items);
    return items.map(({ entity }, index) => message(kind, entity, statuses[index] ?? {}));
  }

  /** What an entity would be; it is in no store, and no node has it. */
  preview<K extends TenantKind>(kind: K, { entity }: Stored<K>): ResourceMessage<K> {
    const status: ResourceStatus = {
      provisioningStatus: "PENDING_CREATE",
      operatingStatus: "OFFLINE",
      statusReason: "",
    };
    return message(kind, entity, kind === "backend" ? { ...status, status: "UNKNOWN" } : status);
  }

  /** With one node: until it serves the change, or for a second. */
  async waitUntilActive({ location, modRevision }: Stored): Promise<void> {
    const { nodes } = this.#repository;
    if (location.loadBalancerId === "" || nodes.live.length !== 1) return;
    await nodes.waitFor(
      (live) => live.length !== 1 || live.every(({ appliedRevision }) => appliedRevision >= modRevision),
      ACTIVE_WAIT_MS,
    );
  }

  /** Everything of some load balancers; those that have gone are left out. */
  async trees(
    addresses: readonly TreeAddress[],
  ): Promise<{ observed: Awaited<ReturnType<typeof readObservedTrees>>[number]; status: TreeStatus }[]> {
    const surroundings = this.#surroundings();
    const observed = await readObservedTrees(this.#repository.store, addresses);
    return observed.map((one) => ({ observed: one, status: treeStatus(one, surroundings) }));
  }

  #surroundings(): Surroundings {
    return { nodes: this.#repository.nodes.live, nowMs: this.#clock.epochMs() };
  }

  async #statuses(kind: TenantKind, items: readonly Stored[]): Promise<(ResourceStatus | BackendStatus | undefined)[]> {
    if (kind === "backend") return this.#backendStatuses(items as readonly Stored<"backend">[]);
    if (kind !== "loadBalancer" && kind !== "listener" && kind !== "pool") return [];
    const addresses = new Map(
      items.map(({ tenant, location: { loadBalancerId } }) => [loadBalancerId, { tenant, loadBalancerId }]),
    );
    const trees = await this.trees([...addresses.values()]);
    const byId = new Map(trees.map(({ observed, status }) => [observed.tree.loadBalancer.id as string, status]));
    return items.map(({ location }) => statusIn(byId.get(location.loadBalancerId), location));
  }

  /** Reads what one backend's status needs and not its whole load balancer, which may have thousands of them. */
  async #backendStatuses(items: readonly Stored<"backend">[]): Promise<(BackendStatus | undefined)[]> {
    const statuses: (BackendStatus | undefined)[] = [];
    for (let start = 0; start < items.length; start += BACKENDS_PER_TXN) {
      statuses.push(...(await this.#fewBackendStatuses(items.slice(start, start + BACKENDS_PER_TXN))));
    }
    return statuses;
  }

  async #fewBackendStatuses(items: readonly Stored<"backend">[]): Promise<(BackendStatus | undefined)[]> {
    const { results } = await this.#repository.store.txn({ success: items.flatMap(backendReads) });
    const surroundings = this.#surroundings();
    return items.map((stored, index) => {
      const [self, unit, checks, health] = results.slice(index * BACKEND_READS, (index + 1) * BACKEND_READS);
      if (self?.type !== "get" || unit?.type !== "get" || self.kv === undefined || unit.kv === undefined)
        return undefined;
      const loadBalancer = decodeEntity("loadBalancer", self.kv.value);
      const { changedAtMs } = decodeJson(unit.kv.value) as UnitRecord;
      const provision = provisioningInput(
        { loadBalancer, unitRevision: unit.kv.modRevision, changedAtMs },
        surroundings,
      );
      const healthChecks =
        checks?.type === "range" ? checks.kvs.map(({ value }) => decodeEntity("healthCheck", value)) : [];
      const judged = backendStatus({
        backend: stored.entity,
        monitored: healthChecks.some(({ adminStateUp }) => adminStateUp),
        findings: byBackend(health?.type === "range" ? health.kvs : []).get(stored.location.id) ?? [],
      });
      return { ...partStatus(provisioning(provision, stored.createRevision), judged), status: judged.health };
    });
  }
}

function backendReads({ tenant, location: { loadBalancerId, parentId, id } }: Stored<"backend">) {
  return [
    read(loadBalancerKey(tenant, loadBalancerId)),
    read(unitKey(loadBalancerId)),
    readRange(prefixRange(childrenPrefix(tenant, { kind: "healthCheck", loadBalancerId, parentId }))),
    readRange(prefixRange(backendHealthPrefix({ loadBalancerId, backendId: id }))),
  ];
}

function statusIn(tree: TreeStatus | undefined, { kind, id }: Stored["location"]): ResourceStatus | undefined {
  if (kind === "listener") return tree?.listeners.get(id);
  return kind === "pool" ? tree?.pools.get(id) : tree?.loadBalancer;
}

const message = <K extends TenantKind>(kind: K, entity: object, status: object): ResourceMessage<K> =>
  toMessage(resourceSchemas[kind], entity, status);
