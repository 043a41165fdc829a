import type { DescMessage } from "@bufbuild/protobuf";
import type { ResourceKind } from "@fiberlb/types";

/** Ends of the names of fields that hold ids, and what they are ids of. */
const REFERENCES: readonly (readonly [RegExp, ResourceKind])[] = [
  [/^load_balancer_id$/, "loadBalancer"],
  [/^listener_id$/, "listener"],
  [/^l7_policy_id$/, "l7Policy"],
  [/(^|_)pool_id$/, "pool"],
  [/(^|_)certificate_ids?$/, "certificate"],
];

/** The kind of resource whose id a field holds, by the field's name in snake_case; undefined for other fields. */
export const referencedKind = (name: string): ResourceKind | undefined =>
  REFERENCES.find(([pattern]) => pattern.test(name))?.[1];

/** Names of a message's fields, as people write them. */
export const fieldNames = (schema: DescMessage): readonly string[] => schema.fields.map(({ jsonName }) => jsonName);
