import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Api, apiAt, type Post } from "./api.ts";
import { FIBERLB, Program } from "./program.ts";

/** How a node is started. */
export interface NodeOptions {
  /** Its folder: configuration and store. Absent: a new one. */
  readonly folder?: string;
  /** Sections of the configuration file beside the defaults of tests. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** What stands before the program's own command line, for example `ip netns exec NAME`. */
  readonly prefix?: readonly string[];
  /** Arguments of Node itself. */
  readonly nodeArguments?: readonly string[];
  /** Arguments of `serve` beside its configuration. */
  readonly serveArguments?: readonly string[];
  /** How its API is reached; default: fetch. */
  readonly post?: Post;
}

/** `fiberlb serve` as a process of its own. */
export interface NodeProcess {
  readonly program: Program;
  readonly folder: string;
  readonly configFile: string;
  readonly api: Api;
  readonly adminUrl: string;
}

export const newFolder = (): string => mkdtempSync(join(tmpdir(), "fiberlb-e2e-"));

/** Loopback addresses that no other test process uses at the same time. */
export const VIP_NETWORK = `127.${30 + (process.pid % 200)}.77`;
/** For backends whose port must still be free after they were away: no client calls from there. */
export const BACKEND_NETWORK = `127.${30 + (process.pid % 200)}.78`;

/** Writes the configuration file of a node with ports of the system's choice. A YAML file may be JSON. */
export function writeConfig(folder: string, config: NodeOptions["config"] = {}): string {
  const file = join(folder, "fiberlb.yaml");
  const sections = {
    node: { name: "test" },
    api: { listen: "127.0.0.1:0" },
    admin: { listen: "127.0.0.1:0" },
    store: { kind: "sqlite", path: join(folder, "fiberlb.db") },
    vipPools: [{ name: "default", cidrs: [`${VIP_NETWORK}.0/24`] }],
    dataPlane: { workers: 2 },
    ...config,
  };
  writeFileSync(file, `${JSON.stringify(sections, null, 2)}\n`);
  return file;
}

/** Starts `fiberlb serve` and resolves when it is up. @throws Error with what it printed when it ends before. */
export async function startNode(options: NodeOptions = {}): Promise<NodeProcess> {
  const { folder = newFolder(), config, prefix = [], nodeArguments = [], serveArguments = [], post } = options;
  const configFile = writeConfig(folder, config);
  const [node, ...rest] = FIBERLB;
  const serve = ["serve", "--config", configFile, ...serveArguments];
  const program = new Program([...prefix, node, ...nodeArguments, ...rest, ...serve]);
  const line = await program.untilLine(/"event":"node is up"/);
  const { api, admin } = JSON.parse(line) as { api: string; admin: string };
  return { program, folder, configFile, api: apiAt(api, post), adminUrl: admin };
}
