import type { ResourceKind } from "@fiberlb/types";

/** Kinds that the controller writes. */
export type WrittenKind = Extract<ResourceKind, "loadBalancer" | "listener" | "pool" | "backend" | "healthCheck">;

/** A field whose value is the id of something that an operation before makes. */
export interface Reference {
  readonly ref: string;
}

type FieldValue = unknown;

/** Fields as the domain names them; a {@link Reference} where the id is not known yet. */
export type Fields = Readonly<Record<string, FieldValue>>;

interface AnyOperation {
  readonly kind: WrittenKind;
  /** When it comes, lower first; those of one phase have nothing to do with each other. */
  readonly phase: number;
  /** For people: `backend web-1@10.0.0.7:8080`. */
  readonly label: string;
}

/** Makes a resource. */
export interface CreateOperation extends AnyOperation {
  readonly type: "create";
  /** How others refer to it. */
  readonly ref?: string;
  readonly fields: Fields;
}

/** Changes the fields that are there. */
export interface UpdateOperation extends AnyOperation {
  readonly type: "update";
  readonly id: string;
  /** The change is refused when the resource is no longer as it was read. */
  readonly revision: number;
  readonly fields: Fields;
}

/** Deletes a resource with what is below it. */
export interface DeleteOperation extends AnyOperation {
  readonly type: "delete";
  readonly id: string;
}

/** One call of FiberLB's API. */
export type Operation = CreateOperation | UpdateOperation | DeleteOperation;

/** The order of things: make before break. */
export const PHASES = {
  loadBalancer: 0,
  pools: 1,
  /** The only one of a pool has to go before its successor comes. */
  healthCheckDeletes: 2,
  /** Before backends, so that a new one is judged from the start. */
  healthChecks: 3,
  backends: 4,
  /** Holds the port that its successor needs. */
  listenerReplacements: 5,
  listeners: 6,
  listenerDeletes: 7,
  backendDeletes: 8,
  poolDeletes: 9,
  loadBalancerDeletes: 10,
} as const;

/** For people: `create pool tcp-80`. */
export const describeOperation = ({ type, label }: Operation): string => `${type} ${label}`;
