import type { Command } from "commander";

import { type Actual, loadActual } from "../apply/actual.ts";
import { toFile } from "../apply/to-file.ts";
import { usageError } from "../exit.ts";
import { isRecord } from "../fields/check-keys.ts";
import type { CliIo } from "../io.ts";
import { resolveId } from "../lookup.ts";
import { toYaml } from "../output/format.ts";
import { type Invocation, onServer, withExamples } from "./command.ts";

interface ExportFlags {
  readonly output: string;
  readonly vipPools: boolean;
}

/** `fiberlb export [LB]`. */
export function addExport(program: Command, io: CliIo): void {
  const command = program
    .command("export")
    .summary("write what there is as a file for apply")
    .description(
      "Writes load balancers in the form that apply reads; apply answers it with: no changes. Fields that are as by default " +
        "are left out. Private keys are never given back: a certificate comes without, and apply leaves it as it is.",
    )
    .argument("[lb]", "id or name; all load balancers when absent")
    .option("-o, --output <format>", "yaml or json", "yaml")
    .option("--vip-pools", "the VIP pools, too (admin)", false);
  withExamples(command, [
    ["fiberlb export > all.yaml", "everything of the project"],
    ["fiberlb export web -o json", "one load balancer, with the certificates that it uses"],
  ]);
  onServer<ExportFlags>(command, io, runExport);
}

async function runExport({ args: [name], flags, client, io }: Invocation<ExportFlags>): Promise<void> {
  if (flags.output !== "yaml" && flags.output !== "json") {
    throw usageError(`--output must be yaml or json, not ${JSON.stringify(flags.output)}`);
  }
  const id = name === undefined ? undefined : await resolveId(client, "loadBalancer", name);
  const wanted = id === undefined ? undefined : await nameOf(client, id);
  const withChildren = (candidate: string): boolean => wanted === undefined || candidate === wanted;
  const { resources } = await loadActual(client, { withChildren, vipPools: flags.vipPools, certificateUsers: false });
  const chosen = id === undefined ? resources : ofLoadBalancer(resources, id);
  const file = toFile(chosen);
  io.stdout.write(flags.output === "json" ? `${JSON.stringify(file, undefined, 2)}\n` : toYaml(file));
}

const nameOf = async (client: Invocation<ExportFlags>["client"], id: string): Promise<string | undefined> =>
  (await client.loadBalancers.getLoadBalancer({ id })).loadBalancer?.name;

/** One load balancer and the certificates that it names. */
function ofLoadBalancer(resources: readonly Actual[], id: string): readonly Actual[] {
  const loadBalancer = resources.filter((resource) => resource.id === id);
  const used = new Set(loadBalancer.flatMap(({ children }) => children.flatMap(certificatesOf)));
  return resources.filter(
    (resource) => resource.id === id || (resource.kind === "certificate" && used.has(resource.title)),
  );
}

function certificatesOf({ fields }: Actual): readonly unknown[] {
  const { certificates, clientCaCertificate, backendTls } = fields;
  const tls = isRecord(backendTls) ? [backendTls["caCertificate"], backendTls["clientCertificate"]] : [];
  return [...(Array.isArray(certificates) ? (certificates as unknown[]) : []), clientCaCertificate, ...tls];
}
