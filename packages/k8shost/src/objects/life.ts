import { create, clone, equals } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Condition, ConditionSchema, type ObjectMeta, ObjectMetaSchema } from "@fiberlb/api/k8shost";

/** Whose an object is. */
interface Owner {
  readonly orgId: string;
  readonly projectId: string;
}

export const DEFAULT_NAMESPACE = "default";

/** Metadata of a new object: what the client may say, and what only the server says. */
export function newMeta(
  asked: ObjectMeta | undefined,
  { uid, epochMs, owner }: { readonly uid: string; readonly epochMs: number; readonly owner: Owner },
): ObjectMeta {
  const { name = "", namespace = "", labels = {}, annotations = {}, finalizers = [] } = asked ?? {};
  return create(ObjectMetaSchema, {
    name,
    namespace: namespace === "" ? DEFAULT_NAMESPACE : namespace,
    labels,
    annotations,
    finalizers,
    uid,
    orgId: owner.orgId,
    projectId: owner.projectId,
    createdAt: timestampFromMs(epochMs),
    generation: 1n,
    ...(asked?.owner !== undefined && { owner: asked.owner }),
  });
}

/** One condition a type, the last one given; the time of the last change is kept while the status is the same. */
export function settledConditions(
  before: readonly Condition[],
  after: readonly Condition[],
  epochMs: number,
): Condition[] {
  const byType = new Map(after.map((condition) => [condition.type, condition]));
  return Array.from(byType.values(), (condition) => {
    const old = before.find(({ type }) => type === condition.type);
    const settled = clone(ConditionSchema, condition);
    if (old?.status === condition.status && old.lastTransitionTime !== undefined)
      settled.lastTransitionTime = old.lastTransitionTime;
    else settled.lastTransitionTime ??= timestampFromMs(epochMs);
    return settled;
  });
}

/** The list with one condition set; the same list when nothing but its time would change. */
export function withCondition(
  conditions: readonly Condition[],
  wanted: Omit<Condition, "$typeName" | "$unknown" | "observedGeneration" | "lastTransitionTime">,
  epochMs: number,
): Condition[] {
  const next = create(ConditionSchema, { ...wanted });
  const old = conditions.find(({ type }) => type === wanted.type);
  const [settled] = settledConditions(conditions, [next], epochMs);
  if (settled === undefined || (old !== undefined && equals(ConditionSchema, old, settled))) return [...conditions];
  return old === undefined
    ? [...conditions, settled]
    : conditions.map((condition) => (condition.type === wanted.type ? settled : condition));
}

/** Whether the condition is there and true. */
export const isTrue = (conditions: readonly Condition[] | undefined, type: string): boolean =>
  conditions?.some((condition) => condition.type === type && condition.status === 1) ?? false;
