import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

import { createFiberlbClient, type FiberlbClientOptions } from "@fiberlb/api";
import { createK8shostClient } from "@fiberlb/api/k8shost";
import type { CliIo, GlobalFlags } from "@fiberlb/cli";
import { createController, createK8shostSource, createReconcileMetrics } from "@fiberlb/k8shost-controller";
import { createLog, type Log } from "@fiberlb/server";
import type { Command } from "commander";

import { startControllerAdmin } from "../controller/admin.ts";
import { type ControllerConfig, parseControllerConfig, type ServerSettings } from "../controller/settings.ts";
import { failure } from "../failure.ts";

const EXAMPLES = `
Follows k8shost and keeps a load balancer for each Service of type LoadBalancer, with the Pods as its backends.
Both servers must let it act for every tenant: an admin's token where they want one (FIBERLB_TOKEN, K8SHOST_TOKEN, or
tokenFile in the configuration). All keys and annotations: docs/k8shost.md

Examples:
  $ fiberlb controller --k8shost http://127.0.0.1:6443
  $ fiberlb controller --k8shost https://k8shost:6443 --server https://lb-1:9080 --cluster-name blue
  $ fiberlb controller --config /etc/fiberlb/controller.yaml
`;

const NOT_LISTED = "k8shost has not listed its Services and Pods yet";

interface Flags extends GlobalFlags {
  readonly config?: string;
  readonly k8shost?: string;
  readonly clusterName?: string;
  readonly adminListen?: string;
}

/** Adds `fiberlb controller`: keeps load balancers for the Services of a k8shost, until SIGTERM or SIGINT. */
export function addController(program: Command, io: CliIo): void {
  const command = program
    .command("controller")
    .description("keep load balancers for the Services of a k8shost")
    .option("-c, --config <file>", "configuration file (YAML)")
    .option("--k8shost <url>", "where k8shost is (K8SHOST_SERVER)")
    .option("--cluster-name <name>", "tells controllers apart that share a FiberLB (default: default)")
    .option("--admin-listen <address>", "where metrics and health are served (default: 127.0.0.1:9082)")
    .addHelpText("after", EXAMPLES);
  command.action(async () => control(command.optsWithGlobals<Flags>(), io.env));
}

async function control(flags: Flags, env: CliIo["env"]): Promise<void> {
  const config = readConfig(flags, env);
  const log = processLog();
  const fiberlb = createFiberlbClient(clientOptions(config.fiberlb, flags.token ?? env["FIBERLB_TOKEN"]));
  const k8shost = createK8shostClient(clientOptions(config.k8shost, env["K8SHOST_TOKEN"]));
  const metrics = createReconcileMetrics();
  const source = createK8shostSource({ k8shost, logger: log });
  const { clusterName, loadBalancerClass, resyncIntervalMs, concurrency } = config;
  const controller = createController({
    source,
    fiberlb,
    logger: log,
    options: {
      onReconciled: metrics.onReconciled,
      ...(clusterName !== undefined && { clusterName }),
      ...(loadBalancerClass !== undefined && { loadBalancerClass }),
      ...(resyncIntervalMs !== undefined && { resyncIntervalMs }),
      ...(concurrency !== undefined && { concurrency }),
    },
  });
  const probes = { metrics: metrics.render, notReady: () => (source.isSynced ? undefined : NOT_LISTED) };
  const closeAdmin = await startControllerAdmin(config.adminListen, probes).catch((error: unknown) => {
    throw failure(`cannot open the admin port ${config.adminListen}: ${(error as Error).message}`);
  });
  controller.start();
  log.info("controller started", { k8shost: config.k8shost.server, fiberlb: config.fiberlb.server });
  log.info("stopping", { signal: await firstSignal() });
  // The source first: nobody has to wait for what it would have told.
  await source.stop();
  await controller.stop();
  await closeAdmin();
  k8shost.close();
  fiberlb.close();
}

function readConfig({ config: file, ...flags }: Flags, env: CliIo["env"]): ControllerConfig {
  const parsed = parseControllerConfig(file === undefined ? undefined : { name: file, text: readText(file) }, {
    server: flags.server ?? env["FIBERLB_SERVER"],
    k8shost: flags.k8shost ?? env["K8SHOST_SERVER"],
    clusterName: flags.clusterName,
    adminListen: flags.adminListen,
  });
  if ("problems" in parsed) throw failure(parsed.problems, 2);
  return parsed.config;
}

/** A token in a file is read before each call: whoever replaces it need not restart the controller. */
function clientOptions({ server, tokenFile, caFile }: ServerSettings, token: string | undefined): FiberlbClientOptions {
  const current = tokenFile === undefined ? token : async () => (await readFile(tokenFile, "utf8")).trim();
  return {
    baseUrl: server,
    ...(current !== undefined && { token: current }),
    ...(caFile !== undefined && { tls: { ca: readText(caFile) } }),
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw failure(`cannot read ${file}: ${(error as Error).message}`, 2);
  }
}

/** JSON for machines, pretty for a terminal; to standard error. */
function processLog(): Log {
  const isTerminal = process.stderr.isTTY;
  const format = isTerminal ? "pretty" : "json";
  return createLog({
    level: "info",
    format,
    colour: isTerminal,
    write: (line) => void process.stderr.write(`${line}\n`),
  });
}

function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  });
}
