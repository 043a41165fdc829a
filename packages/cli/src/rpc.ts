import { create, type DescMessage, type DescMethod, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import type { FiberlbClient, Plain, ResourceMessage } from "@fiberlb/api";
import { createRequestSchemas, resourceSchemas, toMessage } from "@fiberlb/api";
import { type ResourceKind, toSnakeCase } from "@fiberlb/types";

import { infoOf, type Kind, type KindInfo } from "./kinds.ts";

/** What a List call can be narrowed by; parents by their id field, `loadBalancerId`. */
export type ListFilter = Readonly<Record<string, unknown>>;

/** An answer together with the message type that it is of, for printing. */
export interface Answer {
  readonly schema: DescMessage;
  readonly message: Message;
}

/** Every page of a list is as large as the server allows. */
const PAGE_SIZE = 1000;

const lowerFirst = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);

type Method = (request: object) => Promise<Message>;

/** One call by the kind's conventions: `verb` is Create, Get, List, Update or Delete. */
async function call(
  client: FiberlbClient,
  { kind, verb }: { kind: Kind; verb: string },
  request: Plain,
): Promise<Answer> {
  const info = infoOf(kind);
  const name = lowerFirst(`${verb}${verb === "List" ? info.rpc.many : info.rpc.one}`);
  const method = (info.service.method as Readonly<Record<string, DescMethod>>)[name];
  const send = (client[info.client] as unknown as Readonly<Record<string, Method>>)[name];
  if (method === undefined || send === undefined) throw new TypeError(`${info.service.typeName} has no ${name}`);
  const message = await send(create(method.input, request as MessageInitShape<DescMessage>));
  return { schema: method.output, message };
}

const fieldOf = (answer: Answer, name: string): unknown => (answer.message as unknown as Plain)[name];

/** Name of the field in answers: `loadBalancer`, `loadBalancers`. */
export const listField = (info: KindInfo): string => lowerFirst(info.rpc.many);
export const oneField = (info: KindInfo): string => lowerFirst(info.rpc.one);

/** The resource in an answer to Create, Get or Update. */
export const resourceIn = <K extends ResourceKind>(kind: K, answer: Answer): ResourceMessage<K> =>
  fieldOf(answer, oneField(infoOf(kind))) as ResourceMessage<K>;

/** The resources in an answer to List. */
export const resourcesIn = <K extends ResourceKind>(kind: K, answer: Answer): readonly ResourceMessage<K>[] =>
  itemsIn(infoOf(kind), answer) as readonly ResourceMessage<K>[];

/** {@link resourcesIn} for any kind. */
export const itemsIn = (info: KindInfo, answer: Answer): readonly Message[] =>
  fieldOf(answer, listField(info)) as readonly Message[];

/** Get; VIP pools and nodes by name, too. */
export const getOne = (client: FiberlbClient, kind: Kind, id: string): Promise<Answer> =>
  call(client, { kind, verb: "Get" }, kind === "node" ? { name: id } : { id });

/** All pages of a List, as one answer. */
export async function listAll(client: FiberlbClient, kind: Kind, filter: ListFilter = {}): Promise<Answer> {
  const field = listField(infoOf(kind));
  const items: unknown[] = [];
  for (let pageToken = ""; ;) {
    const page = await call(client, { kind, verb: "List" }, { ...filter, pageSize: PAGE_SIZE, pageToken });
    items.push(...(fieldOf(page, field) as readonly unknown[]));
    pageToken = fieldOf(page, "nextPageToken") as string;
    if (pageToken === "") return { schema: page.schema, message: Object.assign(page.message, { [field]: items }) };
  }
}

/** The resources of a kind, from all pages. */
export const listResources = async <K extends ResourceKind>(
  client: FiberlbClient,
  kind: K,
  filter?: ListFilter,
): Promise<readonly ResourceMessage<K>[]> => resourcesIn(kind, await listAll(client, kind, filter));

/** Create from the domain's field names and short enum names. */
export const createOne = (client: FiberlbClient, kind: ResourceKind, spec: Readonly<Plain>): Promise<Answer> =>
  call(client, { kind, verb: "Create" }, toMessage(createRequestSchemas[kind], spec));

/** What an Update sends. */
export interface UpdateInput {
  readonly id: string;
  /** Absent: whatever it is. */
  readonly revision?: bigint;
  /** Holds the fields of the mask; a field of the mask that it lacks gets its default. */
  readonly patch: Readonly<Plain>;
  /** camelCase or snake_case paths. */
  readonly mask: readonly string[];
  readonly validateOnly?: boolean;
}

/** Changes the fields of the mask. */
export function updateOne(client: FiberlbClient, kind: ResourceKind, input: UpdateInput): Promise<Answer> {
  const { id, revision, patch, mask, validateOnly = false } = input;
  const own = revision === undefined ? { id } : { id, revision };
  const resource = toMessage(resourceSchemas[kind], patch, own);
  const updateMask = { paths: mask.map(toSnakeCase) };
  return call(client, { kind, verb: "Update" }, { [oneField(infoOf(kind))]: resource, updateMask, validateOnly });
}

/** How a Delete goes about it. */
export interface DeleteInput {
  readonly id: string;
  readonly cascade?: boolean;
  readonly validateOnly?: boolean;
}

/** Deletes; VIP pools know no cascade. */
export const deleteOne = (client: FiberlbClient, kind: ResourceKind, { id, cascade, validateOnly }: DeleteInput) =>
  call(
    client,
    { kind, verb: "Delete" },
    {
      id,
      validateOnly: validateOnly ?? false,
      ...(kind !== "vipPool" && { cascade: cascade ?? false }),
    },
  );
