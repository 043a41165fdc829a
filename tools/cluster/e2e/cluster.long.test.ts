// What the cluster promises of failures that take seconds to be noticed, and how failover times spread over many kills. Not in
// the default run: FIBERLB_FUZZ_RUNS=1 node …/jest.js --config=tools/jest.config.mjs tools/cluster/e2e/cluster.long
import { afterEach, describe, expect, jest, test } from "@jest/globals";

import { allNodes, Cluster } from "../cluster.ts";
import { describeMeasure, type Failure, failures, sufferOutage } from "../measure.ts";
import { whyNoLab } from "../provide.ts";
import { underLoad } from "../traffic/under-load.ts";

jest.setTimeout(600_000);

const KILLS = 20;
const BFD_BOUND_MS = 500;
const ONE_WORKER = { FIBERLB_DATA_PLANE_WORKERS: "1" };
/** The runbook's peers, with BFD. */
const WITH_BFD = {
  ...ONE_WORKER,
  FIBERLB_BGP_PEERS: JSON.stringify([
    { address: "10.99.0.1", asn: 64500, holdTimeS: 3, bfd: { intervalMs: 100, multiplier: 3 } },
  ]),
};

const why = whyNoLab();
(why ? describe.skip : describe)(`a cluster for long${why ? ` (skipped: ${why})` : ""}`, () => {
  let cluster: Cluster | undefined;
  const measured: string[] = [];
  afterEach(async () => {
    await cluster?.close();
    cluster = undefined;
    console.log(measured.splice(0).join("\n"));
  });

  /** A failure under load, then the way back. */
  async function suffer(node: string, failure: Failure): Promise<number> {
    let tookMs = 0;
    const tally = await underLoad(cluster!, async () => {
      const { measure, backMs } = await sufferOutage(cluster!, node, failure);
      measured.push(describeMeasure(measure), `  back after ${Math.round(backMs)} ms`);
      tookMs = measure.tookMs;
    });
    expect(tally.failed).toEqual({});
    return tookMs;
  }

  test("a hung node and a dead link are noticed within the hold time and a second", async () => {
    cluster = await Cluster.start({ settings: ONE_WORKER });
    for (const [node, failure] of [
      ["lb-1", failures.hang],
      ["lb-2", failures.unplug],
    ] as const)
      expect(await suffer(node, failure)).toBeLessThanOrEqual(failure.boundMs);
  });

  test(`with BFD, within ${BFD_BOUND_MS} ms`, async () => {
    cluster = await Cluster.start({ settings: WITH_BFD });
    for (const [node, failure] of [
      ["lb-1", failures.hang],
      ["lb-2", failures.unplug],
    ] as const)
      expect(await suffer(node, { ...failure, boundMs: BFD_BOUND_MS })).toBeLessThanOrEqual(BFD_BOUND_MS);
  });

  test.each([failures.killFiberlb, failures.killGobgpd])(`$what ${KILLS} times`, async (failure) => {
    cluster = await Cluster.start({ settings: ONE_WORKER });
    const times: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) times.push(await suffer(allNodes[kill % 3]!, failure));
    const sorted = times.toSorted((a, b) => a - b);
    measured.push(
      `${failure.what}: median ${Math.round(sorted[KILLS / 2]!)} ms, longest ${Math.round(sorted.at(-1)!)} ms`,
    );
    expect(sorted.at(-1)).toBeLessThanOrEqual(failure.boundMs);
  });
});
