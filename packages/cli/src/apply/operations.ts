import type { ResourceKind } from "@fiberlb/types";

import type { Fields } from "./file-fields.ts";

/** Where a resource stands: its kind and the names from the load balancer down. It stays the same when it is replaced. */
export type Address = string;

/** The address of what has these names. */
export const addressOf = (kind: ResourceKind, path: readonly string[]): Address => `${kind} ${path.join("\u0000")}`;

interface AnyOperation {
  readonly kind: ResourceKind;
  /** For people: `pool web/app`. */
  readonly label: string;
  /** Name of the load balancer whose pools `fields` name. */
  readonly scope: string;
  /** When it comes; lower first. */
  readonly phase: number;
}

/** Makes a resource and remembers its id under its address. */
export interface CreateOperation extends AnyOperation {
  readonly type: "create";
  readonly address: Address;
  readonly parent?: Address;
  /** As files have them; the name may be a stand-in's. */
  readonly fields: Fields;
  /** From 1; of policies only. */
  readonly position?: number;
}

/** Changes fields of a resource. */
export interface UpdateOperation extends AnyOperation {
  readonly type: "update";
  readonly address: Address;
  /** Absent for what has just been created, or changed by an operation before. */
  readonly revision?: number;
  readonly fields: Fields;
  /** Names of fields as files have them. */
  readonly mask: readonly string[];
  readonly position?: number;
  /** What it does, where that is more to the point than the label: `rename … to …`. */
  readonly does?: string;
}

/** Deletes a resource with what is below it. */
export interface DeleteOperation extends AnyOperation {
  readonly type: "delete";
  readonly id: string;
}

/** One call of the API. */
export type Operation = CreateOperation | UpdateOperation | DeleteOperation;

/** The order of things: make before break. */
export const PHASES = {
  vipPools: 0,
  /** What holds an address, port or place that something new needs. */
  earlyDeletes: 1,
  certificates: 2,
  loadBalancers: 3,
  pools: 4,
  /** Health checks come before backends, so that a new backend gets no traffic before its first verdict. */
  healthChecks: 5,
  backends: 6,
  earlyListenerDeletes: 7,
  listeners: 8,
  policies: 9,
  enables: 10,
  deletes: 11,
  poolDeletes: 12,
  loadBalancerDeletes: 13,
  certificateDeletes: 14,
  renames: 15,
} as const;
