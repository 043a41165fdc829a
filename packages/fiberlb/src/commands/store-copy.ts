import { etcdOptions } from "@fiberlb/server";
import { copyStore, isStoreError, openEtcdStore, openSqliteStore, type Store, verifySqliteFile } from "@fiberlb/store";
import type { Command } from "commander";

import { failure } from "../failure.ts";
import { readConfig } from "./serve.ts";

const EXAMPLES = `
A store is named sqlite:PATH or etcd:URL[,URL...]. How etcd is reached beyond its URLs (store.tls, store.username,
store.passwordFile) and store.prefix come from --config; without it, the prefix is /fiberlb/. A SQLite store must not be
in use: stop the node, or copy a backup of it. No node should write to the target meanwhile.

Keys under leases (nodes, health) are not copied: nodes write them anew. Private keys of certificates stay encrypted:
give all nodes the key file of the node that wrote the source (secrets.keyFile).

Examples:
  $ fiberlb store copy --from sqlite:/var/lib/fiberlb/fiberlb.db --to etcd:http://10.0.0.1:2379,http://10.0.0.2:2379
  $ fiberlb store copy --from etcd:https://10.0.0.1:2379 --to sqlite:one-node.db --config /etc/fiberlb/fiberlb.yaml
`;

/** Between two lines about progress. */
const REPORTED_KEYS = 5000;

interface CopyFlags {
  readonly from: string;
  readonly to: string;
  readonly config?: string;
  readonly overwrite?: boolean;
}

/** Adds `fiberlb store copy`. `explained` makes failures one line. */
export function addStoreCopy(store: Command, explained: (action: () => Promise<void>) => Promise<void>): void {
  store
    .command("copy")
    .description("copy a store into another one, and check the copy: from one node's SQLite file into a cluster's etcd")
    .requiredOption("--from <store>", "sqlite:PATH or etcd:URL[,URL...]")
    .requiredOption("--to <store>", "sqlite:PATH or etcd:URL[,URL...]; must be empty")
    .option("-c, --config <file>", "configuration file that says how etcd is reached")
    .option("--overwrite", "replace everything that the target holds")
    .addHelpText("after", EXAMPLES)
    .action((flags: CopyFlags) => explained(() => copy(flags)));
}

async function copy({ from, to, config, overwrite = false }: CopyFlags): Promise<void> {
  await using closing = new AsyncDisposableStack();
  const opened = async (name: string, isSource: boolean): Promise<Store> => {
    const store = await open(name, { config, isSource });
    closing.defer(() => store.close());
    return store;
  };
  const source = await opened(from, true);
  const target = await opened(to, false);
  const result = await copyStore(source, target, { overwrite, onProgress: progressReport() }).catch(explainTarget);
  console.log(`copied ${result.keys} keys from ${from} to ${to}, and read them back: sha256 ${result.digest}`);
  if (result.leasedKeys > 0)
    console.log(`${result.leasedKeys} keys under leases were left out; nodes write theirs anew when they start`);
}

async function open(
  name: string,
  { config, isSource }: { readonly config: string | undefined; readonly isSource: boolean },
): Promise<Store> {
  const [, kind, place] = /^(sqlite|etcd):(.+)$/.exec(name) ?? [];
  if (place === undefined) throw failure(`"${name}" names no store: write sqlite:PATH or etcd:URL[,URL...]`, 2);
  if (kind === "sqlite") {
    // Opening makes a file where there is none, and an empty source would be copied without a word.
    if (isSource) await verifySqliteFile(place);
    return openSqliteStore({ path: place });
  }
  return openEtcdStore({ ...etcdOptions(readConfig(config).config.store), endpoints: place.split(",") });
}

/** To standard error, so that standard output holds the result alone. */
function progressReport(): (copied: number, total: number) => void {
  let reported = 0;
  return (copied, total) => {
    if (copied - reported < REPORTED_KEYS) return;
    reported = copied;
    console.error(`${copied} of ${total} keys`);
  };
}

function explainTarget(error: unknown): never {
  if (isStoreError(error, "INVALID") && error.message.startsWith("The target is not empty"))
    throw failure(`${error.message}; name an empty store, or replace all of it with --overwrite`);
  if (isStoreError(error, "UNAVAILABLE", "FULL"))
    throw failure(`${error.message}; if the target was the one to fail, it is incomplete: copy again with --overwrite`);
  throw error;
}
