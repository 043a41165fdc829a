import {
  BgpRouteSchema,
  BgpSessionSchema,
  fromMessage,
  ListRoutesResponseSchema,
  ListSessionsResponseSchema,
} from "@fiberlb/api";

import type { Session } from "../connection.ts";
import { type Palette, paletteFor } from "../output/colour.ts";
import { cell } from "../output/columns.ts";
import { answerJson, type OutputFormat, toYaml } from "../output/format.ts";
import { type Column, renderTable } from "../output/table.ts";

type Row = Readonly<Record<string, unknown>>;
type RowColumn = Column<Row>;

const field = (title: string, name: string, extra: Partial<RowColumn> = {}): RowColumn => ({
  title,
  value: (row) => cell(row[name]),
  ...extra,
});

const sessionColumns = ({ good, bad }: Palette): readonly RowColumn[] => [
  field("NODE", "node"),
  field("PEER", "peer"),
  field("LOCAL AS", "localAsn"),
  field("PEER AS", "peerAsn"),
  field("STATE", "state", { paint: (text) => (text.trim() === "ESTABLISHED" ? good(text) : bad(text)) }),
  field("SINCE", "establishedAt"),
  { title: "ROUTES", value: ({ routesAdvertised }) => cell(routesAdvertised ?? 0) },
  { title: "PROBLEM", value: ({ problem }) => (problem as string | undefined) ?? "", shrinks: true },
];

const routeColumns = ({ good, warning }: Palette): readonly RowColumn[] => [
  field("NODE", "node"),
  field("VIP", "vip"),
  field("PREFIX", "prefix"),
  field("NEXT HOP", "nextHop"),
  field("COMMUNITIES", "communities", { shrinks: true }),
  {
    title: "ANNOUNCED",
    value: ({ announced }) => (announced === true ? "yes" : "no"),
    paint: (text) => (text.trim() === "yes" ? good(text) : warning(text)),
  },
  { title: "REASON", value: ({ reason }) => (reason as string | undefined) ?? "", shrinks: true },
];

/** What `fiberlb get bgp` prints: sessions with routers, then VIPs with their reasons; of all nodes, or of one. */
export async function bgpText({ client, io }: Session, node: string, format: OutputFormat): Promise<string> {
  const [sessions, routes] = await Promise.all([client.bgp.listSessions({ node }), client.bgp.listRoutes({ node })]);
  if (format !== "table") {
    const both = {
      ...(answerJson({ schema: ListSessionsResponseSchema, message: sessions }) as object),
      ...(answerJson({ schema: ListRoutesResponseSchema, message: routes }) as object),
    };
    return format === "json" ? `${JSON.stringify(both, undefined, 2)}\n` : toYaml(both);
  }
  if (sessions.sessions.length === 0) return "no node speaks BGP: its configuration has no section bgp\n";
  const palette = paletteFor(io.colour);
  const sessionRows = sessions.sessions.map((one) => fromMessage(BgpSessionSchema, one));
  const routeRows = routes.routes.map((one) => fromMessage(BgpRouteSchema, one));
  const tables = [renderTable(sessionRows, sessionColumns(palette), io.columns)];
  if (routeRows.length > 0) tables.push(renderTable(routeRows, routeColumns(palette), io.columns));
  return tables.join("\n");
}
