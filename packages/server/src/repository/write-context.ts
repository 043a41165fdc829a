import type { Op, Store } from "@fiberlb/store";
import type { Entities, IdGenerator, Specs } from "@fiberlb/types";

import type { Clock } from "../clock.ts";
import type { EntityReader, Stored } from "./entity-reader.ts";
import type { Location, Tenant, TenantKind } from "./keys.ts";
import type { Requests } from "./requests.ts";
import type { Condition } from "./transaction.ts";

/** What a kind adds to a write. */
export interface Extension {
  readonly conditions?: readonly Condition[];
  readonly ops?: readonly Op[];
}

/** A Create being planned. */
export interface Creation<K extends TenantKind> {
  readonly tenant: Tenant;
  readonly location: Location;
  readonly spec: Specs[K];
  readonly parent: Stored | undefined;
  readonly validateOnly: boolean;
}

/** An Update being planned: what stood, and what the client wants. */
export interface Change<K extends TenantKind> {
  readonly before: Stored<K>;
  readonly after: Entities[K];
  readonly validateOnly: boolean;
}

/** What one kind does beyond what all do; all hooks are called again when a write is planned again. */
export interface KindHooks<K extends TenantKind> {
  readonly create?: (creation: Creation<K>) => Promise<Extension & { readonly record?: Partial<Entities[K]> }>;
  /** After the commit, whether it came about or not; for what `create` holds in memory. */
  readonly settled?: (id: string) => void;
  /** After the commit. */
  readonly created?: (stored: Stored<K>) => Promise<void>;
  readonly update?: (change: Change<K>) => Promise<Extension & { readonly entity?: Entities[K] }>;
  readonly remove?: (stored: Stored<K>) => Promise<Extension>;
}

export type Hooks = { readonly [K in TenantKind]: KindHooks<K> };

/** What all writes work with. */
export interface WriteContext {
  readonly store: Store;
  readonly reader: EntityReader;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  readonly requests: Requests;
  readonly hooks: Hooks;
}
