// npm run bench: measures, prints tables, and with --write puts them into docs/benchmarks.md.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import type { BenchContext } from "./bench-context.ts";
import { benchConfigLatency } from "./config-latency.ts";
import { benchControlPlane } from "./control-plane.ts";
import { benchL4Kernel } from "./l4-kernel.ts";
import { benchL4 } from "./l4.ts";
import { benchL7 } from "./l7.ts";
import { describeMachine } from "./machine.ts";
import { benchMaglev } from "./maglev.ts";
import { markdownTable, replaceSection } from "./markdown.ts";
import { terminalProgress } from "./progress.ts";
import { benchScale } from "./scale.ts";
import { benchStore } from "./store.ts";
import { type BenchTable, renderTable } from "./table.ts";

const PAGE = fileURLToPath(new URL("../../docs/benchmarks.md", import.meta.url));

const HELP = `npm run bench [-- SUITE… OPTIONS]

Suites (default: all, in this order; together about 9 minutes)
  maglev    building and changing Maglev tables, looking up flows        20 s
  store     transactions and reads of the stores                         15 s
  l4        CPU per request and per connection against HAProxy            2 min
  l4-kernel requests and connections through both drivers and HAProxy    2 min
  l7        CPU per HTTP request against HAProxy                          1 min
  config    from an API call to the data plane, 1,000 load balancers      2 min
  control   API calls a second                                            1 min
  scale     memory, CPU and start of a node with 1,000 load balancers     2 min

Options
  --quick          a tenth of the size: to see that it works, not to publish
  --size N         load balancers of config and scale (default 1000)
  --markdown       print Markdown tables
  --write          put the tables into docs/benchmarks.md
  --help

Examples
  npm run bench -- maglev store
  npm run bench -- config --quick
  npm run bench -- scale --size 5000
  npm run bench -- --write

Each figure is of this machine at this moment: stop what else runs on it before you compare.`;

interface Options {
  readonly size: number;
}

type Suite = (context: BenchContext, options: Options) => Promise<BenchTable>;

const suites: Readonly<Record<string, Suite>> = {
  maglev: () => benchMaglev(),
  store: () => benchStore(),
  l4: ({ quick }) => benchL4(quick ? { rounds: 1, seconds: 1 } : {}),
  "l4-kernel": ({ quick }) => benchL4Kernel(quick ? { rounds: 1, seconds: 1 } : {}),
  l7: ({ quick }) => benchL7(quick ? { rounds: 1, seconds: 1 } : {}),
  config: (context, { size }) => benchConfigLatency(context, { size }),
  control: (context) => benchControlPlane(context),
  scale: (context, { size }) => benchScale(context, { size }),
};

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
  const chosen = positionals.length === 0 ? Object.keys(suites) : positionals;
  const machine = describeMachine(new Date());
  console.log(`${machine}\n`);
  const directory = mkdtempSync(join(tmpdir(), "fiberlb-bench-"));
  const progress = terminalProgress(process.stderr);
  try {
    for (const name of chosen) {
      progress(`${name} …`);
      const table = await suites[name]!({ directory, progress, quick: values.quick }, { size });
      progress.clear();
      console.log(values.markdown ? `## ${table.title}\n\n${markdownTable(table)}\n` : `${renderTable(table)}\n`);
      if (values.write) write(name, table, machine);
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
