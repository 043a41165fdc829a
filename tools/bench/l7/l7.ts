import type { IsolatedOptions, Sections } from "../isolation.ts";
import { median } from "../load.ts";
import { isInstalled, Processes } from "../processes.ts";
import { terminalProgress } from "../progress.ts";
import type { BenchTable } from "../table.ts";
import { cases, HTTP_PROXY_TARGET, type L7Case } from "./cases.ts";
import { type Contest, startContest } from "./contestants.ts";
import { measureCase, type MeasureOptions, type Run, type Runs } from "./measure.ts";
import { profileCase } from "./profile.ts";

const ROUNDS = 5;
const SECONDS = 2;
const BASELINE = "HAProxy";
const COLUMNS = ["case: program", "CPU µs", "× HAProxy", "target", "kernel", "p50 ms", "p99 ms"];
const TITLES: Readonly<Record<L7Case["group"], string>> = {
  http1: "HTTP/1.1",
  https: "HTTPS (TLS 1.3, ECDSA P-256)",
  http2: "HTTP/2 over TLS 1.3",
};

/**
 * What a request costs in FiberLB, HAProxy, nginx and npm's http-proxy, in turns: CPU time of the balancer, the kernel's
 * part of it, and latency under full load.
 */
export async function benchL7(options: IsolatedOptions): Promise<Sections> {
  const chosen = cases.filter(({ group, name }) => `${group} ${name}`.includes(options.only));
  if (chosen.length === 0) throw new Error(`Cannot run l7: no case has "${options.only}" in its name`);
  if (!["wrk", "nginx"].every(isInstalled)) {
    const notes = ["skipped: needs Linux, wrk and nginx (apt-get install wrk nginx haproxy)"];
    return { "l7-http1": { title: titleOf("http1"), columns: COLUMNS, rows: [], notes } };
  }
  const processes = new Processes();
  try {
    const contest = await startContest(processes);
    const sections = await runCases(chosen, contest, { ...options, processes });
    await contest.fiberlb.node.stop();
    return sections;
  } finally {
    // A node that is left ends with this process.
    await processes.close();
  }
}

interface Setting extends IsolatedOptions {
  readonly processes: Processes;
}

async function runCases(chosen: readonly L7Case[], contest: Contest, setting: Setting): Promise<Sections> {
  const { quick, processes, profile } = setting;
  const how: MeasureOptions = { processes, rounds: quick ? 1 : ROUNDS, seconds: SECONDS };
  const progress = terminalProgress(process.stderr);
  const sections: Record<string, BenchTable> = {};
  for (const loadCase of chosen) {
    const { group, name } = loadCase;
    progress(`l7: ${group}, ${name}`);
    const table = (sections[`l7-${group}`] ??= emptyTable(group, contest, {
      place: setting.place,
      rounds: how.rounds,
    }));
    const missing = loadCase.needs.filter((program) => !isInstalled(program));
    if (missing.length > 0) {
      table.notes?.push(`${name}: skipped, needs ${missing.join(" and ")}`);
      continue;
    }
    const peers = contest.contestants.filter((one) => one.name === "FiberLB" || loadCase.peers.includes(one.name));
    const runs = await measureCase(loadCase, peers, how);
    table.rows.push(...rowsOf(loadCase, runs));
    if (profile) (table.listings ??= []).push(await profileCase(loadCase, contest, how));
  }
  progress.clear();
  return sections;
}

function emptyTable(
  group: L7Case["group"],
  { haproxyConfig }: Contest,
  { place, rounds }: { readonly place: string; readonly rounds: number },
): BenchTable {
  return {
    title: titleOf(group),
    columns: COLUMNS,
    rows: [],
    notes: [
      `median of ${rounds} rounds in turns, ${place}; backend nginx; FiberLB: a whole node, one worker, all threads counted`,
      "kernel: its part of the CPU time; latency: of the client, with the balancer's core saturated or the load's",
      ...(group === "http1" ? [`http-proxy: FiberLB is to be at least ${HTTP_PROXY_TARGET} times as fast`] : []),
      ...(group === "https"
        ? ["handshakes: 16 at a time, key exchange X25519, one request each, load by node:tls"]
        : []),
    ],
    listings: haproxyConfig === undefined ? [] : [{ title: "HAProxy's configuration", text: haproxyConfig }],
  };
}

const titleOf = (group: L7Case["group"]): string =>
  `${TITLES[group]}: CPU µs per request (user + system of one worker), beside HAProxy`;

function rowsOf({ name, target }: L7Case, runs: Runs): string[][] {
  const baseline = runs.get(BASELINE);
  return [...runs].map(([program, own]) => {
    const ratio = ratioOf(own, baseline);
    const mine = runs.get("FiberLB");
    const isSlowPeer = program === "http-proxy" && mine !== undefined;
    const goal = program === "FiberLB" && target !== undefined ? `≤ ${target}` : "";
    return [
      `${name}: ${program}`,
      median(own.map(({ microsPerRequest }) => microsPerRequest)).toFixed(1),
      ratio?.toFixed(2) ?? "–",
      isSlowPeer ? `${ratioOf(own, mine)?.toFixed(1)} × FiberLB` : goal,
      `${(median(own.map(({ systemShare }) => systemShare)) * 100).toFixed(0)} %`,
      median(own.map(({ p50Ms }) => p50Ms)).toFixed(2),
      median(own.map(({ p99Ms }) => p99Ms)).toFixed(2),
    ];
  });
}

/** Of each round the ratio, then the median: drift of the machine hits both sides of one ratio. */
function ratioOf(own: readonly Run[], baseline: readonly Run[] | undefined): number | undefined {
  if (baseline === undefined) return undefined;
  return median(own.map(({ microsPerRequest }, round) => microsPerRequest / baseline[round]!.microsPerRequest));
}
