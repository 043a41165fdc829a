// What the demo shows. Pure: facts in, lines out.

/** How a daemon of a node does. */
export type DaemonState = "running" | "dead";

/** What is known of a node. */
export interface NodeFacts {
  readonly name: string;
  /** As the API says; `unknown` while no API answers. */
  readonly state: string;
  readonly daemons: Readonly<Record<string, DaemonState>>;
  readonly requestsPerS: number;
}

/** What is known of everything. */
export interface Facts {
  readonly vips: readonly { readonly address: string; readonly nodes: readonly string[] }[];
  readonly clients: readonly { readonly name: string; readonly requestsPerS: number }[];
  readonly servers: readonly { readonly name: string; readonly requestsPerS: number }[];
  readonly nodes: readonly NodeFacts[];
  readonly requests: number;
  readonly failed: number;
  readonly retried: number;
  /** The last things that happened, the newest last. */
  readonly events: readonly string[];
  /** Commands to try. */
  readonly hints: readonly string[];
}

const BOX = 22;
const DOT: Readonly<Record<DaemonState, string>> = { running: "●", dead: "✗" };
const LEFT = "  ";

const perS = (count: number): string => `${Math.round(count)}/s`;
const beside = (columns: readonly (readonly string[])[]): readonly string[] =>
  columns[0]!.map((_, row) => LEFT + columns.map((column) => column[row]).join("  "));

/** The whole screen. */
export function draw({
  vips,
  clients,
  servers,
  nodes,
  requests,
  failed,
  retried,
  events,
  hints,
}: Facts): readonly string[] {
  return [
    "FiberLB cluster: each node announces every VIP that it can serve, the router spreads connections over them",
    "",
    `${LEFT}${clients.map(({ name, requestsPerS }) => `${name} ${perS(requestsPerS)}`).join("    ")}    ${requests} requests, ${retried} tried again, ${failed} failed`,
    `${LEFT}${" ".repeat(8)}│`,
    ...vips.map(
      ({ address, nodes: via }) =>
        `${LEFT}router  ${address.padEnd(18)} → ${via.length === 0 ? "nobody" : via.join(" ")}`,
    ),
    `${LEFT}${" ".repeat(8)}│`,
    ...beside(nodes.map((node) => box(node, vips))),
    `${LEFT}${" ".repeat(8)}│`,
    `${LEFT}${servers.map(({ name, requestsPerS }) => `${name} ${perS(requestsPerS)}`).join("    ")}`,
    "",
    ...events.map((event) => `${LEFT}${event}`),
    "",
    ...hints.map((hint) => `${LEFT}${hint}`),
  ];
}

/** A node as a box; its edge is double while the router sends to it. */
function box({ name, state, daemons, requestsPerS }: NodeFacts, vips: Facts["vips"]): readonly string[] {
  const isRouted = vips.some(({ nodes }) => nodes.includes(name));
  const [corner, side, edge] = isRouted ? (["╔╗╚╝", "║", "═"] as const) : (["┌┐└┘", "│", "─"] as const);
  const title = ` ${name} `;
  const lines = [
    state,
    ...Object.entries(daemons).map(([daemon, is]) => `${DOT[is]} ${daemon}`),
    isRouted || requestsPerS > 0 ? `${perS(requestsPerS)} requests` : "no traffic",
  ];
  const inside = BOX - 4;
  return [
    `${corner[0]}${edge}${title}${edge.repeat(inside + 1 - title.length)}${corner[1]}`,
    ...lines.map((line) => `${side} ${line.slice(0, inside).padEnd(inside)} ${side}`),
    `${corner[2]}${edge.repeat(inside + 2)}${corner[3]}`,
  ];
}
