import type { Listing } from "../table.ts";
import type { CpuProfile } from "../worker-threads.ts";
import type { L7Case } from "./cases.ts";
import type { Contest, Contestant } from "./contestants.ts";
import { measure, type MeasureOptions } from "./measure.ts";

const TOP = 25;
const NOT_BUSY = "(idle)";

/** Where the time of FiberLB's worker goes under a load. */
export async function profileCase(
  loadCase: L7Case,
  { contestants, fiberlb }: Contest,
  options: MeasureOptions,
): Promise<Listing> {
  const contestant = contestants.find(({ name }) => name === "FiberLB") as Contestant;
  await fiberlb.node.startProfile();
  const { microsPerRequest, systemShare } = await measure(loadCase, contestant, options);
  const profiles = await fiberlb.node.stopProfile();
  const kernel = `${(systemShare * 100).toFixed(0)} % of it in the kernel`;
  return {
    title: `${loadCase.group}, ${loadCase.name}: where FiberLB's worker spends its time`,
    text: `${microsPerRequest.toFixed(1)} µs CPU per request while sampled, ${kernel}\n${describeProfile(profiles)}`,
  };
}

/** Self time by function, the longest first, and by kind of code. Idle time does not count. */
export function describeProfile(profiles: readonly CpuProfile[]): string {
  const selfUs = new Map<string, number>();
  const kindUs = new Map<string, number>();
  for (const { nodes, samples, timeDeltas } of profiles) {
    const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
    for (const [index, id] of samples.entries()) {
      const frame = frames.get(id)!;
      if (frame.functionName === NOT_BUSY) continue;
      add(selfUs, nameOf(frame), timeDeltas[index] ?? 0);
      add(kindUs, kindOf(frame), timeDeltas[index] ?? 0);
    }
  }
  const busyUs = [...kindUs.values()].reduce((sum, us) => sum + us, 0);
  const line = ([name, us]: readonly [string, number]): string =>
    `${((us / busyUs) * 100).toFixed(1).padStart(5)} %  ${name}`;
  const longest = (times: ReadonlyMap<string, number>): [string, number][] =>
    [...times].toSorted(([, a], [, b]) => b - a);
  return [...longest(kindUs).map(line), "", ...longest(selfUs).slice(0, TOP).map(line)].join("\n");
}

const add = (times: Map<string, number>, key: string, us: number): void =>
  void times.set(key, (times.get(key) ?? 0) + us);

type Frame = CpuProfile["nodes"][number]["callFrame"];

function kindOf({ functionName, url }: Frame): string {
  if (functionName === "(garbage collector)") return "garbage collection";
  if (url === "") return "system calls and other native code";
  return url.startsWith("node:") ? "JavaScript of Node" : "JavaScript of FiberLB";
}

function nameOf({ functionName, url, lineNumber }: Frame): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url === "") return name;
  return `${name}  ${url.replace(/^.*\/(packages|node_modules)\//, "$1/")}:${lineNumber + 1}`;
}
