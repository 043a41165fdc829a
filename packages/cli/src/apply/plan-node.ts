import type { ResourceKind } from "@fiberlb/types";

import type { Actual } from "./actual.ts";
import type { Desired } from "./desired.ts";

/** One field that differs. */
export interface FieldChange {
  /** As files have it: `defaultPool`. */
  readonly name: string;
  readonly from: unknown;
  readonly to: unknown;
  /** Why, where the values do not show it: the pool of this name is another one from now on. */
  readonly note?: string;
}

/** What happens to one resource. */
export type Action = "keep" | "create" | "update" | "replace" | "delete";

/** One resource of the plan, with what is below it. */
export interface PlanNode {
  readonly action: Action;
  readonly kind: ResourceKind;
  /** Names from the load balancer down. */
  readonly path: readonly string[];
  /** What it will be; absent when it goes. */
  readonly desired?: Desired;
  /** What it is; absent when it is new. */
  readonly actual?: Actual;
  readonly changes: readonly FieldChange[];
  /** Of a policy that is made at, or moved to, a place among others: from 1. */
  readonly position?: number;
  readonly children: readonly PlanNode[];
}

/** Whether anything of the resource or below it changes. */
export const hasChanges = ({ action, children }: PlanNode): boolean => action !== "keep" || children.some(hasChanges);
