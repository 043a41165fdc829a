import type { Message } from "@bufbuild/protobuf";
import { fromMessage, NodeSchema, resourceSchemas } from "@fiberlb/api";
import { parseId, type ResourceKind } from "@fiberlb/types";
import type { Command } from "commander";

import type { Session } from "../connection.ts";
import { usageError } from "../exit.ts";
import type { CliIo } from "../io.ts";
import { parseKind } from "../kinds.ts";
import type { Kind, KindInfo } from "../kinds.ts";
import { resolveId } from "../lookup.ts";
import { paletteFor } from "../output/colour.ts";
import { listColumns, type NameOf } from "../output/columns.ts";
import { formatAnswer, parseOutputFormat } from "../output/format.ts";
import { renderTable } from "../output/table.ts";
import { type Answer, getOne, itemsIn, listAll, type ListFilter, listResources, oneField } from "../rpc.ts";
import { collect, type Invocation, onServer, withExamples } from "./command.ts";
import { bgpText } from "./get-bgp.ts";

interface GetFlags {
  readonly output: string;
  readonly lb?: string;
  readonly pool?: string;
  readonly listener?: string;
  readonly policy?: string;
  readonly tag?: readonly string[];
}

/** `fiberlb get KIND [ID|NAME]`. */
export function addGet(program: Command, io: CliIo): void {
  const command = program
    .command("get")
    .summary("list resources, or show one")
    .description("Lists resources of a kind, or shows one by id, name or path (web/app).")
    .argument(
      "<kind>",
      "loadbalancer (lb), listener, pool, backend, healthcheck (hc), l7policy, l7rule, certificate (cert), vippool, node, bgp",
    )
    .argument("[name]", "id, name or path of one resource; with bgp, a node")
    .option("-o, --output <format>", "table, json (the RPC's answer) or yaml", "table")
    .option("--lb <id|name>", "only listeners and pools of this load balancer")
    .option("--pool <id|name>", "only backends and health checks of this pool")
    .option("--listener <id|name>", "only L7 policies of this listener")
    .option("--policy <id|name>", "only L7 rules of this policy")
    .option("--tag <key=value>", "only resources with this tag; repeatable", collect);
  withExamples(command, [
    ["fiberlb get lb", "all load balancers of the project"],
    ["fiberlb get pools --lb web", "the pools of load balancer web"],
    ["fiberlb get backends --pool web/app", "the backends of pool app of web"],
    ["fiberlb get listener web/http -o json", "what the API says, zeros included"],
    ["fiberlb get bgp", "sessions with routers, and which VIPs each node announces, or why not (admin)"],
  ]);
  onServer<GetFlags>(command, io, runGet);
}

async function runGet({ args, flags, ...session }: Invocation<GetFlags>): Promise<void> {
  const [kindText = "", name] = args;
  const format = parseOutputFormat(flags.output);
  if (kindText.toLowerCase() === "bgp") {
    session.io.stdout.write(await bgpText(session, name ?? "", format));
    return;
  }
  const info = parseKind(kindText);
  const filter = await filterOf(session, info, flags);
  const answer =
    name === undefined ? await listAll(session.client, info.kind, filter) : await getNamed(session, info, name);
  const { stdout } = session.io;
  stdout.write(format === "table" ? await table(session, info, answer) : formatAnswer(answer, format));
}

/** Gets one resource by what a person calls it. */
export async function getNamed({ client }: Session, { kind }: KindInfo, name: string): Promise<Answer> {
  return getOne(client, kind, kind === "node" ? name : await resolveId(client, kind, name));
}

const PARENT_FLAGS = { lb: "loadBalancer", pool: "pool", listener: "listener", policy: "l7Policy" } as const;

async function filterOf({ client }: Session, info: KindInfo, flags: GetFlags): Promise<ListFilter> {
  const filter: Record<string, unknown> = {};
  for (const [flag, parent] of Object.entries(PARENT_FLAGS)) {
    const given = flags[flag as keyof typeof PARENT_FLAGS];
    if (given === undefined) continue;
    if (info.parent !== parent) throw usageError(`--${flag} cannot narrow ${info.names[0]}: ${narrowedBy(info)}`);
    filter[`${parent}Id`] = await resolveId(client, parent, given);
  }
  if (flags.tag !== undefined) filter["tags"] = Object.fromEntries(flags.tag.map(parseTag));
  return filter;
}

function narrowedBy({ parent, names }: KindInfo): string {
  const flag = Object.entries(PARENT_FLAGS).find(([, kind]) => kind === parent)?.[0];
  return flag === undefined ? `a ${names[0]} stands below nothing` : `use --${flag}`;
}

function parseTag(text: string): readonly [string, string] {
  const equals = text.indexOf("=");
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw usageError(`--tag must be KEY=VALUE, not ${JSON.stringify(text)}`);
}

/** Field names and short enum names of a message of the kind. */
export const plainOf = (kind: Kind, message: Message): Readonly<Record<string, unknown>> =>
  fromMessage(kind === "node" ? NodeSchema : resourceSchemas[kind], message as never);

async function table({ client, io }: Session, info: KindInfo, answer: Answer): Promise<string> {
  const one = (answer.message as unknown as Record<string, Message | undefined>)[oneField(info)];
  const messages = one === undefined ? itemsIn(info, answer) : [one];
  if (messages.length === 0) return "";
  const rows = messages.map((message) => plainOf(info.kind, message));
  const nameOf = await parentNames({ client, io }, info, rows);
  return renderTable(rows, listColumns(info.kind, nameOf, paletteFor(io.colour)), io.columns);
}

/** Looks up what the rows' ids are called, in one List for each kind that they name. */
async function parentNames(
  { client }: Pick<Session, "client" | "io">,
  { parent }: KindInfo,
  rows: readonly Readonly<Record<string, unknown>>[],
): Promise<NameOf> {
  const names = new Map<string, string>();
  const load = async (kind: ResourceKind): Promise<void> => {
    for (const { id, name } of await listResources(client, kind)) names.set(id, name);
  };
  if (parent !== undefined) await load(parent);
  const namesPool = rows.some((row) => typeof (row["defaultPoolId"] ?? row["redirectPoolId"]) === "string");
  if (namesPool && parent !== "pool") await load("pool");
  return (id) => names.get(id) ?? (parseId(id).ok ? id : "-");
}
