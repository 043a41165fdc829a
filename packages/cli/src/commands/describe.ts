import { type DescField, type Message, ScalarType } from "@bufbuild/protobuf";
import { type FiberlbClient, NodeSchema, resourceSchemas } from "@fiberlb/api";
import type { ResourceKind } from "@fiberlb/types";
import type { Command } from "commander";

import type { CliIo } from "../io.ts";
import { infoOf, type Kind, type KindInfo, parseKind } from "../kinds.ts";
import { type Palette, paletteFor } from "../output/colour.ts";
import { describeFields } from "../output/describe.ts";
import { listResources, oneField } from "../rpc.ts";
import { onServer, withExamples } from "./command.ts";
import { getNamed, plainOf } from "./get.ts";

/** `fiberlb describe KIND ID|NAME`. */
export function addDescribe(program: Command, io: CliIo): void {
  const command = program
    .command("describe")
    .summary("show everything about one resource")
    .description("Shows every field of a resource, its status with the reason, and everything below it.")
    .argument("<kind>", "as with get")
    .argument("<name>", "id, name or path");
  withExamples(command, [
    ["fiberlb describe lb web", "a load balancer with all that is below it"],
    ["fiberlb describe backend web/app/10.0.0.5:8080", "one backend, and why it is down"],
  ]);
  onServer(command, io, async ({ args: [kindText = "", name = ""], ...session }) => {
    const info = parseKind(kindText);
    const answer = await getNamed(session, info, name);
    const message = (answer.message as unknown as Record<string, never>)[oneField(info)];
    const block = await loadBlock(session.client, info, fieldsOf(info.kind, message as never));
    io.stdout.write(renderBlock(block, paletteFor(io.colour), ""));
  });
}

/** A resource with what is below it. */
interface Block {
  readonly label: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly children: readonly Block[];
}

/** Every field, also those that are zero, false or empty; a nested message that is absent is left out. */
function fieldsOf(kind: Kind, message: Message): Block["fields"] {
  const given = plainOf(kind, message);
  const { fields } = kind === "node" ? NodeSchema : resourceSchemas[kind];
  const shown = fields.map((field) => [field.jsonName, given[field.jsonName] ?? zeroOf(field)] as const);
  return Object.fromEntries(shown.filter(([, value]) => value !== undefined));
}

function zeroOf(field: DescField): unknown {
  if (field.fieldKind === "list") return [];
  if (field.fieldKind === "map") return "";
  if (field.fieldKind !== "scalar") return undefined;
  return field.scalar === ScalarType.STRING ? "" : field.scalar === ScalarType.BOOL ? false : 0;
}

async function loadBlock(client: FiberlbClient, info: KindInfo, fields: Block["fields"]): Promise<Block> {
  const children = await Promise.all(info.children.map((kind) => loadChildren(client, info.kind, { kind, fields })));
  return { label: info.label, fields, children: children.flat() };
}

async function loadChildren(
  client: FiberlbClient,
  parent: Kind,
  { kind, fields }: { readonly kind: ResourceKind; readonly fields: Block["fields"] },
): Promise<readonly Block[]> {
  const messages = await listResources(client, kind, { [`${parent}Id`]: fields["id"] });
  const info = infoOf(kind);
  return Promise.all(messages.map((message) => loadBlock(client, info, fieldsOf(kind, message))));
}

function renderBlock({ label, fields, children }: Block, palette: Palette, indent: string): string {
  const title = `${label} ${String(fields["name"])}`;
  const body = describeFields(fields, palette);
  const below = children.map((child) => `\n${renderBlock(child, palette, `${indent}  `)}`).join("");
  const lines = body.map((line) => `${indent}  ${line}\n`).join("");
  return `${indent}${palette.strong(title)}\n${lines}${below}`;
}
