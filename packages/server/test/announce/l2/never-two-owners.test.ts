import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { Simulation } from "./simulation.ts";

const VIPS = ["192.0.2.1", "2001:db8::1"];

/** What may happen to one of three nodes. */
const step = fc.record({
  // Short ones too, so that things happen amid a change of owner.
  afterMs: fc.oneof(fc.integer({ min: 0, max: 150 }), fc.integer({ min: 0, max: 4000 })),
  node: fc.integer({ min: 0, max: 2 }),
  what: fc.constantFrom("pause", "resume", "cut", "heal", "drain", "undrain", "able", "unable", "down", "up", "kill"),
});

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function take(simulation: Simulation, { node: at, what }: Step): void {
  const node = simulation.nodes[at];
  if (node === undefined || !node.isAlive) return;
  if (what === "pause") node.pause();
  if (what === "resume") node.resume();
  if (what === "cut") node.isCut = true;
  if (what === "heal") node.isCut = false;
  if (what === "drain" || what === "undrain") node.drain(what === "drain");
  if (what === "able" || what === "unable") for (const vip of VIPS) node.can(vip, what === "able");
  if (what === "down" || what === "up") node.linkReason = what === "up" ? "" : "interface eth0 is down";
  // One has to be left to tell whether a VIP comes back.
  if (what === "kill" && simulation.nodes.filter(({ isAlive }) => isAlive).length > 1) node.kill();
}

async function allWell(simulation: Simulation): Promise<void> {
  for (const node of simulation.nodes.filter(({ isAlive }) => isAlive)) {
    node.resume();
    node.isCut = false;
    node.linkReason = "";
    node.drain(false);
    for (const vip of VIPS) node.can(vip, true);
  }
  await simulation.world.advance(12_000);
}

const RUNS = Number(process.env["FIBERLB_FUZZ_RUNS"] ?? 60);

describe("whatever happens to processes, links and the way to the store", () => {
  test("a VIP is never on two links, and afterwards it is on one", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.constantFrom(2000, 3000, 5000),
        fc.array(step, { minLength: 1, maxLength: 12 }),
        async (seed, leaseTtlMs, steps) => {
          const simulation = new Simulation({ seed, vips: VIPS, leaseTtlMs, preemptAfterMs: 3000 });
          await simulation.world.advance(1500);
          for (const one of steps) {
            take(simulation, one);
            await simulation.world.advance(one.afterMs);
          }
          await allWell(simulation);
          expect(simulation.overlaps).toEqual([]);
          expect(VIPS.map((vip) => simulation.owners(vip).length)).toEqual([1, 1]);
        },
      ),
      { numRuns: RUNS },
    );
  }, 120_000);
});
