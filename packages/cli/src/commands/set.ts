import type { Plain } from "@fiberlb/api";
import { toCamelCase } from "@fiberlb/types";
import type { Command } from "commander";

import { usageError } from "../exit.ts";
import { isRecord } from "../fields/check-keys.ts";
import { parseValue, suggest } from "../fields/parse-value.ts";
import { assign, type SettableField, settableFields } from "../fields/settable.ts";
import type { CliIo } from "../io.ts";
import { parseWritableKind, type WritableInfo } from "../kinds.ts";
import { resolveId } from "../lookup.ts";
import { formatAnswer, parseOutputFormat } from "../output/format.ts";
import { getOne, resourceIn, updateOne } from "../rpc.ts";
import { type Invocation, onServer, withExamples } from "./command.ts";
import { resolveReferences } from "./create.ts";
import { plainOf } from "./get.ts";

/** `fiberlb set KIND ID field=value…`: changes just what is named, against the revision that was read. */
export function addSet(program: Command, io: CliIo): void {
  const command = program
    .command("set")
    .summary("change fields of a resource")
    .description(
      "Changes the fields that are named and no other. An empty value resets a field to its default; " +
        "tags.KEY=VALUE changes one entry of a map, tags.KEY= removes it.",
    )
    .argument("<kind>", "as with get")
    .argument("<name>", "id, name or path")
    .argument("<field=value...>", "what changes, such as weight=0 or http.path=/healthz")
    .option("-o, --output <format>", "table (one line), json or yaml", "table");
  withExamples(command, [
    ["fiberlb set backend web/app/10.0.0.5:8080 weight=0", "drain a backend"],
    ["fiberlb set hc web/app/check interval_ms=1000 http.path=/healthz", "two fields in one change"],
    ["fiberlb set lb web tags.team=shop description=", "set a tag, clear the description"],
  ]);
  onServer<{ output: string }>(command, io, runSet);
}

async function runSet({ args, flags, client, io }: Invocation<{ output: string }>): Promise<void> {
  const [kindText = "", name = "", ...texts] = args;
  const info = parseWritableKind(kindText);
  const format = parseOutputFormat(flags.output);
  const assignments = texts.map((text) => parseAssignment(info, text));
  const id = await resolveId(client, info.kind, name);
  const message = resourceIn(info.kind, await getOne(client, info.kind, id));
  const current = plainOf(info.kind, message);
  const { loadBalancerId } = current;
  const scoped = { ...(loadBalancerId !== undefined && { loadBalancerId }), ...patchOf(current, assignments) };
  const patch = await resolveReferences({ client }, info.kind, scoped);
  const mask = [...new Set(assignments.map(({ path }) => path.join(".")))];
  const answer = await updateOne(client, info.kind, { id, revision: message.revision, patch, mask });
  io.stdout.write(
    format === "table" ? `changed ${info.label} ${name}: ${texts.join(" ")}\n` : formatAnswer(answer, format),
  );
}

/** One `field=value`, understood. */
interface Assignment {
  readonly path: readonly string[];
  /** The entry of a map. */
  readonly key?: string;
  /** Absent: back to the default. */
  readonly value?: unknown;
}

function parseAssignment(info: WritableInfo, text: string): Assignment {
  const equals = text.indexOf("=");
  if (equals < 1) throw usageError(`expected field=value, not ${JSON.stringify(text)}`);
  const [given, value] = [text.slice(0, equals), text.slice(equals + 1)];
  const fields = settableFields(info.kind).filter(
    ({ desc }) => desc.name !== "request_id" && desc.name !== "validate_only",
  );
  const { field, key } = findField(info, fields, given);
  const { path, desc } = field;
  if (key !== undefined) return { path, key, ...(value !== "" && { value }) };
  return value === "" ? { path } : { path, value: parseValue(desc, value, given) };
}

function findField(
  { label }: WritableInfo,
  fields: readonly SettableField[],
  given: string,
): { readonly field: SettableField; readonly key?: string } {
  const spelt = toCamelCase(given.replaceAll("-", "_"));
  const exact = fields.find(({ path, references }) => {
    const full = path.join(".");
    return full === spelt || (references !== undefined && full.replace(/Ids?$/, "") === spelt.replace(/s$/, ""));
  });
  if (exact !== undefined) return { field: exact };
  const map = fields.find(({ path, desc }) => desc.fieldKind === "map" && given.startsWith(`${path.join(".")}.`));
  if (map !== undefined) return { field: map, key: given.slice(map.path.join(".").length + 1) };
  const names = fields.map(({ path }) => path.join("."));
  throw usageError(`a ${label} has no field ${JSON.stringify(given)}${suggest(spelt, names)}`);
}

/** The values of the fields that change. A map is sent whole, so that its other entries stay. */
function patchOf(current: Readonly<Plain>, assignments: readonly Assignment[]): Plain {
  const patch: Plain = {};
  for (const { path, key, value } of assignments) {
    if (key === undefined) {
      if (value !== undefined) assign(patch, path, value);
      continue;
    }
    const [name = ""] = path;
    const before = patch[name] ?? current[name];
    const { [key]: _, ...others } = isRecord(before) ? before : {};
    patch[name] = value === undefined ? others : { ...others, [key]: value };
  }
  return patch;
}
