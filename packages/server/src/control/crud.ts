import type { MessageShape } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import {
  createRequestSchemas,
  fieldMaskPaths,
  fromCreateRequest,
  fromMessage,
  type ResourceMessage,
  resourceSchemas,
} from "@fiberlb/api";
import { type Entities, invalid, parseSpec, type Specs, toSnakeCase, type Violation } from "@fiberlb/types";

import type { Stored } from "../repository/entity-reader.ts";
import type { Tenant, TenantKind } from "../repository/keys.ts";
import { parentKindOf } from "../repository/kinds.ts";
import type { Repository } from "../repository/repository.ts";
import { tenantOf } from "./auth/tenant.ts";
import { bodyHash } from "./body-hash.ts";
import { decodePageToken, encodePageToken, pageSizeOf } from "./paging.ts";
import type { Presenter } from "./presenter.ts";
import {
  idViolations,
  type ListRequest,
  listViolations,
  requestIdViolations,
  updateViolations,
} from "./request-checks.ts";

/** Names of the lists in List answers. */
export interface Plurals {
  loadBalancer: "loadBalancers";
  listener: "listeners";
  pool: "pools";
  backend: "backends";
  healthCheck: "healthChecks";
  l7Policy: "l7Policies";
  l7Rule: "l7Rules";
  certificate: "certificates";
}

/** What a rule between entities judges. */
export interface RuleInput<K extends TenantKind> {
  readonly tenant: Tenant;
  /** The entity to be, without what the server adds. */
  readonly wanted: Specs[K];
  readonly parent: Stored | undefined;
  /** With Update: what stands. */
  readonly before?: Entities[K];
}

/** What one kind of resource adds to the calls that all have. */
export interface Resource<K extends TenantKind> {
  readonly kind: K;
  readonly plural: Plurals[K];
  /** Rules that need other entities; throws when one of those does not exist. */
  readonly rules?: (input: RuleInput<K>) => Promise<readonly Violation[]>;
  /** What the server reads out of a spec, or changes in it, before it is stored. */
  readonly prepare?: (spec: Specs[K]) => Promise<Prepared<K>>;
}

/** A spec as it is stored, and what was read out of it. */
export interface Prepared<K extends TenantKind> {
  readonly spec: Specs[K];
  readonly record: Partial<Entities[K]>;
}

export interface CrudOptions {
  readonly repository: Repository;
  readonly presenter: Presenter;
}

type UpdateRequestOf<K extends TenantKind> = { readonly [P in K]?: ResourceMessage<K> | undefined } & {
  readonly updateMask?: FieldMask | undefined;
  readonly validateOnly: boolean;
};
type Answer<K extends TenantKind> = { [P in K]: ResourceMessage<K> };
type ListAnswer<K extends TenantKind> = { [P in Plurals[K]]: ResourceMessage<K>[] } & { nextPageToken: string };

/** The five calls of a resource. */
export interface Crud<K extends TenantKind> {
  readonly create: (
    request: MessageShape<(typeof createRequestSchemas)[K]>,
    context: HandlerContext,
  ) => Promise<Answer<K>>;
  readonly get: (request: { readonly id: string }, context: HandlerContext) => Promise<Answer<K>>;
  readonly list: (request: ListRequest, context: HandlerContext) => Promise<ListAnswer<K>>;
  readonly update: (request: UpdateRequestOf<K>, context: HandlerContext) => Promise<Answer<K>>;
  readonly delete: (
    request: { readonly id: string; readonly cascade: boolean; readonly validateOnly: boolean },
    context: HandlerContext,
  ) => Promise<object>;
}

/** One implementation of Create, Get, List, Update and Delete for all kinds that belong to a tenant. */
export function createCrud<K extends TenantKind>(resource: Resource<K>, options: CrudOptions): Crud<K> {
  const { repository, presenter } = options;
  const { kind, plural } = resource;
  const answer = async (stored: Stored<K>): Promise<Answer<K>> => {
    const [message] = await presenter.present(kind, [stored]);
    return { [kind]: message } as Answer<K>;
  };
  return {
    async create(request, context) {
      const written = await runCreate(resource, repository, { request, context });
      if (written.changed) await presenter.waitUntilActive(written.stored);
      return request.validateOnly
        ? ({ [kind]: presenter.preview(kind, written.stored) } as Answer<K>)
        : answer(written.stored);
    },
    async get({ id }, context) {
      refuse(idViolations("id", id));
      return answer(await repository.get(tenantOf(context), kind, id.toLowerCase()));
    },
    async list(request, context) {
      const page = await runList(resource, repository, { request, context });
      const items = await presenter.present(kind, page.items);
      return { [plural]: items, nextPageToken: page.nextPageToken } as unknown as ListAnswer<K>;
    },
    async update(request, context) {
      return answer(await runUpdate(resource, repository, { request, context }));
    },
    async delete({ id, cascade, validateOnly }, context) {
      refuse(idViolations("id", id));
      await repository.delete({ tenant: tenantOf(context), kind, id: id.toLowerCase(), cascade, validateOnly });
      return {};
    },
  };
}

interface Call<Request> {
  readonly request: Request;
  readonly context: HandlerContext;
}

async function runCreate<K extends TenantKind>(
  resource: Resource<K>,
  repository: Repository,
  { request, context }: Call<MessageShape<(typeof createRequestSchemas)[K]>>,
) {
  const { kind, rules, prepare } = resource;
  const tenant = tenantNames(context);
  const { input, requestId, validateOnly } = fromCreateRequest(createRequestSchemas[kind], request as never);
  const parsed = parseSpec(kind, input);
  refuse([...(parsed.ok ? [] : parsed.violations.map(withoutSecret)), ...requestIdViolations(requestId)]);
  if (!parsed.ok) throw new Error("Cannot refuse a bad spec: it has no violations");
  const prepared: Prepared<K> =
    prepare === undefined ? { spec: parsed.value, record: {} } : await prepare(parsed.value);
  return repository.create({
    tenant,
    kind,
    ...prepared,
    validateOnly,
    request: requestId === "" ? undefined : { method: context.method.name, requestId, bodyHash: bodyHash(input) },
    check: async (parent) => refuse((await rules?.({ tenant, wanted: parsed.value, parent })) ?? []),
  });
}

async function runList<K extends TenantKind>(
  { kind }: Resource<K>,
  repository: Repository,
  { request, context }: Call<ListRequest>,
) {
  const parentKind = parentKindOf(kind);
  const parentField = parentKind === undefined ? undefined : `${parentKind}Id`;
  refuse(listViolations(request, parentField));
  const given =
    parentField === undefined ? "" : (((request as unknown as Record<string, unknown>)[parentField] as string) ?? "");
  const parentId = given === "" ? undefined : given.toLowerCase();
  const name = request.name === "" ? undefined : request.name;
  const query = { tenant: tenantNames(context), kind, parentId, name, tags: request.tags };
  const afterId = decodePageToken(request.pageToken, query);
  const page = await repository.list({ ...query, limit: pageSizeOf(request.pageSize), afterId });
  const nextPageToken = page.nextAfterId === undefined ? "" : encodePageToken(page.nextAfterId, query);
  return { items: page.items, nextPageToken };
}

async function runUpdate<K extends TenantKind>(
  { kind, rules }: Resource<K>,
  repository: Repository,
  { request, context }: Call<UpdateRequestOf<K>>,
): Promise<Stored<K>> {
  const tenant = tenantNames(context);
  const message = request[kind] as (ResourceMessage<K> & { id: string; revision: bigint }) | undefined;
  const mask = fieldMaskPaths(request.updateMask);
  refuse(updateViolations(toSnakeCase(kind), message?.id, mask));
  const id = (message as { id: string }).id.toLowerCase();
  const sent = (message as { revision: bigint }).revision;
  const { stored } = await repository.update({
    tenant,
    kind,
    id,
    mask,
    revision: sent === 0n ? undefined : Number(sent),
    patch: fromMessage(resourceSchemas[kind], message as never),
    validateOnly: request.validateOnly,
    check: async ({ location, entity }) => {
      if (rules === undefined) return;
      const parentKind = parentKindOf(kind);
      const parent = parentKind === undefined ? undefined : await repository.get(tenant, parentKind, location.parentId);
      refuse(await rules({ tenant, wanted: entity as unknown as Specs[K], parent, before: entity }));
    },
  });
  return stored;
}

const tenantNames = (context: HandlerContext): Tenant => {
  const { orgId, projectId } = tenantOf(context);
  return { orgId, projectId };
};

/** Descriptions quote the value; that of a private key must stand in no answer and no log. */
const withoutSecret = (violation: Violation): Violation =>
  violation.field === "private_key_pem" && violation.reason !== "REQUIRED"
    ? { ...violation, description: violation.description.replace(/,? not ".*$/s, "") }
    : violation;

function refuse(violations: readonly Violation[]): void {
  if (violations.length > 0) throw invalid(violations);
}
