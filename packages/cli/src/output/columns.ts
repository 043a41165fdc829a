import type { Plain } from "@fiberlb/api";
import { formatHostPort, type Host, type Node, type NodeDrain } from "@fiberlb/types";

import type { Kind } from "../kinds.ts";
import { type Palette, paintStatus } from "./colour.ts";
import type { Column } from "./table.ts";

/** Names of the resources whose ids a table would otherwise show. */
export type NameOf = (id: string) => string;

type PlainColumn = Column<Readonly<Plain>>;

/** A value as a cell: lists with commas, absent as a dash. */
export function cell(value: unknown): string {
  if (value === undefined || value === null || value === "") return "-";
  if (Array.isArray(value)) return value.length === 0 ? "-" : value.map(cell).join(",");
  if (typeof value === "string") return value;
  return typeof value === "bigint" ? value.toString() : JSON.stringify(value);
}

const field = (title: string, name: string, extra: Partial<PlainColumn> = {}): PlainColumn => ({
  title,
  value: (row) => cell(row[name]),
  ...extra,
});

const LIST_COLUMNS = {
  loadBalancer: () => [field("VIP", "vipAddress"), field("POOL", "vipPool")],
  listener: (name) => [
    reference("LOAD BALANCER", "loadBalancerId", name),
    field("PROTOCOL", "protocol"),
    field("PORT", "port"),
    reference("DEFAULT POOL", "defaultPoolId", name),
  ],
  pool: (name) => [
    reference("LOAD BALANCER", "loadBalancerId", name),
    field("PROTOCOL", "protocol"),
    field("ALGORITHM", "algorithm"),
  ],
  backend: (name) => [
    reference("POOL", "poolId", name),
    { title: "ADDRESS", value: ({ address, port }) => formatHostPort(address as Host, port as number) },
    field("WEIGHT", "weight"),
  ],
  healthCheck: (name) => [
    reference("POOL", "poolId", name),
    field("TYPE", "type"),
    field("INTERVAL MS", "intervalMs"),
    field("TIMEOUT MS", "timeoutMs"),
    field("RISE", "rise"),
    field("FALL", "fall"),
  ],
  l7Policy: (name) => [
    reference("LISTENER", "listenerId", name),
    field("POSITION", "position"),
    field("ACTION", "action"),
    reference("POOL", "redirectPoolId", name),
  ],
  l7Rule: (name) => [
    reference("POLICY", "l7PolicyId", name),
    field("TYPE", "type"),
    field("COMPARE", "compareType"),
    field("KEY", "key", { shrinks: true }),
    field("VALUE", "value", { shrinks: true }),
  ],
  certificate: () => [
    field("TYPE", "type"),
    field("SUBJECT", "subject", { shrinks: true }),
    field("SANS", "sans", { shrinks: true }),
    field("NOT AFTER", "notAfter"),
  ],
  vipPool: () => [
    field("CIDRS", "cidrs", { shrinks: true }),
    field("AUTO ASSIGN", "autoAssign"),
    field("USED", "addressesUsed"),
    field("TOTAL", "addressesTotal"),
  ],
  node: () => [
    field("VERSION", "version"),
    field("ADDRESSES", "addresses", { shrinks: true }),
    field("CAPABILITIES", "capabilities", { shrinks: true }),
    field("REVISION", "appliedRevision"),
    { title: "PROBLEMS", value: ({ problems }) => String((problems as readonly unknown[] | undefined)?.length ?? 0) },
  ],
} satisfies Readonly<Record<Kind, (name: NameOf) => readonly PlainColumn[]>>;

const reference = (title: string, name: string, nameOf: NameOf): PlainColumn => ({
  title,
  value: (row) => (typeof row[name] === "string" ? nameOf(row[name]) : "-"),
});

/** The columns of a list: name, what matters of the kind, status where there is one, id. */
export function listColumns(kind: Kind, nameOf: NameOf, palette: Palette): readonly PlainColumn[] {
  const own: readonly PlainColumn[] = (LIST_COLUMNS[kind] as (name: NameOf) => readonly PlainColumn[])(nameOf);
  return [
    field("NAME", "name"),
    ...own,
    ...statusColumns(kind, palette),
    ...(kind === "node" ? [] : [field("ID", "id")]),
    ...reasonColumn(kind),
  ];
}

function statusColumns(kind: Kind, palette: Palette): readonly PlainColumn[] {
  const paint = (text: string): string => paintStatus(palette, text);
  if (kind === "node") return [field("STATE", "state", { paint })];
  if (kind === "backend") return [field("STATUS", "status", { paint })];
  if (!hasStatus(kind)) return [];
  return [field("PROVISIONING", "provisioningStatus", { paint }), field("STATUS", "operatingStatus", { paint })];
}

const hasStatus = (kind: Kind): boolean => kind === "loadBalancer" || kind === "listener" || kind === "pool";

/** What keeps a draining node from being DRAINED; empty when it does not drain. */
export function drainLeft({ drain }: { readonly drain?: Plain | undefined }): string {
  if (drain === undefined) return "";
  // A message says nothing of what is zero.
  const { vipsAnnounced = 0, connectionsActive = 0 } = drain as Partial<NodeDrain>;
  const count = (many: number, what: string): string => `${many} ${what}${many === 1 ? "" : "s"}`;
  return `${count(vipsAnnounced, "VIP")} announced, ${count(connectionsActive, "connection")} left`;
}

/** One line that says why a node is as it is: what is left of a drain, or its first problem. */
function nodeDetail(row: Readonly<Plain>): string {
  const { problems = [] } = row as Partial<Pick<Node, "problems">>;
  const drain = row["drain"] as Plain | undefined;
  return drain === undefined ? (problems[0]?.reason ?? "") : drainLeft({ drain });
}

function reasonColumn(kind: Kind): readonly PlainColumn[] {
  if (kind === "node") return [{ title: "REASON", value: nodeDetail, shrinks: true }];
  return hasStatus(kind) || kind === "backend"
    ? [{ title: "REASON", value: ({ statusReason }) => (statusReason as string | undefined) ?? "", shrinks: true }]
    : [];
}
