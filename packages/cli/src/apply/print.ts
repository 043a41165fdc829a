import type { Palette } from "../output/colour.ts";
import { MANAGED_BY } from "./ownership.ts";
import { type Action, type FieldChange, hasChanges, type PlanNode } from "./plan-node.ts";
import type { Plan } from "./plan.ts";
import { describeKind } from "./schema.ts";

const SIGNS: Readonly<Record<Action, string>> = { create: "+", update: "~", replace: "-/+", delete: "-", keep: " " };
const LOOKS: Readonly<Record<Action, keyof Palette>> = {
  create: "good",
  update: "warning",
  replace: "warning",
  delete: "bad",
  keep: "faint",
};

/** The plan for people: one line a resource with its sign, the fields that differ below it, and the sums. */
export function printPlan(plan: Plan, palette: Palette): string {
  const changed = plan.nodes.filter(hasChanges);
  if (changed.length === 0) return "no changes\n";
  return `${changed.flatMap((node) => nodeLines(node, palette, "")).join("\n")}\n\nplan: ${countActions(plan, "planned")}\n`;
}

function nodeLines(node: PlanNode, palette: Palette, indent: string): readonly string[] {
  const { action, kind, path } = node;
  const head = `${SIGNS[action].padEnd(3)} ${indent}${describeKind(kind, path.at(-1) ?? "")}`.trimEnd();
  const details = node.action === "create" ? createdFields(node) : node.changes.map(changeText);
  return [
    palette[LOOKS[action]](head),
    ...details.map((text) => `    ${indent}    ${text}`),
    ...node.children.filter(hasChanges).flatMap((child) => nodeLines(child, palette, `${indent}  `)),
  ];
}

/** What the file writes of something new; names are in the heading already. */
function createdFields({ desired }: PlanNode): readonly string[] {
  if (desired === undefined) return [];
  const own = Object.entries(desired.fields).filter(([name]) => desired.written.has(name) && name !== "name");
  return own
    .filter(([name]) => !(desired.kind === "backend" && (name === "address" || name === "port")))
    .map(([name, value]) => `${name}: ${show(name, value)}`);
}

function changeText({ name, from, to, note }: FieldChange): string {
  if (note !== undefined) return `${name}: ${show(name, to)} (${note})`;
  if (name === "tags") return tagChanges(from as Tags, to as Tags);
  return `${name}: ${show(name, from)} → ${show(name, to)}`;
}

type Tags = Readonly<Record<string, string>> | undefined;

function tagChanges(from: Tags = {}, to: Tags = {}): string {
  const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])].filter((key) => from[key] !== to[key]);
  return keys
    .toSorted((a, b) => Number(a === MANAGED_BY) - Number(b === MANAGED_BY) || (a < b ? -1 : 1))
    .map((key) => `tags ${key}: ${show("", from[key])} → ${show("", to[key])}`)
    .join(", ");
}

/** Private keys are never shown; certificates are, by their fingerprint. */
function show(name: string, value: unknown): string {
  if (name === "privateKeyPem") return "(private)";
  if (value === undefined) return "(none)";
  const text =
    typeof value === "string" && /^[\w./:@+-]+( [\w./:@+-]+)*$/.test(value)
      ? value
      : (JSON.stringify(value) ?? "(none)");
  if (text.includes("-----BEGIN")) return "(PEM)";
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}

/** `1 to create, 0 to change, …` of what is planned; `1 created, …` of what was done. */
export function countActions({ nodes }: Plan, tense: "planned" | "done"): string {
  const counts = new Map<Action, number>();
  const count = ({ action, children }: PlanNode): void => {
    counts.set(action, (counts.get(action) ?? 0) + 1);
    children.forEach(count);
  };
  nodes.forEach(count);
  const parts = Object.entries(WORDS).map(([action, word]) => {
    const number = counts.get(action as Action) ?? 0;
    return tense === "planned" ? `${number} to ${word}` : `${number} ${word}d`;
  });
  return parts.join(", ");
}

const WORDS = { create: "create", update: "change", replace: "replace", delete: "delete" } as const;
