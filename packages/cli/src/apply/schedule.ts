import type { ResourceKind } from "@fiberlb/types";

import { portKey } from "./check.ts";
import type { Fields } from "./file-fields.ts";
import { temporaryName } from "./match.ts";
import { type Address, addressOf, type Operation, PHASES, type UpdateOperation } from "./operations.ts";
import type { PlanNode } from "./plan-node.ts";
import type { Plan } from "./plan.ts";
import { describeKind } from "./schema.ts";

/**
 * The calls that carry out a plan, in an order that makes before it breaks: what is new stands before traffic is pointed to
 * it, what is old goes after traffic has left it, and only what holds something that can be there once (a port, a VIP, a
 * pool's health check) goes before its successor. Pure.
 */
export function schedule({ nodes }: Plan): readonly Operation[] {
  const operations = scheduleSiblings(nodes, undefined);
  // A stable sort: within a phase things stay in the order of the file.
  return operations.toSorted((a, b) => a.phase - b.phase);
}

const CREATE_PHASES: Readonly<Record<ResourceKind, number>> = {
  vipPool: PHASES.vipPools,
  certificate: PHASES.certificates,
  loadBalancer: PHASES.loadBalancers,
  pool: PHASES.pools,
  healthCheck: PHASES.healthChecks,
  backend: PHASES.backends,
  listener: PHASES.listeners,
  l7Policy: PHASES.policies,
  l7Rule: PHASES.policies,
};

const DELETE_PHASES: Readonly<Partial<Record<ResourceKind, number>>> = {
  certificate: PHASES.certificateDeletes,
  loadBalancer: PHASES.loadBalancerDeletes,
  pool: PHASES.poolDeletes,
  l7Policy: PHASES.policies,
  l7Rule: PHASES.policies,
};

/** Whether a node makes something. */
const makes = ({ action }: PlanNode): boolean => action === "create" || action === "replace";
/** Whether a node takes something away. */
const takes = ({ action }: PlanNode): boolean => action === "delete" || action === "replace";

/** What siblings of one kind need to know of each other. */
interface Siblings {
  readonly nodes: readonly PlanNode[];
  /** Names that something has now. */
  readonly names: ReadonlySet<string>;
  readonly parent: PlanNode | undefined;
}

function scheduleSiblings(nodes: readonly PlanNode[], parent: PlanNode | undefined): readonly Operation[] {
  const kinds = [...new Set(nodes.map(({ kind }) => kind))];
  return kinds.flatMap((kind) => {
    const ofKind = nodes.filter((node) => node.kind === kind);
    const names = new Set(
      ofKind.flatMap(({ actual }) => (actual === undefined ? [] : [String(actual.fields["name"])])),
    );
    return ofKind.flatMap((node) => scheduleNode(node, { nodes: ofKind, names, parent }));
  });
}

function scheduleNode(node: PlanNode, siblings: Siblings): readonly Operation[] {
  const isEarly = goesEarly(node, siblings);
  const { first, last } = makes(node) ? creation(node, siblings, isEarly) : update(node, siblings);
  return [
    ...first,
    ...scheduleSiblings(node.children, node),
    ...last,
    ...(takes(node) ? [deletion(node, isEarly)] : []),
  ];
}

/** What comes before and after what is done below a resource. */
interface Steps {
  readonly first: readonly Operation[];
  readonly last: readonly Operation[];
}

const common = ({ kind, path }: PlanNode): Pick<Operation, "kind" | "label" | "scope"> => ({
  kind,
  label: describeKind(kind, path.filter((part) => part !== "").join("/")),
  scope: path[0] ?? "",
});

function creation(node: PlanNode, siblings: Siblings, isEarly: boolean): Steps {
  const { kind, path, desired, position } = node;
  if (desired === undefined) return { first: [], last: [] };
  const { fields } = desired;
  const address = addressOf(kind, path);
  const { name } = fields;
  const isTaken = typeof name === "string" && siblings.names.has(name) && !(isEarly && node.action === "replace");
  const standIn = isTaken ? { name: temporaryName(name, siblings.names) } : {};
  const isHidden = needsHiding(node, siblings);
  const { parent } = siblings;
  const create: Operation = {
    ...common(node),
    type: "create",
    address,
    ...(parent !== undefined && { parent: addressOf(parent.kind, parent.path) }),
    fields: { ...fields, ...standIn, ...(isHidden && { adminStateUp: false }) },
    ...(position !== undefined && { position }),
    phase: CREATE_PHASES[kind],
  };
  const last = [
    ...(isHidden ? [enabling(node, address, fields)] : []),
    ...(isTaken ? [renaming(node, address, fields)] : []),
  ];
  return { first: [create], last };
}

/**
 * A policy without its rules would match everything, and a listener without its policies would send everything to its
 * default pool: both serve only once they are whole.
 */
function needsHiding({ kind, desired, children }: PlanNode, { parent }: Siblings): boolean {
  if (desired?.fields["adminStateUp"] !== true || children.length === 0) return false;
  return kind === "listener" || (kind === "l7Policy" && parent !== undefined && !makes(parent));
}

const enabling = (node: PlanNode, address: Address, fields: Fields): UpdateOperation => ({
  ...common(node),
  type: "update",
  address,
  fields,
  mask: ["adminStateUp"],
  phase: node.kind === "l7Policy" ? PHASES.policies : PHASES.enables,
  does: `enable ${common(node).label}`,
});

const renaming = (node: PlanNode, address: Address, fields: Fields): UpdateOperation => ({
  ...common(node),
  type: "update",
  address,
  fields,
  mask: ["name"],
  phase: PHASES.renames,
  does: `give ${common(node).label} its name`,
});

function update(node: PlanNode, siblings: Siblings): Steps {
  const { kind, path, desired, actual, changes, position } = node;
  if (actual === undefined || changes.length === 0) return { first: [], last: [] };
  const fields = desired?.fields ?? actual.fields;
  const address = addressOf(kind, path);
  const name = String(fields["name"]);
  const isTaken = changes.some((change) => change.name === "name") && siblings.names.has(name);
  const change: Operation = {
    ...common(node),
    type: "update",
    address,
    revision: actual.revision,
    fields: isTaken ? { ...fields, name: temporaryName(name, siblings.names) } : fields,
    mask: changes.map(({ name: field }) => field),
    ...(position !== undefined && { position }),
    phase: CREATE_PHASES[kind],
  };
  return { first: [change], last: isTaken ? [renaming(node, address, fields)] : [] };
}

function deletion(node: PlanNode, isEarly: boolean): Operation {
  const { kind, actual } = node;
  const early =
    kind === "listener" ? PHASES.earlyListenerDeletes : kind === "healthCheck" ? PHASES.pools : PHASES.earlyDeletes;
  const phase = isEarly ? early : (DELETE_PHASES[kind] ?? PHASES.deletes);
  return { ...common(node), type: "delete", id: actual?.id ?? "", phase };
}

/** Whether what goes holds something that what comes cannot have beside it. */
function goesEarly(node: PlanNode, { nodes }: Siblings): boolean {
  const { kind, actual } = node;
  if (!takes(node) || actual === undefined) return false;
  const coming = nodes.filter(makes).flatMap(({ desired }) => desired ?? []);
  if (kind === "healthCheck") return coming.length > 0;
  if (kind === "listener") return coming.some((desired) => portKey(desired) === portKey(actual));
  if (kind !== "loadBalancer") return false;
  const changing = nodes.filter(({ action }) => action === "update").flatMap(({ desired }) => desired ?? []);
  return [...coming, ...changing].some(({ fields }) => fields["vipAddress"] === actual.fields["vipAddress"]);
}
