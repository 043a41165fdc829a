import type { Violations } from "../checks/violations.ts";
import type { Companions } from "./object-store.ts";

/** What is particular to one kind of objects. */
export interface Rules<T> {
  /** Fills in defaults, and takes out what is the server's to say. */
  readonly prepare: (object: T, context: RuleContext<T>) => void;
  /** All bad fields; `before` is absent at the creation. */
  readonly check: (object: T, context: RuleContext<T>) => void;
  /** What is written in the same transaction; `undefined` on the right is the object's end. */
  readonly beside?: (before: T | undefined, after: T | undefined) => Companions;
  /** Gives what has to be found out first, such as an address; called before each try. */
  readonly complete?: (object: T) => Promise<void>;
  /** Throws when what was asked for is why a write failed although the object is as expected; else it is tried again. */
  readonly explainConflict?: (asked: T) => Promise<void>;
  /** Whether an object that is to be deleted may go, apart from its finalizers. Default: yes. */
  readonly mayGo?: (object: T, epochMs: number) => boolean;
  /** Whether spec has changed. */
  readonly isSameSpec: (a: T, b: T) => boolean;
}

/** Beside the object, when it is checked or prepared. */
export interface RuleContext<T> {
  readonly before: T | undefined;
  readonly to: Violations;
}
