import { expect, it } from "@jest/globals";
import fc from "fast-check";

import { FakeWorld, type Outcome } from "../fake-io.ts";
import { anyFile } from "./state.ts";

const RUNS = { numRuns: 25 };
const DEADLINE_MS = 120_000;

async function apply(world: FakeWorld, file: object, ...flags: readonly string[]): Promise<Outcome> {
  world.stdin = JSON.stringify(file);
  return world.run("apply", "-f", "-", ...flags);
}

const done = (outcome: Outcome): Outcome => {
  expect([outcome.code, outcome.stderr]).toEqual([0, ""]);
  return outcome;
};

it(
  "a second run has no changes, and export writes what apply answers with no changes",
  async () => {
    await fc.assert(
      fc.asyncProperty(anyFile, async (file) => {
        const world = new FakeWorld();
        done(await apply(world, file));
        expect(done(await apply(world, file)).stdout).toBe("no changes\n");
        world.stdin = (await world.run("export")).stdout;
        expect(done(await world.run("apply", "-f", "-")).stdout).toBe("no changes\n");
      }),
      RUNS,
    );
  },
  DEADLINE_MS,
);

it(
  "leads from any state to any other in one run",
  async () => {
    await fc.assert(
      fc.asyncProperty(anyFile, anyFile, async (before, after) => {
        const world = new FakeWorld();
        done(await apply(world, before));
        const first = await apply(world, after, "--replace", "--prune");
        expect([first.code, first.stderr]).toEqual([0, ""]);
        expect(done(await apply(world, after, "--prune")).stdout).toBe("no changes\n");
        const fresh = new FakeWorld();
        done(await apply(fresh, after));
        expect(await structureOf(world)).toEqual(await structureOf(fresh));
      }),
      RUNS,
    );
  },
  DEADLINE_MS,
);

it(
  "goes on where an interrupted run has stopped, wherever that was",
  async () => {
    await fc.assert(
      fc.asyncProperty(anyFile, anyFile, fc.nat(12), async (before, after, failAt) => {
        const world = new FakeWorld();
        done(await apply(world, before));
        let writes = 0;
        world.server.intercept = (method, request) => {
          if (!/^(create|update|delete)/.test(method) || request["validateOnly"] === true) return;
          writes += 1;
          if (writes > failAt) throw new Error("the server is gone");
        };
        await apply(world, after, "--replace", "--prune");
        world.server.intercept = () => undefined;
        done(await apply(world, after, "--replace", "--prune"));
        expect(done(await apply(world, after, "--prune")).stdout).toBe("no changes\n");
      }),
      RUNS,
    );
  },
  DEADLINE_MS,
);

/** What export writes, without names that only say which one it was, without addresses that were assigned and in one order. */
async function structureOf(world: FakeWorld): Promise<unknown> {
  const file = JSON.parse((await world.run("export", "-o", "json")).stdout) as { loadBalancers?: object[] };
  return sorted((file.loadBalancers ?? []).map((one) => ({ ...one, vipAddress: "" })));
}

/** Everything but policies is a set. Of what a file need not name, the name that it had stays. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value))
    return value.map(sorted).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, sectionOf(key, inner)] as const);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function withoutNames(list: unknown): unknown {
  return (list as object[]).map((one) => ({ ...one, name: "" }));
}

function sectionOf(key: string, inner: unknown): unknown {
  if (!["policies", "rules", "backends"].includes(key)) return sorted(inner);
  const unnamed = withoutNames(inner) as unknown[];
  return key === "policies" ? unnamed.map(sorted) : sorted(unnamed);
}
