import { create, type DescMessage, type DescService, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createRouterTransport, type HandlerContext } from "@connectrpc/connect";
import * as api from "@fiberlb/api";
import {
  applyUpdate,
  createEntity,
  type Entities,
  IdGenerator,
  invalid,
  madeUpName,
  ORG_HEADER,
  parseSpec,
  poolMisfit,
  PROJECT_HEADER,
  type Specs,
} from "@fiberlb/types";

import {
  CHILDREN,
  claimsOf,
  type FakeKind,
  parentIdOf,
  PARENTS,
  PLURALS,
  type Row,
  type Tree,
  treesOf,
} from "./fake-tables.ts";

type Request = Record<string, unknown>;

/** One call that reached the fake. */
export interface FakeCall {
  readonly method: string;
  readonly tenant: string;
}

const SERVICES: Readonly<Record<FakeKind, DescService>> = {
  loadBalancer: api.LoadBalancerService,
  listener: api.ListenerService,
  pool: api.PoolService,
  backend: api.BackendService,
  healthCheck: api.HealthCheckService,
  certificate: api.CertificateService,
};

/**
 * FiberLB's API in memory, by the rules of its contract: the domain's own checks, tenants, unique names, VIPs, ports and addresses,
 * references that must exist, fields that cannot change, revisions, request ids, cascades. Its data plane is as far as a test says.
 */
export class FakeFiberlb {
  readonly calls: FakeCall[] = [];
  /** Throws before the call: it never happened. */
  before: (method: string, request: Request) => void = () => undefined;
  /** Throws after the call: it happened, but the answer is lost. */
  after: (method: string, request: Request) => void = () => undefined;
  /** What the data plane says of a load balancer. */
  statusOf: (loadBalancer: Entities["loadBalancer"]) => { readonly status: string; readonly reason?: string } = () => ({
    status: "ACTIVE",
  });
  /** How many load balancers a tenant may have. */
  quota = Number.POSITIVE_INFINITY;
  readonly client: api.FiberlbClient;
  readonly #tables = new Map<FakeKind, Map<string, Row>>();
  readonly #requests = new Map<string, { readonly body: string; readonly row: Row }>();
  #ticks = 0;
  #nextVip = 1;
  readonly #ids = new IdGenerator({
    nowMs: () => 1_700_000_000_000 + this.#ticks++,
    fillRandom: (bytes) => bytes.forEach((_, index) => (bytes[index] = (this.#ticks * 31 + index * 7) & 0xff)),
  });

  constructor() {
    const kinds = Object.keys(SERVICES) as FakeKind[];
    const transport = createRouterTransport(({ service }) => {
      for (const kind of kinds) service(SERVICES[kind], this.#implement(kind) as never);
    });
    const clients = kinds.map((kind) => [PLURALS[kind], createClient(SERVICES[kind], transport)]);
    this.client = { ...Object.fromEntries(clients), close: () => undefined } as api.FiberlbClient;
  }

  rows<K extends FakeKind>(kind: K): Entities[K][] {
    return [...this.#table(kind).values()] as unknown as Entities[K][];
  }

  get trees(): readonly Tree[] {
    return treesOf((kind) => this.rows(kind));
  }

  /** Calls that change something. */
  get writes(): readonly string[] {
    return this.calls.map(({ method }) => method).filter((method) => /^(create|update|delete)/.test(method));
  }

  /** What somebody else does; without faults. */
  insert<K extends FakeKind>(kind: K, spec: object, tenant = { orgId: "acme", projectId: "shop" }): Entities[K] {
    const parsed = parseSpec(kind, spec);
    if (!parsed.ok) throw invalid(parsed.violations);
    return this.#insert(kind, parsed.value, tenant) as unknown as Entities[K];
  }

  /** What somebody else does; without faults. */
  change(kind: FakeKind, id: string, fields: object): void {
    const row = this.#table(kind).get(id);
    if (row !== undefined) this.#table(kind).set(id, { ...row, ...fields, revision: row.revision + 1 });
  }

  /** What somebody else does; without faults. */
  remove(kind: FakeKind, id: string): void {
    for (const child of CHILDREN[kind]) {
      for (const row of this.#table(child).values()) if (parentIdOf(child, row) === id) this.remove(child, row.id);
    }
    this.#table(kind).delete(id);
  }

  #table(kind: FakeKind): Map<string, Row> {
    const known = this.#tables.get(kind) ?? new Map<string, Row>();
    this.#tables.set(kind, known);
    return known;
  }

  #implement(kind: FakeKind): Record<string, (request: Request, context: HandlerContext) => unknown> {
    const methods = Object.keys(SERVICES[kind].method).filter((method) =>
      /^(create|get|list|update|delete)/.test(method),
    );
    return Object.fromEntries(
      methods.map((method) => [method, (request, context) => this.#handle({ kind, method, request, context })]),
    );
  }

  #handle(call: { kind: FakeKind; method: string; request: Request; context: HandlerContext }): unknown {
    const { kind, method, request, context } = call;
    const header = (name: string): string => context.requestHeader.get(name) ?? "default";
    const tenant = { orgId: header(ORG_HEADER), projectId: header(PROJECT_HEADER) };
    this.calls.push({ method, tenant: `${tenant.orgId}/${tenant.projectId}` });
    this.before(method, request);
    try {
      const answer = this.#dispatch(kind, method, { request, tenant });
      this.after(method, request);
      return answer;
    } catch (error) {
      throw error instanceof ConnectError ? error : new ConnectError((error as Error).message, Code.InvalidArgument);
    }
  }

  #dispatch(kind: FakeKind, method: string, { request, tenant }: { request: Request; tenant: Tenant }): object {
    if (method.startsWith("list")) return this.#list(kind, request, tenant);
    if (method.startsWith("create")) return { [kind]: this.#message(kind, this.#create(kind, request, tenant)) };
    if (method.startsWith("update")) return { [kind]: this.#message(kind, this.#update(kind, request, tenant)) };
    const row = this.#require(kind, request["id"] as string, tenant);
    if (method.startsWith("get")) return { [kind]: this.#message(kind, row) };
    this.#delete(kind, row, request);
    return {};
  }

  #require(kind: FakeKind, id: string, { orgId, projectId }: Tenant): Row {
    const row = this.#table(kind).get(id);
    if (row === undefined || row.orgId !== orgId || row.projectId !== projectId) {
      throw new ConnectError(`${kind} ${id} does not exist`, Code.NotFound);
    }
    return row;
  }

  #message(kind: FakeKind, row: Row): object {
    if (kind !== "loadBalancer") return api.toMessage(api.resourceSchemas[kind], row);
    const { status, reason = "" } = this.statusOf(row as unknown as Entities["loadBalancer"]);
    return api.toMessage(api.LoadBalancerSchema, row, { provisioningStatus: status, statusReason: reason });
  }

  #list(kind: FakeKind, request: Request, tenant: Tenant): object {
    const { name, tags, pageSize, pageToken } = request as {
      name: string;
      tags: Row["tags"];
      pageSize: number;
      pageToken: string;
    };
    const parent = PARENTS[kind];
    const parentId = parent === undefined ? "" : (request[`${parent}Id`] as string);
    if (parent !== undefined && parentId !== "") this.#require(parent, parentId, tenant);
    const rows = [...this.#table(kind).values()].filter(
      (row) =>
        row.orgId === tenant.orgId &&
        row.projectId === tenant.projectId &&
        (name === "" || row.name === name) &&
        (parentId === "" || parentIdOf(kind, row) === parentId) &&
        Object.entries(tags).every(([key, value]) => row.tags[key] === value),
    );
    const start = Number(pageToken);
    const end = start + (pageSize === 0 ? 100 : pageSize);
    const messages = rows.slice(start, end).map((row) => this.#message(kind, row));
    return { [PLURALS[kind]]: messages, nextPageToken: end < rows.length ? String(end) : "" };
  }

  #create(kind: FakeKind, request: Request, tenant: Tenant): Row {
    const schema = api.createRequestSchemas[kind] as DescMessage;
    const { input, requestId } = api.fromCreateRequest(
      schema,
      create(schema, request as MessageInitShape<DescMessage>),
    );
    const body = JSON.stringify(input);
    const known = requestId === "" ? undefined : this.#requests.get(`${kind} ${requestId}`);
    if (known !== undefined && known.body !== body)
      throw new ConnectError("request_id was used for another", Code.InvalidArgument);
    if (known !== undefined) return known.row;
    const parsed = parseSpec(kind, input);
    if (!parsed.ok) throw invalid(parsed.violations);
    const row = this.#insert(kind, parsed.value, tenant);
    if (requestId !== "") this.#requests.set(`${kind} ${requestId}`, { body, row });
    return row;
  }

  #insert(kind: FakeKind, spec: Specs[FakeKind], tenant: Tenant): Row {
    const parent = PARENTS[kind];
    if (parent !== undefined) this.#require(parent, parentIdOf(kind, spec), tenant);
    if (kind === "loadBalancer" && this.#loadBalancersOf(tenant) >= this.quota) {
      throw new ConnectError(`quota of project ${tenant.projectId} is exhausted`, Code.ResourceExhausted);
    }
    const id = this.#ids.next();
    const at = new Date(1_700_000_000_000).toISOString();
    const record = {
      id,
      name: spec.name ?? madeUpName(kind, id),
      revision: 1,
      createdAt: at,
      updatedAt: at,
      ...tenant,
    };
    const row = createEntity(kind, spec as never, { ...record, ...this.#own(kind, spec) } as never) as unknown as Row;
    this.#check(kind, row, tenant);
    this.#table(kind).set(id, row);
    return row;
  }

  #loadBalancersOf({ orgId, projectId }: Tenant): number {
    return this.rows("loadBalancer").filter((one) => one.orgId === orgId && one.projectId === projectId).length;
  }

  #own(kind: FakeKind, spec: Specs[FakeKind]): object {
    if (kind === "pool") return { maglev: { ...(spec as Specs["pool"]).maglev, effectiveTableSize: 1021 } };
    if (kind === "certificate") {
      const times = { notBefore: "2026-01-01T00:00:00.000Z", notAfter: "2027-01-01T00:00:00.000Z" };
      return { ...times, subject: "CN=test", sans: [], fingerprintSha256: "00".repeat(32), privateKeyPem: undefined };
    }
    if (kind !== "loadBalancer") return {};
    const { vipAddress, vipPool = "default" } = spec as Specs["loadBalancer"];
    if (vipPool === "missing") throw new ConnectError("VIP pool missing does not exist", Code.NotFound);
    return { vipAddress: vipAddress ?? `127.10.0.${this.#nextVip++}`, vipPool };
  }

  #update(kind: FakeKind, request: Request, tenant: Tenant): Row {
    const message = request[kind] as { id: string; revision: bigint };
    const before = this.#require(kind, message.id, tenant);
    if (message.revision !== 0n && Number(message.revision) !== before.revision) {
      throw new ConnectError(`${kind} ${before.name} has changed`, Code.Aborted);
    }
    const mask = api.fieldMaskPaths(request["updateMask"] as never);
    const updated = applyUpdate(
      kind,
      before as never,
      api.fromMessage(api.resourceSchemas[kind], message as never),
      mask,
    );
    if (!updated.ok) throw invalid(updated.violations);
    const row = { ...(updated.value as unknown as Row), revision: before.revision + 1 };
    this.#check(kind, row, tenant);
    this.#table(kind).set(row.id, row);
    return row;
  }

  #check(kind: FakeKind, row: Row, tenant: Tenant): void {
    if (kind === "listener") {
      const { protocol, defaultPoolId, certificateIds } = row as unknown as Entities["listener"];
      for (const id of certificateIds) this.#require("certificate", id, tenant);
      if (defaultPoolId !== undefined) {
        const pool = this.#require("pool", defaultPoolId, tenant) as unknown as Entities["pool"];
        const misfit = poolMisfit("default_pool_id", protocol, pool.protocol);
        if (misfit !== undefined) throw invalid([misfit]);
      }
    }
    const claims = new Set(claimsOf(kind, row));
    for (const other of this.#table(kind).values()) {
      const taken = other.id === row.id ? undefined : claimsOf(kind, other).find((claim) => claims.has(claim));
      if (taken !== undefined) throw new ConnectError(`${taken} is in use`, Code.AlreadyExists);
    }
  }

  #delete(kind: FakeKind, row: Row, request: Request): void {
    if (row["deleteProtection"] === true) {
      throw new ConnectError(
        `cannot delete load balancer ${row.name}: it is delete-protected`,
        Code.FailedPrecondition,
      );
    }
    const user = kind === "pool" ? this.rows("listener").find((one) => one.defaultPoolId === row.id) : undefined;
    if (user !== undefined)
      throw new ConnectError(`cannot delete pool ${row.name}: it is used`, Code.FailedPrecondition);
    const hasChildren = CHILDREN[kind].some((child) =>
      [...this.#table(child).values()].some((one) => parentIdOf(child, one) === row.id),
    );
    if (hasChildren && request["cascade"] !== true) throw new ConnectError("it has children", Code.FailedPrecondition);
    this.remove(kind, row.id);
  }
}

interface Tenant {
  readonly orgId: string;
  readonly projectId: string;
}
