// npm run bench: measures, prints tables, and with --write puts them into docs/benchmarks.md.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import type { BenchContext } from "./bench-context.ts";
import { benchCluster } from "./cluster.ts";
import { benchConfigLatency } from "./config-latency.ts";
import { benchControlPlane } from "./control-plane.ts";
import { benchController } from "./controller.ts";
import { type IsolatedSuite, runIsolated, type Sections } from "./isolation.ts";
import { benchL4Network } from "./l4-network.ts";
import { describeMachine } from "./machine.ts";
import { benchMaglev } from "./maglev.ts";
import { markdownTable, replaceSection } from "./markdown.ts";
import { providePrograms } from "./programs.ts";
import { terminalProgress } from "./progress.ts";
import { benchScale } from "./scale.ts";
import { benchStore } from "./store.ts";
import { type BenchTable, renderTable } from "./table.ts";
import { benchVerdicts } from "./verdicts/verdicts.ts";

const PAGE = fileURLToPath(new URL("../../docs/benchmarks.md", import.meta.url));

const HELP = `npm run bench [-- SUITE… OPTIONS]

Suites (default: all, in this order; together about 21 minutes)
  maglev    building and changing Maglev tables, looking up flows        20 s
  store     transactions and reads of the stores                         15 s
  l4        CPU per request and per connection against HAProxy, and all
            drivers over the network: requests, connections, Gbit, UDP   4 min
  verdicts  how fast the kernel's table follows, 5,000 listeners         1 min
  udp       CPU per datagram and per flow, datagrams a second             2 min
  l7        CPU per HTTP request against HAProxy, nginx, http-proxy       6 min
  memory    of the balancer: idle clients, slow and large uploads         2 min
  config    from an API call to the data plane, 1,000 load balancers      2 min
  control   API calls a second                                            1 min
  controller  Services of k8shost: first reconcile and steady pass       1 min
  scale     memory, CPU and start of a node with 1,000 load balancers     2 min
  cluster   failover, writes, changes and 1,000 VIPs of three nodes       3 min

Options
  --quick          a tenth of the size: to see that it works, not to publish
  --only TEXT      of l7 and memory, what has this in its name: http1, https, http2, handshake, 64 KiB;
                   of l4: cost or network
  --profile        of l7: where FiberLB's time goes, by function
  --size N         load balancers of config and scale, Services of controller (default 1000)
  --markdown       print Markdown tables
  --write          put the tables into docs/benchmarks.md
  --help

Examples
  npm run bench -- maglev store
  npm run bench -- config --quick
  npm run bench -- scale --size 5000
  npm run bench -- l7 --only http1 --profile
  npm run bench -- --write

Each figure is of this machine at this moment: stop what else runs on it before you compare.`;

interface Options {
  readonly size: number;
  readonly only: string;
  readonly profile: boolean;
}

type Suite = (context: BenchContext, options: Options) => Promise<Sections>;

const isolated =
  (suite: IsolatedSuite): Suite =>
  async ({ quick }, { only, profile }) => {
    for (const line of await providePrograms()) console.error(line);
    return runIsolated(suite, { quick, only, profile });
  };

const QUICK_NETWORK = { rounds: 1, seconds: 1 };

const suites: Readonly<Record<string, Suite>> = {
  maglev: async () => ({ maglev: await benchMaglev() }),
  store: async () => ({ store: await benchStore() }),
  l4: async (context, options) => ({
    ...(options.only === "network" ? {} : await isolated("l4")(context, options)),
    ...(options.only === "cost" ? {} : { "l4-network": await benchL4Network(context.quick ? QUICK_NETWORK : {}) }),
  }),
  verdicts: async ({ quick }) => ({ verdicts: await benchVerdicts({ quick }) }),
  udp: isolated("udp"),
  l7: isolated("l7"),
  memory: isolated("memory"),
  config: async (context, { size }) => ({ config: await benchConfigLatency(context, { size }) }),
  control: async (context) => ({ control: await benchControlPlane(context) }),
  controller: async (context, { size }) => ({ controller: await benchController(context, { size }) }),
  scale: async (context, { size }) => ({ scale: await benchScale(context, { size }) }),
  cluster: async (context) => ({ cluster: await benchCluster(context) }),
};

/** What `--only` may say where whole tables are needed. */
const WHOLE_SECTIONS = ["http1", "https", "http2", "cost", "network"];

/** A mistake of the person who called: told in one line, exit code 2. */
class UsageError extends Error {}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: "boolean", default: false },
        markdown: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
        size: { type: "string", default: "1000" },
        only: { type: "string", default: "" },
        profile: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function main(): Promise<void> {
  const { values, positionals } = readArguments();
  if (values.help) return console.log(HELP);
  const unknown = positionals.filter((name) => !Object.hasOwn(suites, name));
  if (unknown.length > 0) throw new UsageError(`no suite ${unknown.join(", ")}: ${Object.keys(suites).join(", ")}`);
  const size = Number(values.size);
  if (!Number.isInteger(size) || size < 100)
    throw new UsageError(`--size is a whole number from 100, not ${values.size}`);
  if (values.write && values.quick) throw new UsageError("--quick figures are not worth publishing: without --write");
  if (values.write && !["", ...WHOLE_SECTIONS].includes(values.only))
    throw new UsageError(`--write needs whole tables: without --only, or one of ${WHOLE_SECTIONS.join(", ")}`);
  const chosen = positionals.length === 0 ? Object.keys(suites) : positionals;
  const machine = describeMachine(new Date());
  console.log(`${machine}\n`);
  const directory = mkdtempSync(join(tmpdir(), "fiberlb-bench-"));
  const progress = terminalProgress(process.stderr);
  try {
    for (const name of chosen) {
      progress(`${name} …`);
      const sections = await suites[name]!({ directory, progress, quick: values.quick }, { ...values, size });
      progress.clear();
      for (const [section, table] of Object.entries(sections)) {
        console.log(values.markdown ? `## ${table.title}\n\n${markdownTable(table)}\n` : `${renderTable(table)}\n`);
        if (values.write) write(section, table, machine);
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function write(name: string, table: BenchTable, machine: string): void {
  const content = `**${table.title}**\n\n${markdownTable(table)}\n\nMeasured on ${machine}.`;
  writeFileSync(PAGE, replaceSection(readFileSync(PAGE, "utf8"), { name, content }));
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`bench: ${error.message} (--help tells more)`);
  process.exitCode = 2;
}
