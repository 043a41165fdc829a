// Run alone: node --conditions=@fiberlb/source tools/bench/maglev.ts
import { buildTable, createBuilder, FlowHash } from "@fiberlb/maglev";
import type { Backend, MaglevTable, TableBuilder } from "@fiberlb/maglev";

import { renderTable } from "./table.ts";
import type { BenchTable } from "./table.ts";

const BACKEND_COUNT = 1000;
const SMALL = 65_537;
const LARGE = 655_373;
const CALLS_PER_SAMPLE = 100_000;

const backends: Backend[] = Array.from({ length: BACKEND_COUNT }, (_, i) => ({
  name: `10.${i >> 8}.${i & 255}.7:8080`,
}));

interface Sampling {
  readonly samples: number;
  /** Runs before the first sample, for the optimizing compiler. */
  readonly warmUp: number;
  /** Between samples, not measured. */
  readonly prepare?: (sample: number) => void;
}

/** Milliseconds of each call of `run`, sorted. */
function measure(run: (sample: number) => void, { samples, warmUp, prepare }: Sampling): number[] {
  const milliseconds: number[] = [];
  for (let sample = -warmUp; sample < samples; sample++) {
    prepare?.(sample);
    const start = performance.now();
    run(sample);
    if (sample >= 0) milliseconds.push(performance.now() - start);
  }
  return milliseconds.toSorted((a, b) => a - b);
}

function quantile(sorted: readonly number[], fraction: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}

/** A row of milliseconds: label, median, p99, target. */
function row(label: string, sorted: readonly number[], target = ""): string[] {
  return [label, `${quantile(sorted, 0.5).toFixed(2)} ms`, `${quantile(sorted, 0.99).toFixed(2)} ms`, target];
}

/** A row of nanoseconds per call, each sample being {@link CALLS_PER_SAMPLE} calls. */
function rowPerCall(label: string, sorted: readonly number[]): string[] {
  const perCall = (fraction: number): number => (quantile(sorted, fraction) / CALLS_PER_SAMPLE) * 1e6;
  const perSecond = (1e3 / perCall(0.5)).toFixed(1);
  return [`${label} (${perSecond} M/s)`, `${perCall(0.5).toFixed(1)} ns`, `${perCall(0.99).toFixed(1)} ns`, ""];
}

function startedBuilder(size: number): TableBuilder {
  const builder = createBuilder({ size });
  builder.build(backends);
  return builder;
}

const victim = (sample: number): Backend => backends[Math.abs(sample * 37) % BACKEND_COUNT] as Backend;

function buildRows(): string[][] {
  const known = startedBuilder(SMALL);
  return [
    row(
      `full build, ${SMALL} slots`,
      measure(() => buildTable(backends, { size: SMALL }), { samples: 200, warmUp: 50 }),
      "≤ 2.0 ms",
    ),
    row(
      `the set of the last table again, ${SMALL} slots`,
      measure(() => known.build(backends), { samples: 200, warmUp: 50 }),
    ),
    row(
      `full build, ${LARGE} slots`,
      measure(() => buildTable(backends, { size: LARGE }), { samples: 30, warmUp: 5 }),
    ),
  ];
}

function changeRows(): string[][] {
  const builder = startedBuilder(SMALL);
  const sampling = { samples: 200, warmUp: 50 };
  const add = measure((sample) => builder.add(victim(sample)), {
    ...sampling,
    prepare: (sample) => {
      // Two other sets in between, or the builder would remember this one.
      builder.build(backends.slice(2));
      builder.build(backends);
      builder.build(backends.slice(3));
      builder.build(backends.filter(({ name }) => name !== victim(sample).name));
    },
  });
  const remove = measure((sample) => builder.remove(victim(sample).name), {
    ...sampling,
    prepare: () => builder.build(backends),
  });
  // The set without the victim was there before: what a flapping health check costs.
  const removeAgain = measure((sample) => builder.remove(victim(sample).name), {
    ...sampling,
    prepare: (sample) => {
      builder.build(backends);
      builder.remove(victim(sample).name);
      builder.add(victim(sample));
    },
  });
  const reweigh = measure((sample) => builder.reweigh(victim(sample).name, 2), {
    ...sampling,
    prepare: () => builder.build(backends),
  });
  return [
    row(`add one, ${SMALL} slots`, add, "≤ 1 ms"),
    row(`remove one, ${SMALL} slots`, remove, "≤ 1 ms"),
    row(`remove one again after it came back, ${SMALL} slots`, removeAgain, "≤ 1 ms"),
    row(`reweigh one, ${SMALL} slots`, reweigh, "≤ 1 ms"),
  ];
}

/** Keeps results alive, so that the compiler can't drop the calls that made them. */
let sink = 0;

function callRows(table: MaglevTable): string[][] {
  const hash = new FlowHash({ seed: 0x1234abcd });
  const flow = {
    sourceAddress: "198.51.100.23",
    sourcePort: 0,
    destinationAddress: "203.0.113.9",
    destinationPort: 443,
  };
  const each = (call: (i: number) => number) => (): void => {
    for (let i = 0; i < CALLS_PER_SAMPLE; i++) sink ^= call(i);
  };
  const sampling = { samples: 50, warmUp: 10 };
  return [
    rowPerCall(
      "lookup",
      measure(
        each((i) => table.lookup(Math.imul(i, 0x9e3779b1))),
        sampling,
      ),
    ),
    rowPerCall(
      "encode and jhash an IPv4 flow",
      measure(
        each((i) => hash.fiveTuple({ ...flow, sourcePort: i & 0xffff })),
        sampling,
      ),
    ),
  ];
}

/** Measures the Maglev library: builds, single changes, lookups and flow hashing, on one thread. */
export async function benchMaglev(): Promise<BenchTable> {
  const rows = [...buildRows(), ...changeRows(), ...callRows(buildTable(backends, { size: SMALL }))];
  return {
    title: `Maglev, ${BACKEND_COUNT} backends of weight 1`,
    columns: ["what", "median", "p99", "target"],
    rows,
    notes: [
      "The paper (NSDI 2016, §5.3) built 1000 backends in 1.8 ms at 65537 slots and 22.9 ms at 655373.",
      "Full builds start from unknown names: hashing and sorting them is included.",
    ],
  };
}

if (import.meta.main) console.log(renderTable(await benchMaglev()));
