import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { ALL_KEYS, type Op, put, remove, removeRange, type Store, type Txn } from "../../src/index.ts";
import { bytes, type StoreUnderTest, take, text } from "./fixture.ts";

/** A state: every key with its value. */
type State = ReadonlyMap<string, string>;

type Step =
  | { readonly do: "txn"; readonly ifValue: { key: string; value: string } | undefined; readonly ops: readonly Op[] }
  | { readonly do: "compact"; readonly backBy: number };

const keys = fc.constantFrom("a", "a/1", "a/2", "b", "b/é", "c");
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(keys, fc.string({ maxLength: 3 })).map(([k, value]) => put(k, bytes(value))) },
  { weight: 2, arbitrary: keys.map((k) => remove(k)) },
  { weight: 1, arbitrary: fc.tuple(keys, keys).map(([start, end]) => removeRange({ start, end })) },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant("txn" as const),
      ifValue: fc.option(fc.record({ key: keys, value: fc.constantFrom("", "x") }), { nil: undefined, freq: 4 }),
      ops: fc.array(op, { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("compact" as const), backBy: fc.nat(5) }) },
);

export function describeModel(subject: StoreUnderTest): void {
  describe("random operations", () => {
    test("agree with a model, now, at every retained revision, and through a watch", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
          const store = await subject.open(subject.newClock());
          try {
            await checkRun(store, steps);
          } finally {
            await store.close();
          }
        }),
        { numRuns: 40 },
      );
    }, 60_000);
  });
}

async function checkRun(store: Store, steps: readonly Step[]): Promise<void> {
  const { revision: first, compactRevision } = await store.status();
  const states = new Map<number, State>([[first, new Map()]]);
  let newest = first;
  let compacted = compactRevision;
  for (const current of steps) {
    if (current.do === "txn") newest = await checkTxn(store, current, states, newest);
    else if (newest - current.backBy > Math.max(compacted, 1)) {
      compacted = newest - current.backBy;
      await store.compact(compacted);
    }
  }
  for (const [revision, state] of states) {
    if (revision >= compacted) expect(await readState(store, revision)).toEqual([...state]);
  }
  const from = Math.max(compacted, first);
  expect(await replay(store, states.get(from)!, from, newest)).toEqual([...states.get(newest)!]);
}

async function checkTxn(
  store: Store,
  { ifValue, ops }: Extract<Step, { do: "txn" }>,
  states: Map<number, State>,
  newest: number,
): Promise<number> {
  const before = states.get(newest)!;
  const compare: Txn["compare"] =
    ifValue === undefined ? [] : [{ key: ifValue.key, target: "value", is: "=", to: bytes(ifValue.value) }];
  if (writesTwice(ops)) {
    await expect(store.txn({ compare, success: ops })).rejects.toMatchObject({ code: "INVALID" });
    return newest;
  }
  const holds = ifValue === undefined || before.get(ifValue.key) === ifValue.value;
  const { changed, after } = holds ? applyAll(before, ops) : { changed: false, after: before };
  const { succeeded, revision } = await store.txn({ compare, success: ops });
  expect({ succeeded, revision }).toEqual({ succeeded: holds, revision: changed ? newest + 1 : newest });
  states.set(revision, after);
  return revision;
}

function covers(deletion: Op, key: string): boolean {
  if (deletion.type === "delete") return deletion.key === key;
  return deletion.type === "deleteRange" && deletion.start <= key && key < deletion.end;
}

function writesTwice(ops: readonly Op[]): boolean {
  const puts = ops.flatMap((one) => (one.type === "put" ? [one.key] : []));
  return new Set(puts).size < puts.length || puts.some((key) => ops.some((one) => covers(one, key)));
}

function applyAll(before: State, ops: readonly Op[]): { changed: boolean; after: State } {
  const after = new Map(before);
  let changed = false;
  for (const one of ops) {
    if (one.type === "put") {
      after.set(one.key, new TextDecoder().decode(one.value));
      changed = true;
    }
    for (const key of after.keys()) if (covers(one, key) && after.delete(key)) changed = true;
  }
  return { changed, after: sorted(after) };
}

function sorted(state: Iterable<[string, string]>): State {
  return new Map([...state].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

async function readState(store: Store, revision: number): Promise<[string, string][]> {
  const { kvs } = await store.range({ ...ALL_KEYS, revision });
  return kvs.map((kv) => [kv.key, text(kv)!]);
}

/** The state that a watcher arrives at who starts from the one at `from`. */
async function replay(store: Store, start: State, from: number, newest: number): Promise<[string, string][]> {
  const state = new Map(start);
  const watch = store.watch({ ...ALL_KEYS, fromRevision: from + 1 });
  for (const { events } of newest > from ? await take(watch, newest - from) : []) {
    for (const { type, kv } of events) {
      if (type === "put") state.set(kv.key, text(kv)!);
      else state.delete(kv.key);
    }
  }
  return [...sorted(state)];
}
