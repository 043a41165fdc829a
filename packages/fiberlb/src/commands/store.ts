import { resolve } from "node:path";

import { CliExit } from "@fiberlb/cli";
import { askForBackup, type Config, controlSocketPath, dataFolder } from "@fiberlb/server";
import { openSqliteStore, restoreSqliteFile, verifySqliteFile } from "@fiberlb/store";
import type { Command } from "commander";

import { failure } from "../failure.ts";
import { readConfig } from "./serve.ts";
import { addStoreCopy } from "./store-copy.ts";

const EXAMPLES = `
A backup can be made while the node runs; a restore needs it stopped. Private keys of certificates stay encrypted in
a backup: keep the key file (secrets.keyFile) as well.

Examples:
  $ fiberlb store backup /var/backups/fiberlb-monday.db
  $ fiberlb store restore /var/backups/fiberlb-monday.db
`;

/** Adds `fiberlb store backup | restore | copy`. */
export function addStore(program: Command): void {
  const store = program
    .command("store")
    .description("back up, restore and copy stores")
    .addHelpText("afterAll", EXAMPLES);
  store
    .command("backup <file>")
    .description("write a consistent copy of the store to a new file; the node may be running")
    .option("-c, --config <file>", "configuration file of the node")
    .action((file: string, { config }: { config?: string }) =>
      explained(() => backup(resolve(file), sqliteConfig(config))),
    );
  store
    .command("restore <file>")
    .description("check a backup and put it in the place of the store; the old one is kept beside it")
    .option("-c, --config <file>", "configuration file of the node")
    .action((file: string, { config }: { config?: string }) =>
      explained(() => restore(resolve(file), sqliteConfig(config))),
    );
  addStoreCopy(store, explained);
}

function sqliteConfig(file: string | undefined): Config {
  const { config } = readConfig(file);
  if (config.store.kind !== "sqlite")
    throw failure(`store.kind is ${config.store.kind}: only a sqlite store has a file to back up or restore`, 2);
  return config;
}

async function backup(file: string, config: Config): Promise<void> {
  const { path } = config.store;
  const folder = dataFolder(config);
  if (folder === undefined || !(await askForBackup(controlSocketPath(folder), file))) {
    await verifySqliteFile(path);
    const store = await openSqliteStore({ path });
    try {
      await store.backup(file);
    } finally {
      await store.close();
    }
  }
  await verifySqliteFile(file);
  console.log(`backed up ${path} to ${file}, and checked the copy`);
}

async function restore(file: string, config: Config): Promise<void> {
  const { replaced } = await restoreSqliteFile({ from: file, to: config.store.path });
  console.log(`restored ${config.store.path} from ${file}`);
  if (replaced !== undefined) console.log(`the store that was there is now ${replaced}`);
}

async function explained(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (error instanceof Error && !(error instanceof CliExit)) throw failure(error.message);
    throw error;
  }
}
