import { createHash } from "node:crypto";

import { clone, create, type JsonValue, toJson } from "@bufbuild/protobuf";
import {
  type Deployment,
  ObjectMetaSchema,
  OwnerReferenceSchema,
  type Pod,
  PodSchema,
  PodSpecSchema,
  PodTemplateSchema,
} from "@fiberlb/api/k8shost";

import { metaOf } from "../objects/kinds.ts";

/** Says which template a Pod was made of. */
export const TEMPLATE_LABEL = "fiberlb.io/template-hash";
const HASH_CHARS = 10;

/** The same for equal templates, whatever order their maps are in. */
export function templateHash({ spec }: Deployment): string {
  const template = toJson(PodTemplateSchema, spec?.template ?? create(PodTemplateSchema));
  return createHash("sha256")
    .update(JSON.stringify(ordered(template)))
    .digest("hex")
    .slice(0, HASH_CHARS);
}

function ordered(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, ordered(inner)]));
}

/** A Pod of the template. `suffix` tells Pods of one template apart. */
export function podOf(
  deployment: Deployment,
  { hash, suffix }: { readonly hash: string; readonly suffix: string },
): Pod {
  const { name, namespace, uid } = metaOf(deployment);
  const template = deployment.spec?.template;
  return create(PodSchema, {
    metadata: create(ObjectMetaSchema, {
      name: `${name}-${hash}-${suffix}`,
      namespace,
      labels: { ...template?.labels, [TEMPLATE_LABEL]: hash },
      annotations: { ...template?.annotations },
      owner: create(OwnerReferenceSchema, { kind: "Deployment", name, uid }),
    }),
    ...(template?.spec !== undefined && { spec: clone(PodSpecSchema, template.spec) }),
  });
}
