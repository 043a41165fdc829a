/**
 * What a node keeps for itself on its own disk, beside whatever the cluster shares.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";

import type { Config } from "./config/config.ts";

const DEFAULT_FOLDER = "./fiberlb-data";
const INSTALLATION_FILE = "node-id";

/** What the node is called. */
export const nodeName = ({ node }: Config): string => node.name ?? hostname();

/** The node's folder; undefined when it keeps nothing (`store.kind: memory`). */
export function dataFolder({ node, store }: Config): string | undefined {
  if (store.kind === "memory") return node.dataDir;
  if (node.dataDir !== undefined) return node.dataDir;
  return store.kind === "sqlite" ? dirname(store.path) : DEFAULT_FOLDER;
}

/** Where the node keeps one of its files, such as `vips.json`; undefined when it keeps none. */
export function dataFile(config: Config, name: string): string | undefined {
  const folder = dataFolder(config);
  const { kind, path } = config.store;
  return folder && join(folder, kind === "sqlite" ? `${basename(path)}.${name}` : name);
}

/**
 * What tells this installation from others that were given the same node name: made at the first start and kept in the
 * node's folder. Without a folder it is another one each time.
 * @throws Error that names the file when it cannot be read or made.
 */
export function readInstallation(folder: string | undefined): string {
  if (folder === undefined) return randomUUID();
  const path = join(folder, INSTALLATION_FILE);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return readOr(path, () => {
      const made = randomUUID();
      writeFileSync(path, `${made}\n`, { flag: "wx", mode: 0o600 });
      return made;
    });
  } catch (error) {
    throw new Error(`Cannot keep the node's id in ${path}: ${(error as Error).message}`, { cause: error });
  }
}

function readOr(path: string, make: () => string): string {
  try {
    const text = readFileSync(path, "utf8").trim();
    if (text === "") throw new Error("the file is empty; remove it");
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return make();
    throw error;
  }
}
