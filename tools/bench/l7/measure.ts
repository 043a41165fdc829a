import { cpuTimes, type Processes } from "../processes.ts";
import type { L7Case } from "./cases.ts";
import type { Contestant } from "./contestants.ts";

/** What one run of a load showed. */
export interface Run {
  /** CPU time of the balancer, user and system. */
  readonly microsPerRequest: number;
  /** Part of that spent in the kernel, 0 to 1. */
  readonly systemShare: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** How {@link measureCase} measures. */
export interface MeasureOptions {
  readonly processes: Processes;
  /** Every balancer is measured once a round, in turns, because a shared machine drifts. */
  readonly rounds: number;
  /** Of one run. */
  readonly seconds: number;
}

/** Runs of every balancer by name, one a round. */
export type Runs = ReadonlyMap<Contestant["name"], readonly Run[]>;

/** Every balancer under one load, round by round. A round before them warms up compilers and caches. */
export async function measureCase(
  loadCase: L7Case,
  contestants: readonly Contestant[],
  options: MeasureOptions,
): Promise<Runs> {
  const runs = new Map(contestants.map(({ name }) => [name, [] as Run[]]));
  for (let round = -1; round < options.rounds; round += 1) {
    for (const contestant of contestants) {
      const run = await measure(loadCase, contestant, options);
      if (round >= 0) runs.get(contestant.name)?.push(run);
    }
  }
  return runs;
}

/** One run of a load. */
export async function measure(
  { load, path, scheme }: L7Case,
  { pid, address, ports }: Contestant,
  { processes, seconds }: Omit<MeasureOptions, "rounds">,
): Promise<Run> {
  const before = cpuTimes(pid);
  const url = `${scheme}://${address}:${ports[scheme]}${path}`;
  const { requests, p50Ms, p99Ms } = await load({ processes, url, seconds });
  const after = cpuTimes(pid);
  const systemUs = after.systemUs - before.systemUs;
  const allUs = after.userUs - before.userUs + systemUs;
  return { microsPerRequest: allUs / requests, systemShare: systemUs / allUs, p50Ms, p99Ms };
}
