import { entityFromMessage, type FiberlbClient } from "@fiberlb/api";
import { type Entities, formatHostPort, type ResourceKind, specOf } from "@fiberlb/types";

import { infoOf } from "../kinds.ts";
import { type ListFilter, listResources } from "../rpc.ts";
import { titleOf } from "./desired.ts";
import { ownFields } from "./effective.ts";
import type { Fields } from "./file-fields.ts";
import { fingerprints } from "./read-file.ts";

/** A resource that the server has. */
export interface Actual {
  readonly kind: ResourceKind;
  readonly id: string;
  readonly revision: number;
  readonly title: string;
  /** What a client can write, with effective values, as files have it: names for ids. */
  readonly fields: Fields;
  /** Of a policy: its place among its listener's, from 0. */
  readonly place: number;
  readonly children: readonly Actual[];
}

/** What there is, as far as an apply or export needs it. */
export interface ActualState {
  /** Load balancers, those that were not asked for without children; certificates; VIP pools. */
  readonly resources: readonly Actual[];
  /** Listeners and pools of other load balancers that name certificates, with the path of each. */
  readonly certificateUsers: readonly CertificateUser[];
}

/** A listener or pool outside the declared load balancers. */
export interface CertificateUser {
  readonly actual: Actual;
  /** `other/https`. */
  readonly path: string;
}

/** How much to read. */
export interface LoadOptions {
  /** Whether what is below this load balancer is wanted. */
  readonly withChildren: (name: string) => boolean;
  readonly vipPools: boolean;
  /** Whether users of certificates in other load balancers are wanted. */
  readonly certificateUsers: boolean;
}

/** Reads the state of the project. */
export async function loadActual(client: FiberlbClient, options: LoadOptions): Promise<ActualState> {
  return new ActualLoader(client).load(options);
}

class ActualLoader {
  readonly #client: FiberlbClient;
  readonly #names = new Map<string, string>();

  constructor(client: FiberlbClient) {
    this.#client = client;
  }

  async load({ withChildren, vipPools, certificateUsers }: LoadOptions): Promise<ActualState> {
    const certificates = await this.#list("certificate");
    const pools = vipPools ? await this.#list("vipPool") : [];
    const loadBalancers = await this.#list("loadBalancer");
    const [wanted, others] = partition(loadBalancers, ({ name }) => withChildren(name));
    const trees = await Promise.all(wanted.map((entity) => this.#tree("loadBalancer", entity)));
    const bare = others.map((entity) => this.#node("loadBalancer", entity, []));
    return {
      resources: [
        ...pools.map((entity) => this.#node("vipPool", entity, [])),
        ...certificates.map((entity) => this.#node("certificate", entity, [])),
        ...inOrder(loadBalancers, [...trees, ...bare]),
      ],
      certificateUsers: certificateUsers ? await this.#certificateUsers(others) : [],
    };
  }

  async #list<K extends ResourceKind>(kind: K, filter?: ListFilter): Promise<readonly Entities[K][]> {
    const messages = await listResources(this.#client, kind, filter);
    const entities = messages.map((message) => entityFromMessage(kind, message));
    for (const { id, name } of entities) this.#names.set(id, name);
    return entities;
  }

  /** Pools come before listeners, so that their names are known when listeners and policies name them. */
  async #tree(kind: ResourceKind, entity: Entities[ResourceKind]): Promise<Actual> {
    const children: Actual[] = [];
    for (const child of childKinds(kind)) {
      const entities = await this.#list(child, { [`${kind}Id`]: entity.id });
      children.push(...(await Promise.all(byPosition(entities).map((one) => this.#tree(child, one)))));
    }
    return this.#node(kind, entity, children);
  }

  #node(kind: ResourceKind, entity: Entities[ResourceKind], children: readonly Actual[]): Actual {
    const spec = specOf(kind, entity as never) as object;
    const fields = ownFields(kind, spec, (_kind, id) => this.#names.get(id) ?? id);
    const { id, revision } = entity;
    const place = "position" in entity ? entity.position - 1 : 0;
    return { kind, id, revision, title: titleOf(kind, fields, ""), fields, place, children };
  }

  async #certificateUsers(others: readonly Entities["loadBalancer"][]): Promise<readonly CertificateUser[]> {
    const names = new Map(others.map(({ id, name }) => [id as string, name]));
    const [pools, listeners] = [await this.#list("pool"), await this.#list("listener")];
    const users = [
      ...pools.map((entity) => ["pool", entity] as const),
      ...listeners.map((entity) => ["listener", entity] as const),
    ];
    return users.flatMap(([kind, entity]): CertificateUser[] => {
      const loadBalancer = names.get(entity.loadBalancerId);
      return loadBalancer === undefined
        ? []
        : [{ actual: this.#node(kind, entity, []), path: `${loadBalancer}/${entity.name}` }];
    });
  }
}

const CHILD_ORDER: readonly ResourceKind[] = ["pool", "listener", "healthCheck", "backend", "l7Policy", "l7Rule"];

/** Kinds below a kind, what is named by others first. */
export const childKinds = (kind: ResourceKind): readonly ResourceKind[] =>
  infoOf(kind).children.toSorted((a, b) => CHILD_ORDER.indexOf(a) - CHILD_ORDER.indexOf(b));

/** Policies stand in the order that they are asked in. */
const byPosition = (entities: readonly Entities[ResourceKind][]): readonly Entities[ResourceKind][] =>
  entities.toSorted((a, b) => ("position" in a && "position" in b ? a.position - b.position : 0));

function inOrder(entities: readonly { readonly id: string }[], nodes: readonly Actual[]): readonly Actual[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  return entities.flatMap(({ id }) => byId.get(id) ?? []);
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): readonly [readonly T[], readonly T[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}

/** What says whether two certificates are the same: SHA-256 of each of the chain. */
export const certificateContent = ({ fields }: { readonly fields: Fields }): string =>
  fingerprints(String(fields["certificatePem"])).join(" ");

/** Where traffic of a backend goes: its identity in its pool. */
export const backendAddress = ({ fields }: { readonly fields: Fields }): string =>
  formatHostPort(String(fields["address"]), Number(fields["port"]));
