import { createHash } from "node:crypto";

import { create, type DescMethod, type Message, type MessageInitShape, type DescMessage } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createRouterTransport, type Transport } from "@connectrpc/connect";
import * as api from "@fiberlb/api";
import {
  applyUpdate,
  createEntity,
  DomainError,
  type Entities,
  IdGenerator,
  invalid,
  madeUpName,
  parseSpec,
  type ResourceKind,
  type Specs,
  type Violation,
} from "@fiberlb/types";

import { infoOf, type Kind, kindInfos } from "../src/kinds.ts";
import { claimsOf, referencesOf, type Row, violationsOf } from "./fake-rules.ts";

/** One call that the fake server got, as `createPool`. */
export interface SeenCall {
  readonly method: string;
  readonly validateOnly: boolean;
  readonly kind: Kind;
  /** Name of what it was about, when it succeeded. */
  readonly name: string;
}

type Request = Record<string, unknown>;

/**
 * The API in memory: the domain's own checks, unique names, ports and addresses, references that must exist, immutable
 * fields, revisions, cascades, validate_only. Statuses are made up.
 */
export class FakeServer {
  readonly tables = new Map<ResourceKind, Map<string, Row>>();
  /** Calls that succeeded, in order. */
  readonly calls: SeenCall[] = [];
  /** Throws to make a call fail. */
  intercept: (method: string, request: Request) => void = () => undefined;
  readonly transport: Transport;
  readonly registered: string[] = [];
  /** They drain no further than a test has them. */
  readonly nodes: api.Node[] = [];
  /** What nodes say of their routers. */
  readonly bgp = { sessions: [] as api.BgpSession[], routes: [] as api.BgpRoute[] };
  #ticks = 0;
  readonly #ids = new IdGenerator({
    nowMs: () => 1_700_000_000_000 + this.#ticks++,
    fillRandom: (bytes) => bytes.forEach((_, index) => (bytes[index] = (this.#ticks * 31 + index * 7) & 0xff)),
  });
  #nextVip = 1;

  constructor() {
    this.transport = createRouterTransport(({ service }) => {
      for (const info of kindInfos) service(info.service, this.#implement(info.kind) as never);
      const isOf = (wanted: string) => (one: { readonly node: string }) => wanted === "" || one.node === wanted;
      service(api.BgpService, {
        listSessions: ({ node }) => ({ sessions: this.bgp.sessions.filter(isOf(node)) }),
        listRoutes: ({ node }) => ({ routes: this.bgp.routes.filter(isOf(node)) }),
      });
    });
  }

  /** A client of this server. */
  client(): api.FiberlbClient {
    const clients = kindInfos.map((info) => [info.client, createClient(info.service, this.transport)]);
    const bgp = createClient(api.BgpService, this.transport);
    return { ...Object.fromEntries(clients), bgp, close: () => undefined } as api.FiberlbClient;
  }

  rows<K extends ResourceKind>(kind: K): Entities[K][] {
    return [...this.#table(kind).values()] as unknown as Entities[K][];
  }

  /** The writes that were no trial, as `createPool app`. */
  get writes(): string[] {
    return this.calls
      .filter(({ validateOnly, method }) => !validateOnly && /^(create|update|delete)/.test(method))
      .map(({ method, name }) => `${method} ${name}`);
  }

  #table(kind: ResourceKind): Map<string, Row> {
    const known = this.tables.get(kind);
    if (known !== undefined) return known;
    const table = new Map<string, Row>();
    this.tables.set(kind, table);
    return table;
  }

  #implement(kind: Kind): Record<string, (request: Request) => unknown> {
    const info = infoOf(kind);
    const methods = info.service.method as Readonly<Record<string, DescMethod>>;
    const handlers: [string, (request: Request) => unknown][] = Object.keys(methods).map((method) => [
      method,
      (request) => this.#handle(kind, method, request),
    ]);
    return Object.fromEntries(handlers);
  }

  #handle(kind: Kind, method: string, request: Request): unknown {
    try {
      this.intercept(method, request);
      const answer = this.#dispatch(kind, method, request);
      const name = answer.row === undefined ? "" : answer.row["name"];
      this.calls.push({ method, kind, name, validateOnly: request["validateOnly"] === true });
      return answer.message;
    } catch (error) {
      throw toConnectError(error);
    }
  }

  #dispatch(kind: Kind, method: string, request: Request): { readonly message: object; readonly row?: Row } {
    if (kind === "node") return { message: this.#node(method, request) };
    if (method.startsWith("list")) return { message: this.#list(kind, request) };
    const one = (row: Row): { message: object; row: Row } => ({ message: { [kind]: this.#message(kind, row) }, row });
    if (method.startsWith("create")) return one(this.#create(kind, request));
    if (method.startsWith("update")) return one(this.#update(kind, request));
    if (method === "registerBackend") return one(this.#register(request));
    if (method === "deregisterBackend") return this.#deregister(request);
    if (method === "getLoadBalancerStatus") return { message: { loadBalancer: this.#status(request["id"] as string) } };
    const row = this.#require(kind, request["id"] as string);
    if (method.startsWith("get")) return one(row);
    return { message: this.#delete(kind, row, request), row };
  }

  #node(method: string, { name }: Request): object {
    if (method === "listNodes") return { nodes: this.nodes };
    const node = this.nodes.find((each) => each.name === name);
    if (node === undefined) throw new ConnectError(`node ${String(name)} does not exist`, Code.NotFound);
    if (method === "drainNode") node.state = api.NodeState.DRAINING;
    if (method === "undrainNode") Object.assign(node, { state: api.NodeState.READY, drain: undefined });
    return { node };
  }

  #require(kind: ResourceKind, id: string): Row {
    const rows = [...this.#table(kind).values()];
    const row = rows.find((each) => each.id === id || (kind === "vipPool" && each.name === id));
    if (row === undefined) throw new ConnectError(`${infoOf(kind).label} ${id} does not exist`, Code.NotFound);
    return row;
  }

  #message(kind: ResourceKind, row: Row): Message {
    const status = {
      provisioningStatus: "ACTIVE",
      operatingStatus: "ONLINE",
      ...(kind === "backend" && { status: "ONLINE" }),
    };
    return api.toMessage(api.resourceSchemas[kind], row, status);
  }

  #list(kind: ResourceKind, request: Request): object {
    const info = infoOf(kind);
    const { name, tags, pageSize, pageToken } = request as {
      name: string;
      tags?: object;
      pageSize: number;
      pageToken: string;
    };
    const parentField = info.parent === undefined ? undefined : `${info.parent}Id`;
    const parentId = parentField === undefined ? "" : request[parentField];
    const rows = [...this.#table(kind).values()].filter(
      (row) =>
        (name === "" || row.name === name) &&
        (parentId === "" || row[parentField ?? ""] === parentId) &&
        Object.entries(tags ?? {}).every(([key, value]) => (row["tags"] as Record<string, string>)[key] === value),
    );
    const start = pageToken === "" ? 0 : Number(pageToken);
    const size = pageSize === 0 ? 100 : pageSize;
    const many = info.rpc.many.charAt(0).toLowerCase() + info.rpc.many.slice(1);
    const nextPageToken = start + size < rows.length ? String(start + size) : "";
    return {
      [many]: this.#inOrder(kind, rows)
        .slice(start, start + size)
        .map((row) => this.#message(kind, row)),
      nextPageToken,
    };
  }

  #inOrder(_kind: ResourceKind, rows: readonly Row[]): readonly Row[] {
    return rows;
  }

  #create(kind: ResourceKind, request: Request): Row {
    const schema = api.createRequestSchemas[kind] as DescMessage;
    const { input, validateOnly } = api.fromCreateRequest(
      schema,
      create(schema, request as MessageInitShape<DescMessage>),
    );
    const parsed = parseSpec(kind, input);
    if (!parsed.ok) throw invalid(parsed.violations);
    const row = this.#newRow(kind, parsed.value);
    this.#check(kind, row);
    if (!validateOnly) this.#insert(kind, row);
    return row;
  }

  #newRow(kind: ResourceKind, spec: Specs[ResourceKind]): Row {
    const id = this.#ids.next();
    const at = new Date(1_700_000_000_000).toISOString();
    const record = { id, name: spec.name ?? madeUpName(kind, id), revision: 1, createdAt: at, updatedAt: at };
    const tenant = kind === "vipPool" ? {} : { orgId: "default", projectId: "default" };
    return createEntity(kind, spec, { ...record, ...tenant, ...this.#own(kind, spec) } as never);
  }

  /** What the server itself decides of a kind. */
  #own(kind: ResourceKind, spec: Specs[ResourceKind]): object {
    if (kind === "loadBalancer") {
      const { vipAddress, vipPool = "default", ipFamily } = spec as Specs["loadBalancer"];
      const assigned = ipFamily === "IPV6" ? `fd00::${(this.#nextVip++).toString(16)}` : `127.10.9.${this.#nextVip++}`;
      return { vipAddress: vipAddress ?? assigned, vipPool };
    }
    if (kind === "pool") return { maglev: { ...(spec as Specs["pool"]).maglev, effectiveTableSize: 1021 } };
    if (kind === "l7Policy") {
      const { listenerId, position } = spec as Specs["l7Policy"];
      const others = this.rows("l7Policy").filter((policy) => policy.listenerId === listenerId).length;
      return { position: position === 0 ? others + 1 : Math.min(position, others + 1) };
    }
    if (kind !== "certificate") return {};
    const { certificatePem } = spec as Specs["certificate"];
    const der = Buffer.from(/-----BEGIN CERTIFICATE-----([^-]+)/.exec(certificatePem)?.[1] ?? "", "base64");
    const fingerprintSha256 = createHash("sha256").update(der).digest("hex");
    const [notBefore, notAfter] = ["2026-01-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"];
    return { subject: "CN=test", sans: [], notBefore, notAfter, fingerprintSha256, privateKeyPem: undefined };
  }

  #insert(kind: ResourceKind, row: Row): void {
    const table = this.#table(kind);
    if (kind === "l7Policy") this.#reposition(row as never);
    table.set(row.id, row);
  }

  /** Makes room for, or follows the move of, one policy. */
  #reposition(moved: Entities["l7Policy"]): void {
    const others = this.rows("l7Policy")
      .filter(({ id, listenerId }) => listenerId === moved.listenerId && id !== moved.id)
      .toSorted((a, b) => a.position - b.position);
    const place = moved.position === 0 ? others.length : Math.min(moved.position - 1, others.length);
    const ordered = others.toSpliced(place, 0, moved);
    ordered.forEach((policy, index) => {
      this.#table("l7Policy").set(policy.id, { ...policy, position: index + 1 });
    });
  }

  #update(kind: ResourceKind, request: Request): Row {
    const message = request[kind] as { id: string; revision: bigint };
    const mask = api.fieldMaskPaths(request["updateMask"] as never);
    const before = this.#require(kind, message.id);
    if (message.revision !== 0n && Number(message.revision) !== before.revision) {
      throw new ConnectError(`${infoOf(kind).label} ${before.name} has changed`, Code.Aborted);
    }
    const patch = api.fromMessage(api.resourceSchemas[kind], message as never);
    const updated = applyUpdate(kind, before as never, patch, mask);
    if (!updated.ok) throw invalid(updated.violations);
    const row = { ...(updated.value as unknown as Row), revision: before.revision + 1 };
    this.#check(kind, row);
    if (request["validateOnly"] === true) return row;
    this.#insert(kind, row);
    return this.#require(kind, row.id);
  }

  #check(kind: ResourceKind, row: Row): void {
    for (const reference of referencesOf(kind, row)) this.#require(reference.kind, reference.id);
    const violations: readonly Violation[] = violationsOf(kind, row, (other, id) => this.#table(other).get(id));
    if (violations.length > 0) throw invalid(violations);
    const claims = new Set(claimsOf(kind, row));
    for (const other of this.#table(kind).values()) {
      const taken = other.id === row.id ? undefined : claimsOf(kind, other).find((claim) => claims.has(claim));
      if (taken !== undefined) throw new ConnectError(`${taken} is in use`, Code.AlreadyExists);
    }
  }

  #delete(kind: ResourceKind, row: Row, request: Request): object {
    const label = `${infoOf(kind).label} ${row.name}`;
    if (row["deleteProtection"] === true)
      throw new ConnectError(`cannot delete ${label}: it is delete-protected`, Code.FailedPrecondition);
    const user = this.#userOf(row.id);
    if (user !== undefined)
      throw new ConnectError(`cannot delete ${label}: it is used by ${user}`, Code.FailedPrecondition);
    const children = infoOf(kind).children.flatMap((child) => this.#childrenOf(child, kind, row.id));
    if (children.length > 0 && request["cascade"] !== true) {
      throw new ConnectError(
        `cannot delete ${label}: it has ${children.length} children; use cascade`,
        Code.FailedPrecondition,
      );
    }
    if (request["validateOnly"] !== true) this.#remove(kind, row);
    return {};
  }

  #childrenOf(child: ResourceKind, parent: ResourceKind, id: string): readonly (readonly [ResourceKind, Row])[] {
    return [...this.#table(child).values()]
      .filter((row) => row[`${parent}Id`] === id)
      .map((row) => [child, row] as const);
  }

  #remove(kind: ResourceKind, row: Row): void {
    for (const child of infoOf(kind).children) {
      for (const [childKind, childRow] of this.#childrenOf(child, kind, row.id)) this.#remove(childKind, childRow);
    }
    this.#table(kind).delete(row.id);
    if (kind !== "l7Policy") return;
    const rest = this.rows("l7Policy").filter(({ listenerId }) => listenerId === row["listenerId"]);
    const [first] = rest.toSorted((a, b) => a.position - b.position);
    if (first !== undefined) this.#reposition(first);
  }

  #userOf(id: string): string | undefined {
    for (const kind of ["listener", "pool", "l7Policy"] as const) {
      for (const row of this.#table(kind).values()) {
        const uses = referencesOf(kind, row).some(
          (reference) => reference.id === id && reference.kind !== infoOf(kind).parent,
        );
        if (uses) return `${infoOf(kind).label} ${row.name}`;
      }
    }
    return undefined;
  }

  #register(request: Request): Row {
    const { poolId, address, port } = request as { poolId: string; address: string; port: number };
    this.registered.push(`register ${address}:${port}`);
    const known = this.rows("backend").find(
      (row) => row.poolId === poolId && row.address === address && row.port === port,
    );
    if (known !== undefined) return known;
    const spec = parseSpec("backend", { ttlS: 15, ...withoutZeros(request) });
    if (!spec.ok) throw invalid(spec.violations);
    const row = this.#newRow("backend", spec.value);
    this.#check("backend", row);
    this.#insert("backend", row);
    return row;
  }

  #deregister(request: Request): { readonly message: object; readonly row: Row } {
    const { poolId, address, port } = request as { poolId: string; address: string; port: number };
    const row = this.rows("backend").find(
      (each) => each.poolId === poolId && each.address === address && each.port === port,
    );
    if (row === undefined) throw new ConnectError(`backend ${address}:${port} does not exist`, Code.NotFound);
    this.registered.push(`deregister ${address}:${port}`);
    return { message: {}, row: row };
  }

  #status(id: string): Message {
    const loadBalancer = this.#require("loadBalancer", id) as unknown as Entities["loadBalancer"];
    const status = { provisioningStatus: 4, operatingStatus: 1, statusReason: "" };
    const pools = this.rows("pool")
      .filter(({ loadBalancerId }) => loadBalancerId === id)
      .map((pool) => ({
        ...status,
        id: pool.id,
        name: pool.name,
        algorithm: api.PoolAlgorithm[pool.algorithm],
        backends: this.rows("backend")
          .filter(({ poolId }) => poolId === pool.id)
          .map(({ id: backendId, name, address, port, weight }) => ({
            ...status,
            id: backendId,
            name,
            address,
            port,
            weight,
            status: 1,
          })),
      }));
    const listeners = this.rows("listener")
      .filter(({ loadBalancerId }) => loadBalancerId === id)
      .map(({ id: listenerId, name, protocol, port, defaultPoolId }) => ({
        ...status,
        id: listenerId,
        name,
        port,
        protocol: api.ListenerProtocol[protocol],
        pools: pools.filter((pool) => pool.id === defaultPoolId),
      }));
    const { name, vipAddress } = loadBalancer;
    return create(api.LoadBalancerStatusSchema, { ...status, id, name, vipAddress, listeners, pools } as never);
  }
}

const withoutZeros = (request: Request): Request =>
  Object.fromEntries(
    Object.entries(request).filter(([key, value]) => !key.startsWith("$") && value !== "" && value !== undefined),
  );

function toConnectError(error: unknown): unknown {
  if (!(error instanceof DomainError) || error.detail.kind !== "invalid") return error;
  const { violations } = error.detail;
  const details = [
    {
      desc: api.googleRpc.BadRequestSchema,
      value: { fieldViolations: violations.map((violation) => ({ ...violation })) },
    },
  ];
  return new ConnectError(error.message, Code.InvalidArgument, undefined, details);
}
