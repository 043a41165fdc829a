import { createRequestSchemas, describeError, type FiberlbClient, type Plain } from "@fiberlb/api";
import type { ResourceKind } from "@fiberlb/types";

import { refusal } from "../exit.ts";
import { infoOf } from "../kinds.ts";
import { createOne, deleteOne, resourceIn, updateOne } from "../rpc.ts";
import { fileName, type IdOf, toIds } from "./file-fields.ts";
import { type Address, addressOf, type CreateOperation, type Operation, type UpdateOperation } from "./operations.ts";

/** Ids of what exists by its address; grows as things are made. */
export type Registry = Map<Address, string>;

/** Carries out operations against a server. */
export class Executor {
  readonly #client: FiberlbClient;
  readonly #registry: Registry;

  constructor(client: FiberlbClient, registry: Registry) {
    this.#client = client;
    this.#registry = new Map(registry);
  }

  /**
   * Asks the server, before anything is changed, whether it would accept each operation that stands on its own: what hangs on
   * something that is yet to be made, or to go first, has been checked as far as it can be without.
   * @throws CliExit that says which operation the server refuses
   */
  async validate(operations: readonly Operation[]): Promise<void> {
    const isMade = new Set(operations.flatMap((operation) => (operation.type === "create" ? [operation.address] : [])));
    const hasEarlier = operations.some(({ type }) => type === "delete");
    for (const operation of operations) {
      if (!this.#standsAlone(operation, { isMade, hasEarlier })) continue;
      try {
        await this.#perform(operation, true);
      } catch (error) {
        throw refusal(`cannot ${describeOperation(operation)}: ${describeError(error)}; nothing was changed`);
      }
    }
  }

  #standsAlone(
    operation: Operation,
    { isMade, hasEarlier }: { isMade: ReadonlySet<Address>; hasEarlier: boolean },
  ): boolean {
    if (operation.type === "delete") return operation.kind === "loadBalancer";
    if (operation.type === "create" && operation.parent !== undefined && isMade.has(operation.parent)) return false;
    if (operation.type === "update" && operation.does !== undefined) return false;
    if (operation.type === "create" && hasEarlier && EXCLUSIVE.has(operation.kind)) return false;
    return this.#namesOnlyExisting(operation, isMade);
  }

  #namesOnlyExisting(
    { kind, fields, scope }: CreateOperation | UpdateOperation,
    isMade: ReadonlySet<Address>,
  ): boolean {
    let isKnown = true;
    toIds(createRequestSchemas[kind], fields, (referenced, name) => {
      const address = referenceAddress(referenced, name, scope);
      if (isMade.has(address) || !this.#registry.has(address)) isKnown = false;
      return undefined;
    });
    return isKnown;
  }

  /** @throws whatever the server answers */
  async run(operation: Operation): Promise<void> {
    await this.#perform(operation, false);
  }

  async #perform(operation: Operation, validateOnly: boolean): Promise<void> {
    switch (operation.type) {
      case "create":
        return this.#create(operation, validateOnly);
      case "update":
        return this.#update(operation, validateOnly);
      case "delete": {
        const { kind, id } = operation;
        await deleteOne(this.#client, kind, { id, cascade: true, validateOnly });
      }
    }
  }

  async #create(operation: CreateOperation, validateOnly: boolean): Promise<void> {
    const { kind, address, parent, position } = operation;
    const parentKind = infoOf(kind).parent;
    const spec = {
      ...this.#withIds(operation),
      ...(parent !== undefined && { [`${parentKind}Id`]: this.#registry.get(parent) }),
      ...(position !== undefined && { position }),
      validateOnly,
    };
    const answer = await createOne(this.#client, kind, spec);
    if (!validateOnly) this.#registry.set(address, resourceIn(kind, answer).id);
  }

  async #update(operation: UpdateOperation, validateOnly: boolean): Promise<void> {
    const { kind, address, revision, mask, position } = operation;
    const names = apiNames(kind);
    await updateOne(this.#client, kind, {
      id: this.#registry.get(address) ?? "",
      ...(revision !== undefined && { revision: BigInt(revision) }),
      patch: { ...this.#withIds(operation), ...(position !== undefined && { position }) },
      mask: mask.map((name) => names.get(name) ?? name),
      validateOnly,
    });
  }

  #withIds({ kind, fields, scope }: CreateOperation | UpdateOperation): Plain {
    const idOf: IdOf = (referenced, name) => this.#registry.get(referenceAddress(referenced, name, scope));
    return { ...toIds(createRequestSchemas[kind], fields, idOf) };
  }
}

/** Kinds with something that only one of them can hold, which another one may give up first. */
const EXCLUSIVE: ReadonlySet<ResourceKind> = new Set(["loadBalancer", "listener", "healthCheck"]);

/** Pools are named within their load balancer. */
const referenceAddress = (kind: ResourceKind, name: string, scope: string): Address =>
  addressOf(kind, kind === "pool" ? [scope, name] : [name]);

/** Files' names of fields → the API's. */
const apiNames = (kind: ResourceKind): ReadonlyMap<string, string> =>
  new Map(createRequestSchemas[kind].fields.map((field) => [fileName(field), field.jsonName]));

/** `create pool web/app`. */
export const describeOperation = (operation: Operation): string =>
  (operation.type === "update" ? operation.does : undefined) ?? `${VERBS[operation.type]} ${operation.label}`;

const VERBS = { create: "create", update: "change", delete: "delete" } as const;
