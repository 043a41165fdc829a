import { type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { CLIENT, NetworkBed, type Place, whyNotHere } from "../l4-network-bed.ts";
import { median } from "../load.ts";
import type { BenchTable } from "../table.ts";
import type { Received } from "./probe.ts";
import type { Judged, Loaded, RunnerCall } from "./runner.ts";
import { backendAddress, backendId, BACKENDS, portsOf, type Size } from "./units.ts";

interface Case extends Size {
  readonly targetMs: number;
}

const CASES: readonly Case[] = [
  { listeners: 1, slots: 1021, targetMs: 25 },
  { listeners: 1, slots: 65_537, targetMs: 100 },
  { listeners: 5000, slots: 1021, targetMs: 100 },
];
const TITLE = "How fast the kernel's table follows: ten backends a pool, one pool in ten with a Maglev table";
const COLUMNS = [
  "listeners",
  "slots",
  "loaded s",
  "first slice s",
  "nft MiB",
  "backend out ms",
  "worst",
  "nft ended ms",
  "target",
];
/** Flows a millisecond apart: these before the verdict, the others after. */
const [BEFORE_MS, AFTER_MS] = [60, 400];

/** How long it takes from a verdict until the kernel sends nobody to that backend any more, and to load it all. */
export async function benchVerdicts({ quick }: { readonly quick: boolean }): Promise<BenchTable> {
  const why = whyNotHere(["nft", "conntrack"]);
  if (why !== "") return { title: TITLE, columns: COLUMNS, rows: [], notes: [`skipped: ${why}`] };
  const rows: string[][] = [];
  for (const one of CASES) rows.push(await measure(one, quick ? 3 : 11));
  return {
    title: TITLE,
    columns: COLUMNS,
    rows,
    notes: [
      "backend out: from the verdict to the last new flow that reached the backend, clients opening one each millisecond",
      "targets: out in 25 ms at 1,021 slots, 100 ms at 65,537; 5,000 listeners loaded in 30 s with 512 MiB of nft, changed in 100 ms",
    ],
  };
}

async function measure(one: Case, rounds: number): Promise<string[]> {
  const bed = new NetworkBed();
  try {
    const place = (at: Place, script: string, ...args: string[]): Promise<Asked> => Asked.start(bed, at, script, args);
    for (let index = 0; index < BACKENDS; index += 1) bed.address("backend", `${backendAddress(index)}/24`);
    const [client, backends] = [
      await place("client", "probe.ts", "send"),
      await place("backend", "probe.ts", "receive"),
    ];
    const balancer = await place("balancer", "runner.ts");
    const { listeners, slots } = one;
    const loaded = await balancer.ask<Loaded>({ kind: "load", size: { listeners, slots } } satisfies RunnerCall);
    if (loaded.problem !== "") throw new Error(loaded.problem);
    const verdicts: Outcome[] = [];
    for (let round = 0; round < rounds; round += 1) {
      verdicts.push(await judge({ client, backends, balancer }, round % BACKENDS, slots));
    }
    return rowOf(one, loaded, verdicts);
  } finally {
    await bed.close();
  }
}

interface Outcome {
  readonly outMs: number;
  readonly endedMs: number;
}

type Processes = Readonly<Record<"client" | "backends" | "balancer", Asked>>;

/** Takes a backend out while clients open flows that belong to it, and in again. */
async function judge({ client, backends, balancer }: Processes, index: number, slots: number): Promise<Outcome> {
  const ports = portsOf(index, slots, CLIENT).slice(0, BEFORE_MS + AFTER_MS);
  const sent = client.ask({ ports });
  await sleep(BEFORE_MS);
  const verdict = (health: "ONLINE" | "OFFLINE"): Promise<Judged> =>
    balancer.ask({ kind: "verdict", backendId: backendId(0, index), health } satisfies RunnerCall);
  const { atNs, ms: endedMs } = await verdict("OFFLINE");
  await sent;
  const last = (await backends.ask<Received>({}))[backendAddress(index)];
  if (last === undefined) throw new Error(`No flow from ports of ${backendAddress(index)} reached it`);
  await verdict("ONLINE");
  // Its flows are forgotten by the kernel before others use their ports.
  await sleep(100);
  return { outMs: Math.max(0, Number(BigInt(last) - BigInt(atNs)) / 1e6), endedMs };
}

function rowOf({ listeners, slots, targetMs }: Case, loaded: Loaded, verdicts: readonly Outcome[]): string[] {
  const out = verdicts.map(({ outMs }) => outMs);
  return [
    String(listeners),
    String(slots),
    (loaded.ms / 1000).toFixed(2),
    (loaded.firstSliceMs / 1000).toFixed(2),
    (loaded.nftPeakKiB / 1024).toFixed(0),
    median(out).toFixed(1),
    Math.max(...out).toFixed(1),
    median(verdicts.map(({ endedMs }) => endedMs)).toFixed(1),
    `≤ ${targetMs} ms`,
  ];
}

/** A process that answers each message with one. */
class Asked {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(bed: NetworkBed, place: Place, script: string, args: readonly string[]): Promise<Asked> {
    const node = [process.execPath, "--conditions=@fiberlb/source", "--no-warnings"];
    const child = bed.start(place, [...node, join(import.meta.dirname, script), ...args], { ipc: true });
    const asked = new Asked(child);
    await asked.#answer();
    return asked;
  }

  async ask<T>(call: object): Promise<T> {
    const answer = this.#answer();
    this.#child.send(call);
    return (await answer) as T;
  }

  async #answer(): Promise<unknown> {
    const ended = new AbortController();
    const gone = once(this.#child, "exit", { signal: ended.signal }).then(() => {
      throw new Error("A process of the measurement ended");
    });
    const [message] = (await Promise.race([once(this.#child, "message"), gone])) as [unknown];
    gone.catch(() => undefined);
    ended.abort();
    return message;
  }
}
