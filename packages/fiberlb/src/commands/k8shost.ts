import { readFileSync } from "node:fs";

import { createFiberlbClient, describeError } from "@fiberlb/api";
import { CliExit, type CliIo, type GlobalFlags } from "@fiberlb/cli";
import {
  type Authenticator,
  createIamAuthenticator,
  createK8shost,
  createTokenAuthenticator,
  DEFAULT_PORT,
  type K8shostOptions,
  type Strategy,
} from "@fiberlb/k8shost";
import { createLog, type Log } from "@fiberlb/server";
import { createMemoryStore, openEtcdStore, openSqliteStore, type Store } from "@fiberlb/store";
import { type Command, Option } from "commander";

import { failure } from "../failure.ts";

const EXAMPLES = `
Keeps Pods, Services and Deployments, places Pods on nodes, and keeps a load balancer in FiberLB for each Service of type
LoadBalancer. It runs no containers: agents do, and report. --server is the FiberLB; with FIBERLB_TOKEN, an admin's token, where
it wants one. IAM_SERVER_ADDR, host:port or a URL, names an IAM server that knows whose tokens are. Of hosts that share an etcd,
all but one are started with --api-only. More: docs/k8shost-host.md

Examples:
  $ fiberlb k8shost
  $ fiberlb k8shost --store memory --no-controller
  $ fiberlb k8shost --listen 10.0.0.5:6443 --tokens /etc/fiberlb/k8shost-tokens --api-cert api.pem --api-key api-key.pem
  $ fiberlb k8shost --store etcd:http://10.0.0.1:2379,http://10.0.0.2:2379 --server http://10.0.0.1:9080
`;

interface Flags extends GlobalFlags {
  readonly listen: string;
  readonly store: string;
  readonly tokens?: string;
  readonly apiCert?: string;
  readonly apiKey?: string;
  readonly serviceCidr?: string;
  readonly strategy: Strategy;
  readonly clusterName?: string;
  readonly controller: boolean;
  readonly apiOnly?: boolean;
}

const DEFAULT_SERVER = "http://127.0.0.1:9080";
const ETCD_PREFIX = "/k8shost/";

/** Adds `fiberlb k8shost`: a host for Pods, Services and Deployments, until SIGTERM or SIGINT. */
export function addK8shost(program: Command, io: CliIo): void {
  const command = program
    .command("k8shost")
    .description("run a small host for Pods, Services and Deployments, with load balancers for its Services")
    .option("--listen <address>", "where the API is served", `127.0.0.1:${DEFAULT_PORT}`)
    .option("--store <store>", "memory, sqlite:PATH or etcd:URL[,URL...]", "sqlite:k8shost.db")
    .option("--tokens <file>", "who may call: lines of SHA-256 of the token, organisation, project, admin or member")
    .option("--api-cert <file>", "certificate of the API, PEM; absent: cleartext")
    .option("--api-key <file>", "its private key, PEM")
    .option("--service-cidr <cidr>", "network of cluster IPs (default: 10.96.0.0/16)")
    .addOption(new Option("--strategy <name>", "where Pods go").choices(["spread", "pack"]).default("spread"))
    .option("--cluster-name <name>", "tells hosts apart that share a FiberLB (default: default)")
    .option("--no-controller", "make no load balancers")
    .option("--api-only", "serve the API; another host on the same store does the rest")
    .addHelpText("after", EXAMPLES);
  command.action(async () => host(command.optsWithGlobals<Flags>(), io.env));
}

async function host(flags: Flags, env: CliIo["env"]): Promise<void> {
  const address = parseListen(flags.listen);
  const tls = tlsOf(flags);
  const authenticator = authenticatorOf(flags, env["IAM_SERVER_ADDR"]);
  const log = processLog();
  await using closing = new AsyncDisposableStack();
  closing.defer(() => authenticator?.close?.());
  const store = await openStore(flags.store).catch(explain);
  closing.defer(() => store.close());
  const token = flags.token ?? env["FIBERLB_TOKEN"];
  const baseUrl = flags.server ?? env["FIBERLB_SERVER"] ?? DEFAULT_SERVER;
  const fiberlb = createFiberlbClient({ baseUrl, ...(token !== undefined && { token }) });
  closing.defer(() => fiberlb.close());
  const k8shost = createK8shost({
    store,
    logger: log,
    strategy: flags.strategy,
    runsLoops: flags.apiOnly !== true,
    ...(flags.controller && { fiberlb }),
    ...(flags.clusterName !== undefined && { controller: { clusterName: flags.clusterName } }),
    ...(flags.serviceCidr !== undefined && { serviceCidr: flags.serviceCidr }),
    ...(authenticator !== undefined && { authenticator }),
    ...(tls !== undefined && { tls }),
  });
  closing.defer(() => k8shost.stop());
  const bound = await k8shost.listen(address).catch(explain);
  await k8shost.start().catch(explain);
  log.info("k8shost started", { listen: `${bound.host}:${bound.port}`, store: flags.store.split(":", 1)[0] });
  log.info("stopping", { signal: await firstSignal() });
}

function tlsOf({ apiCert, apiKey }: Flags): K8shostOptions["tls"] {
  if (apiCert === undefined && apiKey === undefined) return undefined;
  if (apiCert === undefined || apiKey === undefined)
    throw failure("--api-cert and --api-key belong together: give both or none", 2);
  return { cert: readText(apiCert), key: readText(apiKey) };
}

/** Tokens of a file, or those that an IAM server knows; without either everybody who reaches the port is an admin. */
function authenticatorOf(
  { tokens: file }: Flags,
  iamServer: string | undefined,
): (Authenticator & { readonly close?: () => void }) | undefined {
  if (file !== undefined && iamServer !== undefined)
    throw failure("--tokens and IAM_SERVER_ADDR are both given: choose one", 2);
  if (iamServer !== undefined) return createIamAuthenticator({ server: iamServer });
  if (file === undefined) return undefined;
  try {
    return createTokenAuthenticator(readText(file), { source: file });
  } catch (error) {
    throw error instanceof CliExit ? error : failure(describeError(error), 2);
  }
}

function parseListen(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const name = bracketed ?? plain;
  if (name === undefined || port > 65_535)
    throw failure(`--listen ${text}: must be host:port, such as 127.0.0.1:6443`, 2);
  return { host: name, port };
}

async function openStore(name: string): Promise<Store> {
  if (name === "memory") return createMemoryStore();
  const [, kind, place] = /^(sqlite|etcd):(.+)$/.exec(name) ?? [];
  if (place === undefined) throw failure(`"${name}" names no store: write memory, sqlite:PATH or etcd:URL[,URL...]`, 2);
  if (kind === "sqlite") return openSqliteStore({ path: place });
  return openEtcdStore({ endpoints: place.split(","), prefix: ETCD_PREFIX });
}

function explain(error: unknown): never {
  throw error instanceof CliExit ? error : failure(describeError(error));
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
  return createLog({
    level: "info",
    format: isTerminal ? "pretty" : "json",
    colour: isTerminal,
    write: (line) => void process.stderr.write(`${line}\n`),
  });
}

function firstSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  });
}
