/** Entry point of the suites that {@link runIsolated} runs: `node isolated-process.ts SUITE OPTIONS`. */
import type { IsolatedAnswer, IsolatedOptions, IsolatedSuite, Sections } from "./isolation.ts";
import { benchL4 } from "./l4.ts";
import { benchL7 } from "./l7/l7.ts";
import { benchMemory } from "./memory/memory.ts";
import { benchUdp } from "./udp/udp.ts";

const suites: Readonly<Record<IsolatedSuite, (options: IsolatedOptions) => Promise<Sections>>> = {
  l4: benchL4,
  l7: benchL7,
  udp: benchUdp,
  memory: benchMemory,
};

const [suite, options = "{}"] = process.argv.slice(2);
const run = suites[suite as IsolatedSuite];
const answer: IsolatedAnswer = { sections: await run(JSON.parse(options) as IsolatedOptions) };
process.send?.(answer, () => process.exit(0));
