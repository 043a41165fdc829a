import { createRequestSchemas, type Plain } from "@fiberlb/api";
import { describeViolations, parseSpec, type ResourceKind } from "@fiberlb/types";
import { type Command, Option } from "commander";

import { without } from "../apply/file-fields.ts";
import { readInput, readText } from "../apply/read-file.ts";
import { FILE_KEYS } from "../apply/schema.ts";
import type { Session } from "../connection.ts";
import { refusal, usageError } from "../exit.ts";
import { isRecord, normaliseMessage } from "../fields/check-keys.ts";
import { parseValue } from "../fields/parse-value.ts";
import {
  assign,
  describeField,
  flagNames,
  placeholder,
  type SettableField,
  settableFields,
} from "../fields/settable.ts";
import type { CliIo } from "../io.ts";
import { infoOf, kindInfos, type KindInfo, parseWritableKind } from "../kinds.ts";
import { resolveId } from "../lookup.ts";
import { formatAnswer, parseOutputFormat } from "../output/format.ts";
import { type Answer, createOne, resourceIn } from "../rpc.ts";
import { onServer, withExamples } from "./command.ts";

const EXAMPLES: Readonly<Record<ResourceKind, string>> = {
  loadBalancer: "fiberlb create lb --name web --vip-address 127.10.0.1 --tag team=shop",
  listener: "fiberlb create listener --load-balancer web --name http --protocol http --port 80 --default-pool web/app",
  pool: "fiberlb create pool --load-balancer web --name app --protocol http --algorithm maglev",
  backend: "fiberlb create backend --pool web/app --address 10.0.0.5 --port 8080 --weight 2",
  healthCheck: "fiberlb create hc --pool web/app --type http --http.path /healthz --interval-ms 1000",
  l7Policy: "fiberlb create l7policy --listener web/http --action redirect-to-pool --redirect-pool web/api",
  l7Rule: "fiberlb create l7rule --l7-policy web/http/api --type path --compare-type starts-with --value /api",
  certificate: "fiberlb create cert --name site --type server --certificate-file site.crt --private-key-file site.key",
  vipPool: "fiberlb create vippool --name public --cidr 203.0.113.0/24",
};

/** `fiberlb create KIND --field value…`: one subcommand a kind, its flags made from the API's descriptors. */
export function addCreate(program: Command, io: CliIo): void {
  const create = program
    .command("create")
    .summary("create a resource")
    .description("Creates a resource. Its fields are flags: `fiberlb create KIND --help` lists them.")
    .usage("KIND [flags]");
  create.addHelpCommand(false);
  // Runs when no subcommand matched.
  create
    .argument("[kind]")
    .allowUnknownOption()
    .allowExcessArguments()
    .action((kind?: string) => {
      if (kind === undefined) throw usageError("create needs a kind, such as `fiberlb create lb --name web`");
      throw usageError(`write the kind as ${parseWritableKind(kind).names[0]}, not ${JSON.stringify(kind)}`);
    });
  withExamples(
    create,
    Object.values(EXAMPLES).map((line) => [line, ""] as const),
  );
  for (const info of kindInfos) if (info.kind !== "node") addCreateKind(create, io, { ...info, kind: info.kind });
}

function addCreateKind(create: Command, io: CliIo, info: KindInfo & { readonly kind: ResourceKind }): void {
  const [name, ...aliases] = info.names;
  const command = create
    .command(name)
    .aliases(aliases)
    .summary(`create a ${info.label}`)
    .description(`Creates a ${info.label}. What is not given takes its default.`)
    .configureHelp({ optionDescription: ({ description }) => description })
    .option("-f, --file <path>", "YAML or JSON with the fields, - for standard input; flags win over it")
    .option("-o, --output <format>", "table (one line), json or yaml", "table");
  const given: Plain = {};
  for (const field of settableFields(info.kind))
    for (const option of optionsOf(field, given)) command.addOption(option);
  if (info.kind === "certificate") {
    command.option("--certificate-file <path>", "the certificate, and those that it was issued with, in PEM");
    command.option("--private-key-file <path>", "its key in PEM; on the command line itself others could see it");
  }
  withExamples(command, [[EXAMPLES[info.kind], ""]]);
  onServer<CreateFlags>(command, io, async ({ flags, ...session }) => {
    const format = parseOutputFormat(flags.output);
    const fromFile = flags.file === undefined ? {} : await readSpec(io, info.kind, flags.file);
    const texts = await readTexts(flags, (path) => readText(io, path));
    const spec = await resolveReferences(session, info.kind, merge(fromFile, { ...given, ...texts }));
    if (flags.file !== undefined) checkSpec(info.kind, spec);
    const answer = await createOne(session.client, info.kind, spec);
    io.stdout.write(format === "table" ? createdLine(info.kind, answer, spec) : formatAnswer(answer, format));
  });
}

interface CreateFlags {
  readonly file?: string;
  readonly output: string;
  readonly certificateFile?: string;
  readonly privateKeyFile?: string;
}

/** The texts of the files that stand for fields, such as `privateKeyFile` for `privateKeyPem`. */
async function readTexts(named: object, read: (path: string) => Promise<string>): Promise<Plain> {
  const entries = Object.entries(named as Plain).flatMap(([key, path]) => {
    const field = FILE_KEYS[key];
    return field === undefined ? [] : [[field, path] as const];
  });
  return Object.fromEntries(await Promise.all(entries.map(async ([field, path]) => [field, await read(String(path))])));
}

/** Commander takes two spellings of a flag in one option; both write into `given`. */
function optionsOf(field: SettableField, given: Plain): readonly Option[] {
  const [full = "", short] = flagNames(field);
  const flags = `${short === undefined ? "" : `${short}, `}${full} ${placeholder(field)}`;
  const option = new Option(flags, describeField(field)).argParser((text: string) => {
    const value = parseValue(field.desc, text, full);
    assign(given, field.path, value);
    return value;
  });
  // A flag without a value is true.
  return [placeholder(field).startsWith("[") ? option.preset("true") : option];
}

async function readSpec(io: CliIo, kind: ResourceKind, path: string): Promise<Plain> {
  const { name, value, readRelated } = await readInput(io, path);
  if (!isRecord(value)) throw refusal(`${name}: must hold the fields of one ${infoOf(kind).label}`);
  const texts = kind === "certificate" ? await readTexts(value, readRelated) : {};
  const own = kind === "certificate" ? without(value, ...Object.keys(FILE_KEYS)) : value;
  const { value: spec, faults } = normaliseMessage(createRequestSchemas[kind], { ...own, ...texts }, "");
  if (faults.length > 0)
    throw refusal(`${name}: ${faults.map(({ where, problem }) => `${where}: ${problem}`).join("; ")}`);
  return spec as Plain;
}

/** Names become ids; within the load balancer that is given, where one is. */
export async function resolveReferences(
  { client }: Pick<Session, "client">,
  kind: ResourceKind,
  spec: Plain,
): Promise<Plain> {
  const resolved = structuredClone(spec);
  const lists = settableFields(kind).filter(({ references }) => references !== undefined);
  for (const { path, references } of lists) {
    const given = readPath(resolved, path);
    if (given === undefined || references === undefined) continue;
    const loadBalancerId = references === "pool" ? resolved["loadBalancerId"] : undefined;
    const within = loadBalancerId === undefined ? {} : { loadBalancerId };
    const toId = (text: unknown): Promise<string> => resolveId(client, references, String(text), within);
    writePath(resolved, path, Array.isArray(given) ? await Promise.all(given.map(toId)) : await toId(given));
  }
  await resolveWeightedPools({ client }, resolved);
  return resolved;
}

async function resolveWeightedPools({ client }: Pick<Session, "client">, spec: Plain): Promise<void> {
  const { pools } = spec as { pools?: readonly { poolId?: string }[] };
  if (!Array.isArray(pools)) return;
  spec["pools"] = await Promise.all(
    pools.map(async (entry: { poolId?: string }) =>
      entry.poolId === undefined ? entry : { ...entry, poolId: await resolveId(client, "pool", entry.poolId) },
    ),
  );
}

const readPath = (object: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((at, name) => (isRecord(at) ? at[name] : undefined), object);

function writePath(object: Plain, path: readonly string[], value: unknown): void {
  const parent = readPath(object, path.slice(0, -1));
  if (isRecord(parent)) (parent as Plain)[path.at(-1) ?? ""] = value;
}

function createdLine(kind: ResourceKind, answer: Answer, { validateOnly }: Plain): string {
  const { id, name } = resourceIn(kind, answer);
  if (validateOnly === true) return `${infoOf(kind).label} ${name} is valid; nothing was created\n`;
  return `created ${infoOf(kind).label} ${name} (${id})\n`;
}

/** Flags win over the file; a nested message of both is merged. */
function merge(fromFile: Plain, given: Plain): Plain {
  const nested = Object.keys(given).filter((name) => isRecord(fromFile[name]) && isRecord(given[name]));
  const merged = nested.map((name) => [name, { ...(fromFile[name] as Plain), ...(given[name] as Plain) }] as const);
  return { ...fromFile, ...given, ...Object.fromEntries(merged) };
}

/** Checks a whole spec before it is sent. @throws CliExit that lists every bad field */
function checkSpec(kind: ResourceKind, spec: Plain): void {
  const { requestId: _, validateOnly: __, ...own } = spec;
  const result = parseSpec(kind, own);
  if (!result.ok) throw refusal(`invalid argument: ${describeViolations(result.violations)}`);
}
