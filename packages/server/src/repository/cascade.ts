import { type KeyValue, type Op, prefixRange } from "@fiberlb/store";
import { labelOf } from "@fiberlb/types";

import { decodeJson } from "./codec.ts";
import { type CascadeRecord, CHILD_KINDS, removalOf } from "./delete.ts";
import { type Stored, toStored } from "./entity-reader.ts";
import { childrenPrefix, DELETING_PREFIX, lastPart, type Location, type TreeKind } from "./keys.ts";
import { type Plan, transact } from "./transaction.ts";
import type { WriteContext } from "./write-context.ts";

/** Operations of one step; a transaction may have 128. */
const OPS_PER_STEP = 100;
/** Entities read for one step. */
const CHILDREN_PER_STEP = 100;

/**
 * Deletes what is below a marked entity, leaves first, in steps of one transaction each, and the entity with its mark last.
 * Stopped at any point, it goes on from there when called again; two that run at once do no harm.
 */
export async function runCascade(context: WriteContext, mark: CascadeRecord): Promise<void> {
  await removeBelow(context, mark);
  const { kind, id } = mark.location;
  await transact(context.store, () => planEnd(context, mark), { what: `${labelOf(kind)} ${id}` });
}

async function planEnd(context: WriteContext, { tenant, location }: CascadeRecord): Promise<Plan<void>> {
  const stored = await context.reader.at(tenant, location);
  return stored === undefined ? { conditions: [], ops: [], result: undefined } : removalOf(context, stored);
}

/** Cascades that a crash or a lost store interrupted. */
export async function pendingCascades(context: WriteContext): Promise<CascadeRecord[]> {
  const { kvs } = await context.store.range(prefixRange(DELETING_PREFIX));
  return kvs.map(({ value }) => decodeJson(value) as CascadeRecord);
}

async function removeBelow(context: WriteContext, { tenant, location }: CascadeRecord): Promise<void> {
  for (const kind of CHILD_KINDS[location.kind]) {
    for (;;) {
      const children = await readChildren(context, { tenant, location }, kind);
      if (children.length === 0) break;
      for (const child of children) await removeBelow(context, child);
      await removeAll(context, children);
    }
  }
}

async function readChildren(
  context: WriteContext,
  { tenant, location }: CascadeRecord,
  kind: TreeKind,
): Promise<Stored[]> {
  const at = { kind, loadBalancerId: location.loadBalancerId, parentId: location.id };
  const range = prefixRange(childrenPrefix(tenant, at));
  const { kvs } = await context.store.range({ ...range, limit: CHILDREN_PER_STEP });
  const toLocation = ({ key }: KeyValue): Location => ({ ...at, id: lastPart(key) });
  return kvs.map((kv) => toStored(tenant, toLocation(kv), kv));
}

async function removeAll(context: WriteContext, entities: readonly Stored[]): Promise<void> {
  let step = new Map<string, Op>();
  const commit = async (): Promise<void> => {
    if (step.size > 0) await context.store.txn({ success: [...step.values()] });
    step = new Map();
  };
  for (const entity of entities) {
    const { ops } = await removalOf(context, entity);
    if (step.size + ops.length > OPS_PER_STEP) await commit();
    // The unit is touched once a step, whatever number of entities goes.
    for (const op of ops) step.set(opKey(op), op);
  }
  await commit();
}

const opKey = (op: Op): string => (op.type === "range" || op.type === "deleteRange" ? `${op.start}…${op.end}` : op.key);
