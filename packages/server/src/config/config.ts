import { parseCidr, parseSpec } from "@fiberlb/types";
import { parse as parseYaml, YAMLParseError } from "yaml";
import type { z } from "zod";

import { bgpProblems } from "./bgp-schema.ts";
import { configKeys, namesAt } from "./keys.ts";
import { nearest } from "./nearest.ts";
import { type Config, configSchema, parseListen } from "./schema.ts";
import { vipPoolSpecs } from "./vip-pools.ts";

export { type Config, configSchema, DEFAULT_VIP_POOLS, type ListenAddress, parseListen } from "./schema.ts";

/** Where a configuration comes from; later ones win: file, environment, flags. */
export interface ConfigSources {
  /** Text of the YAML file, and its name for messages. */
  readonly file?: { readonly name: string; readonly text: string };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Dotted path → value, for example `{ "api.listen": "127.0.0.1:0" }`. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

/** A configuration, or every mistake in it; warnings are for the log. */
export type ConfigResult =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] };

type Tree = Record<string, unknown>;

/** File, environment and flags → one checked configuration. Pure. */
export function parseConfig(sources: ConfigSources): ConfigResult {
  const file = parseFile(sources.file);
  if (!file.ok) return file;
  const tree = structuredClone(file.tree);
  const env = applyEnv(tree, sources.env);
  for (const [path, value] of Object.entries(sources.flags ?? {})) setPath(tree, path.split("."), value);
  const parsed = configSchema.safeParse(tree);
  const where = sources.file === undefined ? "" : `${sources.file.name}: `;
  const problems = [...env.problems, ...(parsed.success ? [] : parsed.error.issues.flatMap((i) => explain(i, where)))];
  if (!parsed.success || problems.length > 0) return { ok: false, problems };
  const wrong = contradictions(parsed.data);
  return wrong.length > 0
    ? { ok: false, problems: wrong.map((text) => where + text) }
    : { ok: true, config: parsed.data, warnings: env.warnings };
}

function parseFile(
  file: ConfigSources["file"],
): { readonly ok: true; readonly tree: Tree } | { readonly ok: false; readonly problems: readonly string[] } {
  if (file === undefined) return { ok: true, tree: {} };
  try {
    // A section without content, "api:", is null in YAML and means the same as none.
    const tree: unknown = parseYaml(file.text, (_key, value: unknown) => value ?? undefined);
    if (tree === null || tree === undefined) return { ok: true, tree: {} };
    if (typeof tree === "object" && !Array.isArray(tree)) return { ok: true, tree: tree as Tree };
    return { ok: false, problems: [`${file.name}: expected a mapping of keys such as "api:" and "store:"`] };
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    const line = error.linePos?.[0].line;
    return {
      ok: false,
      problems: [`${file.name}${line === undefined ? "" : `:${line}`}: ${error.message.split("\n", 1)[0]}`],
    };
  }
}

/** Variables of the command line's own flags, which are no configuration keys. */
const CLI_VARIABLES = new Set(
  ["SERVER", "TOKEN", "ORG", "PROJECT", "TLS_CA", "TLS_CERT", "TLS_KEY"].map((name) => `FIBERLB_${name}`),
);

function applyEnv(tree: Tree, env: ConfigSources["env"]): { problems: string[]; warnings: string[] } {
  const keys = new Map(configKeys(configSchema).map((key) => [key.env, key]));
  const problems: string[] = [];
  const warnings: string[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith("FIBERLB_") || text === undefined || CLI_VARIABLES.has(name)) continue;
    const key = keys.get(name);
    if (key === undefined) {
      // Only a warning: Kubernetes gives every container such variables for a Service named fiberlb.
      const close = nearest(name, keys.keys());
      warnings.push(
        `environment variable ${name} is no configuration key${close === undefined ? "" : `; did you mean ${close}?`}`,
      );
      continue;
    }
    const value = envValue(text, key.type);
    if (value === undefined) problems.push(`${name}: expected a JSON list, for example ["203.0.113.0/24"]`);
    else setPath(tree, key.path.split("."), value);
  }
  return { problems, warnings };
}

function envValue(text: string, type: string): unknown {
  if (type === "list") return parseList(text);
  if (type === "boolean" && (text === "true" || text === "false")) return text === "true";
  return /integer/.test(type) && /^\d+$/.test(text) ? Number(text) : text;
}

function parseList(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function setPath(tree: Tree, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path as [string, ...string[]];
  if (rest.length === 0) {
    tree[head] = value;
    return;
  }
  const child = tree[head];
  const next = typeof child === "object" && child !== null && !Array.isArray(child) ? (child as Tree) : {};
  tree[head] = next;
  setPath(next, rest, value);
}

function explain(issue: z.core.$ZodIssue, where: string): string[] {
  const path = issue.path.map(String).join(".");
  if (issue.code !== "unrecognized_keys") return [`${where}${path}: ${issue.message}`];
  return issue.keys.map((key) => {
    const full = path === "" ? key : `${path}.${key}`;
    const siblings = namesAt(configSchema, issue.path);
    const close = nearest(key, siblings);
    const hint = close === undefined ? `known here: ${siblings.join(", ")}` : `did you mean "${close}"?`;
    return `${where}unknown key "${full}"; ${hint}`;
  });
}

/** What each key allows but the keys together do not. */
function contradictions(config: Config): string[] {
  const problems: string[] = [];
  const host = parseListen(config.api.listen)!.host;
  if (config.auth.kind === "none" && !isLoopback(host) && !config.auth.allowInsecure)
    problems.push(
      `api.listen: ${config.api.listen} can be reached by other hosts and auth.kind is none, so anybody could change anything; listen on 127.0.0.1 or set auth.allowInsecure: true`,
    );
  if (config.auth.kind !== "none")
    problems.push(`auth.kind: "${config.auth.kind}" is not in this release; use "none" on a loopback address`);
  if (config.store.kind === "etcd") problems.push(...etcdProblems(config));
  if (config.dataPlane.engine === "linux")
    problems.push('dataPlane.engine: "linux" is not in this release; use "auto" or "node"');
  return [...problems, ...bgpProblems(config.bgp), ...announceProblems(config), ...addressProblems(config)];
}

function announceProblems({ vipPools = [], bgp }: Config): string[] {
  if (bgp !== undefined) return [];
  return vipPools.flatMap(({ announce, bgp: own }, index) => [
    ...(announce?.kind === "bgp" ? [`vipPools.${index}.announce.kind: bgp needs the section bgp`] : []),
    ...(own === undefined ? [] : [`vipPools.${index}.bgp: is without effect without the section bgp`]),
  ]);
}

/** What a cluster needs that a node alone does not. */
function etcdProblems({ store, secrets }: Config): string[] {
  const { endpoints, tls, username, passwordFile, prefix } = store;
  const problems: string[] = [];
  if (endpoints === undefined)
    problems.push('store.endpoints: store.kind etcd needs the members\' URLs, for example ["http://127.0.0.1:2379"]');
  for (const endpoint of endpoints ?? []) {
    if (!/^https?:\/\/[^/@?#]+\/?$/.test(endpoint))
      problems.push(`store.endpoints: "${endpoint}" is no URL like https://10.0.0.1:2379`);
    else if (tls !== undefined && endpoint.startsWith("http:"))
      problems.push(`store.endpoints: ${endpoint} is cleartext and store.tls is set; write https://`);
  }
  if ((tls?.cert === undefined) !== (tls?.key === undefined))
    problems.push("store.tls: cert and key go together: they are this node's own certificate");
  if ((username === undefined) !== (passwordFile === undefined))
    problems.push("store.username: goes together with store.passwordFile");
  if (!prefix.endsWith("/")) problems.push(`store.prefix: "${prefix}" must end with "/"`);
  if (secrets.keyFile === undefined)
    problems.push(
      "secrets.keyFile: store.kind etcd needs it, the same key on every node (openssl rand -base64 32 > fiberlb.key)",
    );
  return problems;
}

/** Addresses are checked as the API would check them. */
function addressProblems({ vipPools, backends }: Config): string[] {
  const pools = vipPoolSpecs(vipPools ?? []).flatMap((pool, index) => {
    const spec = parseSpec("vipPool", pool);
    return spec.ok ? [] : spec.violations.map(({ field, description }) => `vipPools.${index}.${field} ${description}`);
  });
  const denied = (backends.deniedCidrs ?? []).flatMap((text, index) => {
    const cidr = parseCidr(text);
    return cidr.ok ? [] : [`backends.deniedCidrs.${index} ${cidr.error}`];
  });
  return [...pools, ...denied];
}

/** Whether only this host can reach an address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
