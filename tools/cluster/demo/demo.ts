// npm run demo:cluster: the cluster of docs/runbook.md on this machine, to look at and to break.
import { parseArgs } from "node:util";

import { Cluster } from "../cluster.ts";
import { namespacesOf } from "../namespaces.ts";
import { provideLab } from "../provide.ts";
import { check } from "./check.ts";
import { play } from "./play.ts";

const HELP = `npm run demo:cluster [-- --check]

Builds three FiberLB nodes with etcd and GoBGP, a router (BIRD), two clients and four web servers on this machine, each in a
network namespace of its own, by the commands of docs/runbook.md; sends requests and shows what becomes of them. Needs root.
Ctrl-C ends it and leaves nothing behind.

  --check   goes through the short form by itself: traffic over all nodes, a node killed, a drain, back again; prints each
            measured time and exits 0 or 1 within two minutes
  --help`;

const startedMs = performance.now();
const seconds = (): string => `${((performance.now() - startedMs) / 1000).toFixed(1).padStart(5)} s`;
const say = (line: string): void => console.log(`${seconds()}  ${line}`);

/** Signals end the process, and its end removes everything, wherever the demo is. */
function endOnSignals(): void {
  const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
  for (const [signal, code] of Object.entries(codes))
    process.once(signal, () => {
      process.stdout.write("\u001B[?25h\n");
      process.exit(code);
    });
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { check: { type: "boolean" }, help: { type: "boolean" } } });
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  endOnSignals();
  const why = await provideLab(say);
  if (why !== "") {
    console.error(
      `demo:cluster: ${why === "needs root" ? "needs root, for network namespaces: sudo npm run demo:cluster" : why}`,
    );
    return 1;
  }
  const cluster = await Cluster.start({ say });
  let passed: boolean;
  try {
    passed = values.check === true ? await check(cluster, say) : await play(cluster);
  } finally {
    await cluster.close();
  }
  const left = namespacesOf(process.pid);
  if (left.length > 0) console.error(`demo:cluster: could not remove ${left.join(", ")}`);
  if (values.check === true) say(passed && left.length === 0 ? "passed; nothing is left behind" : "FAILED");
  return passed && left.length === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`demo:cluster: ${(error as Error).message}`);
  process.exitCode = (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") === true ? 2 : 1;
}
