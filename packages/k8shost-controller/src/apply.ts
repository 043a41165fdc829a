import { Code } from "@connectrpc/connect";

import { codeOf, isRefusal, OperationError } from "./failure.ts";
import type { CreateOperation, Fields, Operation, Reference } from "./operations.ts";
import type { TenantApi } from "./tenant-api.ts";

/** Calls of one Service under way at once. */
const PARALLEL_CALLS = 8;

/** What carrying out a plan needs. */
export interface ApplyOptions {
  readonly api: TenantApi;
  /** For request ids: never the same twice. */
  readonly uuid: () => string;
}

/** What carrying out a plan came to. */
export interface Applied {
  readonly failures: readonly OperationError[];
  readonly ids: ReadonlyMap<string, string>;
}

/**
 * Carries out a plan, phase by phase. What the server refuses does not hold up the rest: backends go on following their Pods,
 * and what does not hang on the refused is made; only nothing is taken away for a successor that may be missing. Any other
 * failure ends the run after its phase, and the next one goes on from what is there then.
 *
 * @returns what failed, first things first, empty when all was done; and ids of what was made, by reference
 */
export async function apply(operations: readonly Operation[], options: ApplyOptions): Promise<Applied> {
  const context = { ...options, ids: new Map<string, string>() };
  const failures: OperationError[] = [];
  for (const phase of new Set(operations.map((one) => one.phase))) {
    const isCautious = failures.some(({ operation }) => operation.kind !== "backend");
    const now = operations.filter((one) => one.phase === phase && (!isCautious || isSafe(one, context.ids)));
    failures.push(...(await applyPhase(now, context)));
    if (failures.some(({ cause }) => !isRefusal(cause))) break;
  }
  return { failures, ids: context.ids };
}

/** Whether an operation makes sense although one before it was refused. */
const isSafe = (operation: Operation, ids: ReadonlyMap<string, string>): boolean =>
  operation.type === "delete"
    ? operation.kind === "backend"
    : Object.values(operation.fields).every((value) => !isReference(value) || ids.has(value.ref));

type Context = ApplyOptions & { readonly ids: Map<string, string> };

async function applyPhase(operations: readonly Operation[], context: Context): Promise<readonly OperationError[]> {
  const failures: OperationError[] = [];
  const waiting = operations.values();
  const work = async (): Promise<void> => {
    for (const operation of waiting) {
      try {
        await perform(operation, context);
      } catch (error) {
        failures.push(new OperationError(operation, error));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL_CALLS, operations.length) }, work));
  return failures;
}

async function perform(operation: Operation, context: Context): Promise<void> {
  const { api, ids } = context;
  switch (operation.type) {
    case "create": {
      const id = await create(operation, context);
      if (operation.ref !== undefined) ids.set(operation.ref, id);
      return;
    }
    case "update":
      return api.update(operation.kind, operation, resolve(operation.fields, ids));
    case "delete":
      return ignoringAbsence(api.delete(operation.kind, operation.id));
  }
}

/** A create whose answer was lost is asked for again under the same request id, and answered with what it has made. */
async function create({ kind, fields }: CreateOperation, { api, ids, uuid }: Context): Promise<string> {
  const requestId = uuid();
  const resolved = resolve(fields, ids);
  try {
    return await api.create(kind, resolved, requestId);
  } catch (error) {
    if (!mayHaveHappened(error)) throw error;
    return api.create(kind, resolved, requestId);
  }
}

const mayHaveHappened = (error: unknown): boolean =>
  codeOf(error) === Code.Unavailable || codeOf(error) === Code.DeadlineExceeded;

async function ignoringAbsence(call: Promise<void>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (codeOf(error) !== Code.NotFound) throw error;
  }
}

function resolve(fields: Fields, ids: ReadonlyMap<string, string>): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, isReference(value) ? idOf(value, ids) : value]),
  );
}

function idOf({ ref }: Reference, ids: ReadonlyMap<string, string>): string {
  const id = ids.get(ref);
  if (id === undefined) throw new TypeError(`Cannot refer to ${ref}: no operation before has made it`);
  return id;
}

const isReference = (value: unknown): value is Reference =>
  typeof value === "object" && value !== null && "ref" in value && typeof value.ref === "string";
