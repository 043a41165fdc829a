import type { CallOptions } from "@connectrpc/connect";
import { createRequestSchemas, type FiberlbClient, resourceSchemas, toMessage } from "@fiberlb/api";
import type { Backend, Certificate, HealthCheck, Listener, LoadBalancer, Pool } from "@fiberlb/api";
import { ORG_HEADER, PROJECT_HEADER, toSnakeCase } from "@fiberlb/types";

import type { Tenant } from "./objects.ts";
import type { Fields, WrittenKind } from "./operations.ts";
import type { Tags } from "./ownership.ts";

/** Messages of what the controller reads. */
export interface Messages {
  loadBalancer: LoadBalancer;
  listener: Listener;
  pool: Pool;
  backend: Backend;
  healthCheck: HealthCheck;
  certificate: Certificate;
}

/** Which of a kind are meant; absent fields allow all. */
export interface ListFilter {
  readonly name?: string;
  readonly tags?: Tags;
  readonly loadBalancerId?: string;
  readonly poolId?: string;
}

/** The longest page that the API has. */
const PAGE_SIZE = 1000;
/** Of one call. The server itself waits for its data plane for up to a second. */
const CALL_TIMEOUT_MS = 10_000;

interface Page<M> {
  readonly items: readonly M[];
  readonly nextPageToken: string;
}

type Request = ListFilter & { pageSize: number; pageToken: string };
type Lister<M> = (request: Request, options: CallOptions) => Promise<Page<M>>;

/** FiberLB's API as seen by one tenant, in the domain's words. */
export class TenantApi {
  readonly #client: FiberlbClient;
  readonly #options: CallOptions;

  constructor(client: FiberlbClient, { orgId, projectId }: Tenant, signal: AbortSignal) {
    this.#client = client;
    const headers = { [ORG_HEADER]: orgId, [PROJECT_HEADER]: projectId };
    this.#options = { headers, signal, timeoutMs: CALL_TIMEOUT_MS };
  }

  /** All pages. */
  async list<K extends keyof Messages>(kind: K, filter: ListFilter): Promise<readonly Messages[K][]> {
    const lister = this.#listers[kind] as unknown as Lister<Messages[K]>;
    const items: Messages[K][] = [];
    let pageToken = "";
    do {
      const page = await lister({ ...filter, pageSize: PAGE_SIZE, pageToken }, this.#options);
      items.push(...page.items);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return items;
  }

  /** @throws ConnectError NotFound */
  async getLoadBalancer(id: string): Promise<LoadBalancer> {
    const { loadBalancer } = await this.#client.loadBalancers.getLoadBalancer({ id }, this.#options);
    if (loadBalancer === undefined) throw new TypeError("Cannot read load balancer: the answer is empty");
    return loadBalancer;
  }

  /** @returns the id. The same request id again answers what the first call made. */
  async create(kind: WrittenKind, fields: Fields, requestId: string): Promise<string> {
    const { loadBalancers, listeners, pools, backends, healthChecks } = this.#client;
    const input = toMessage(createRequestSchemas[kind], fields, { requestId }) as never;
    switch (kind) {
      case "loadBalancer":
        return idIn((await loadBalancers.createLoadBalancer(input, this.#options)).loadBalancer);
      case "listener":
        return idIn((await listeners.createListener(input, this.#options)).listener);
      case "pool":
        return idIn((await pools.createPool(input, this.#options)).pool);
      case "backend":
        return idIn((await backends.createBackend(input, this.#options)).backend);
      case "healthCheck":
        return idIn((await healthChecks.createHealthCheck(input, this.#options)).healthCheck);
    }
  }

  /** Changes the fields that are there; one with the value undefined gets its default. */
  async update(kind: WrittenKind, { id, revision }: { id: string; revision: number }, fields: Fields): Promise<void> {
    const { loadBalancers, listeners, pools, backends, healthChecks } = this.#client;
    const message = toMessage(resourceSchemas[kind], { id, revision, ...fields });
    const request = { [kind]: message, updateMask: { paths: Object.keys(fields).map(toSnakeCase) } };
    switch (kind) {
      case "loadBalancer":
        return void (await loadBalancers.updateLoadBalancer(request, this.#options));
      case "listener":
        return void (await listeners.updateListener(request, this.#options));
      case "pool":
        return void (await pools.updatePool(request, this.#options));
      case "backend":
        return void (await backends.updateBackend(request, this.#options));
      case "healthCheck":
        return void (await healthChecks.updateHealthCheck(request, this.#options));
    }
  }

  /** With everything below. */
  async delete(kind: WrittenKind, id: string): Promise<void> {
    const { loadBalancers, listeners, pools, backends, healthChecks } = this.#client;
    const request = { id, cascade: true };
    switch (kind) {
      case "loadBalancer":
        return void (await loadBalancers.deleteLoadBalancer(request, this.#options));
      case "listener":
        return void (await listeners.deleteListener(request, this.#options));
      case "pool":
        return void (await pools.deletePool(request, this.#options));
      case "backend":
        return void (await backends.deleteBackend(request, this.#options));
      case "healthCheck":
        return void (await healthChecks.deleteHealthCheck(request, this.#options));
    }
  }

  readonly #listers: { readonly [K in keyof Messages]: Lister<Messages[K]> } = {
    loadBalancer: async (request, options) => {
      const { loadBalancers: items, nextPageToken } = await this.#client.loadBalancers.listLoadBalancers(
        request,
        options,
      );
      return { items, nextPageToken };
    },
    listener: async (request, options) => {
      const { listeners: items, nextPageToken } = await this.#client.listeners.listListeners(request, options);
      return { items, nextPageToken };
    },
    pool: async (request, options) => {
      const { pools: items, nextPageToken } = await this.#client.pools.listPools(request, options);
      return { items, nextPageToken };
    },
    backend: async (request, options) => {
      const { backends: items, nextPageToken } = await this.#client.backends.listBackends(request, options);
      return { items, nextPageToken };
    },
    healthCheck: async (request, options) => {
      const { healthChecks: items, nextPageToken } = await this.#client.healthChecks.listHealthChecks(request, options);
      return { items, nextPageToken };
    },
    certificate: async (request, options) => {
      const { certificates: items, nextPageToken } = await this.#client.certificates.listCertificates(request, options);
      return { items, nextPageToken };
    },
  };
}

function idIn(resource: { readonly id: string } | undefined): string {
  if (resource === undefined) throw new TypeError("Cannot read what was created: the answer is empty");
  return resource.id;
}
