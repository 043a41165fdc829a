import { describeError, type FiberlbClient } from "@fiberlb/api";
import type { Command } from "commander";

import { type Actual, type ActualState, loadActual } from "../apply/actual.ts";
import { checkDesired } from "../apply/check.ts";
import { type Desired, readDesired } from "../apply/desired.ts";
import { describeOperation, Executor, type Registry } from "../apply/execute.ts";
import { addressOf, type Operation } from "../apply/operations.ts";
import { hasChanges, type PlanNode } from "../apply/plan-node.ts";
import { type Plan, plan } from "../apply/plan.ts";
import { countActions, printPlan } from "../apply/print.ts";
import { type InputFile, readInput } from "../apply/read-file.ts";
import { schedule } from "../apply/schedule.ts";
import { CliExit, refusal, usageError } from "../exit.ts";
import type { FileFault } from "../fields/check-keys.ts";
import type { CliIo } from "../io.ts";
import { paletteFor } from "../output/colour.ts";
import { type Invocation, onServer, withExamples } from "./command.ts";

interface ApplyFlags {
  readonly file: string;
  readonly dryRun: boolean;
  readonly exitCode: boolean;
  readonly prune: boolean;
  readonly set: string;
  readonly adopt: boolean;
  readonly replace: boolean;
}

/** Exit code of `--dry-run --exit-code` when there are changes. */
const EXIT_CHANGES = 3;

/** `fiberlb apply -f FILE`. */
export function addApply(program: Command, io: CliIo): void {
  const command = program
    .command("apply")
    .summary("make the declared load balancers so")
    .description(
      "Reads load balancers, certificates and VIP pools from a YAML or JSON file, shows what differs from what there is, and " +
        "makes it so. Inside a declared load balancer the file is the whole truth. A second run says: no changes.",
    )
    .requiredOption("-f, --file <path>", "the file, - for standard input; paths in it are relative to it")
    .option("--dry-run", "only show the plan", false)
    .option("--exit-code", "with --dry-run: exit 3 when there are changes", false)
    .option("--prune", "delete load balancers and certificates of the set that the file no longer names", false)
    .option("--set <name>", "the set that this file is; marks what it makes", "default")
    .option("--adopt", "take over load balancers and certificates that are not of this set", false)
    .option("--replace", "replace what cannot change (shown as -/+)", false);
  withExamples(command, [
    ["fiberlb apply -f web.yaml --dry-run", "what would change"],
    ["fiberlb apply -f web.yaml", "make it so"],
    ["fiberlb export | fiberlb apply -f - --dry-run --exit-code", "0: nothing drifted"],
  ]);
  onServer<ApplyFlags>(command, io, runApply);
}

async function runApply({ flags, client, io }: Invocation<ApplyFlags>): Promise<void> {
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(flags.set)) {
    throw usageError(
      `--set must be 1 to 63 letters, digits, dots, hyphens and underscores, not ${JSON.stringify(flags.set)}`,
    );
  }
  const file = await readInput(io, flags.file);
  const { resources: desired, faults } = await readDesired(file);
  refuseFaults(file, faults);
  const actual = await loadFor(client, desired);
  const certificates = actual.resources.filter(({ kind }) => kind === "certificate").map(({ title }) => title);
  refuseFaults(file, checkDesired(desired, certificates));
  const planned = plan(desired, actual, flags);
  if (planned.refusals.length > 0) throw refusal(planned.refusals.join("; "));
  await carryOut({ client, io, flags }, { planned, actual });
}

function refuseFaults({ name }: InputFile, faults: readonly FileFault[]): void {
  if (faults.length === 0) return;
  const texts = faults.map(({ where, problem }) =>
    where === "" ? problem : `${where}${problem.startsWith("unknown") ? ":" : ""} ${problem}`,
  );
  throw refusal(`${name}: ${texts.join("; ")}`);
}

/** Certificates that are used elsewhere matter only when the file declares one. */
function loadFor(client: FiberlbClient, desired: readonly Desired[]): Promise<ActualState> {
  const names = new Set(desired.filter(({ kind }) => kind === "loadBalancer").map(({ title }) => title));
  return loadActual(client, {
    withChildren: (name) => names.has(name) || names.has(name.replace(/~new\d*$/, "")),
    vipPools: desired.some(({ kind }) => kind === "vipPool"),
    certificateUsers: desired.some(({ kind }) => kind === "certificate"),
  });
}

type Context = Pick<Invocation<ApplyFlags>, "client" | "io" | "flags">;

async function carryOut(
  { client, io, flags }: Context,
  { planned, actual }: { readonly planned: Plan; readonly actual: ActualState },
): Promise<void> {
  const operations = schedule(planned);
  const executor = new Executor(client, registryOf(planned.nodes, actual.resources));
  await executor.validate(operations);
  io.stdout.write(printPlan(planned, paletteFor(io.colour)));
  const isChange = planned.nodes.some(hasChanges) || operations.length > 0;
  if (flags.dryRun) {
    if (isChange && flags.exitCode) throw new CliExit(EXIT_CHANGES);
    return;
  }
  if (operations.length === 0) return;
  await runAll(executor, operations, io);
  io.stdout.write(`applied: ${countActions(planned, "done")}\n`);
}

async function runAll(executor: Executor, operations: readonly Operation[], io: CliIo): Promise<void> {
  for (const [index, operation] of operations.entries()) {
    try {
      await executor.run(operation);
    } catch (error) {
      const progress = `${index} of ${operations.length} changes were made`;
      throw refusal(
        `stopped: cannot ${describeOperation(operation)}: ${describeError(error)}; ${progress}, run apply again to go on`,
      );
    }
    io.stdout.write(`${describeOperation(operation)}: done\n`);
  }
}

/** Ids of everything that stays, under the names that the file gives it, and of certificates that it does not declare. */
function registryOf(nodes: readonly PlanNode[], resources: readonly Actual[]): Registry {
  const registry: Registry = new Map();
  for (const { kind, title, id } of resources) if (kind === "certificate") registry.set(addressOf(kind, [title]), id);
  const add = ({ kind, path, actual, action, children }: PlanNode): void => {
    if (actual !== undefined && action !== "delete") registry.set(addressOf(kind, path), actual.id);
    children.forEach(add);
  };
  nodes.forEach(add);
  return registry;
}
