import type { ResourceKind } from "@fiberlb/types";

import { isRecord } from "../fields/check-keys.ts";
import type { PlanNode } from "./plan-node.ts";

/** Names of what will be another one from now on. */
export const replacedIn = (kind: Replaced["kind"], nodes: readonly PlanNode[]): Replaced => ({
  kind,
  names: new Set(
    nodes.filter((node) => node.action === "replace" && node.kind === kind).map(({ path }) => path.at(-1) ?? ""),
  ),
});

/** What is replaced: its kind, and its names. */
interface Replaced {
  readonly kind: "pool" | "certificate";
  readonly names: ReadonlySet<string>;
}

/** Fields that name pools or certificates, by what they name and whose they are. */
const REFERRING: Readonly<Record<Replaced["kind"], Readonly<Partial<Record<ResourceKind, readonly string[]>>>>> = {
  pool: { listener: ["defaultPool"], l7Policy: ["pool", "pools"] },
  certificate: { listener: ["certificates", "clientCaCertificate"], pool: ["backendTls"] },
};

/** What names something that is replaced has to be pointed to the new one, though the name is the same. */
export function repoint(node: PlanNode, replaced: Replaced): PlanNode {
  if (replaced.names.size === 0) return node;
  const children = node.children.map((child) => repoint(child, replaced));
  if (node.action !== "keep" && node.action !== "update") return { ...node, children };
  const fields = node.desired?.fields ?? node.actual?.fields ?? {};
  const changes = (REFERRING[replaced.kind][node.kind] ?? [])
    .filter((name) => mentions(fields[name], replaced.names) && node.changes.every((change) => change.name !== name))
    .map((name) => ({ name, from: fields[name], to: fields[name], note: "replaced" }));
  const all = [...node.changes, ...changes];
  return { ...node, children, changes: all, action: all.length > 0 ? "update" : "keep" };
}

/** Whether one of the names stands in a field: alone, in a list, or in a message's field that refers. */
function mentions(value: unknown, names: ReadonlySet<string>): boolean {
  if (typeof value === "string") return names.has(value);
  if (Array.isArray(value)) return value.some((entry) => mentions(entry, names));
  if (!isRecord(value)) return false;
  return Object.entries(value).some(([key, inner]) => /^(pool|\w*Certificate)$/.test(key) && mentions(inner, names));
}
