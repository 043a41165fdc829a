/**
 * Whether a history of one key could have come from one register that does one thing at a time (Wing and Gong, "Testing
 * and Verifying Concurrent Objects", 1993; with Lowe's memory of what was tried). Every value is written once, so a
 * comparison of revisions is one of values.
 */
export type Operation = {
  /** When it was asked for and answered; an answer that never came is at `Infinity`. */
  readonly calledAt: number;
  readonly answeredAt: number;
} & (
  | { readonly type: "read"; readonly value: string | undefined }
  | { readonly type: "write"; readonly value: string }
  | { readonly type: "swap"; readonly from: string | undefined; readonly value: string }
  /** A swap that was refused, with the value that was there instead. */
  | { readonly type: "refused"; readonly from: string | undefined; readonly found: string | undefined }
);

/** Undefined when the history is linearizable, else the operation that nothing explains. */
export function findContradiction(history: readonly Operation[]): Operation | undefined {
  const observed = new Set(history.flatMap(observations));
  const answered = history.filter(isAnswered).toSorted((a, b) => a.calledAt - b.calledAt);
  // What was never answered may have happened at any time since. It matters only where somebody has seen it.
  const open = history.filter((one) => !isAnswered(one) && "value" in one && observed.has(one.value));
  return new Search(answered, open).run();
}

const isAnswered = ({ answeredAt }: Operation): boolean => answeredAt !== Number.POSITIVE_INFINITY;

function observations(one: Operation): (string | undefined)[] {
  switch (one.type) {
    case "read":
      return [one.value];
    case "swap":
      return [one.from];
    case "refused":
      return [one.from, one.found];
    case "write":
      return [];
  }
}

/** The register after an operation; undefined when it cannot happen then. */
function apply(one: Operation, value: string | undefined): { readonly value: string | undefined } | undefined {
  switch (one.type) {
    case "write":
      return { value: one.value };
    case "read":
      return one.value === value ? { value } : undefined;
    case "swap":
      return one.from === value ? { value: one.value } : undefined;
    case "refused":
      return one.found === value && one.from !== value ? { value } : undefined;
  }
}

interface Step {
  /** All answered operations before this one have been placed. */
  readonly first: number;
  /** Placed ones from there on. */
  readonly placed: ReadonlySet<number>;
  readonly placedOpen: ReadonlySet<number>;
  readonly value: string | undefined;
}

class Search {
  readonly #answered: readonly Operation[];
  readonly #open: readonly Operation[];
  readonly #tried = new Set<string>();
  #furthest = 0;

  constructor(answered: readonly Operation[], open: readonly Operation[]) {
    this.#answered = answered;
    this.#open = open;
  }

  run(): Operation | undefined {
    const stack: Step[] = [{ first: 0, placed: new Set(), placedOpen: new Set(), value: undefined }];
    for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
      if (step.first === this.#answered.length) return undefined;
      this.#furthest = Math.max(this.#furthest, step.first);
      stack.push(...this.#nextSteps(step).filter((next) => this.#isNew(next)));
    }
    return this.#answered[this.#furthest];
  }

  /** The last is tried first: answered operations, in the order of their calls. */
  #nextSteps(step: Step): Step[] {
    const answered: Step[] = [];
    let earliestAnswer = Number.POSITIVE_INFINITY;
    for (let index = step.first; index < this.#answered.length; index++) {
      const one = this.#answered[index]!;
      // Called after another one was answered that has not been placed: it cannot be before that.
      if (one.calledAt > earliestAnswer) break;
      if (step.placed.has(index)) continue;
      earliestAnswer = Math.min(earliestAnswer, one.answeredAt);
      const after = apply(one, step.value);
      if (after) answered.push(place(step, index, after.value));
    }
    const open = this.#open.flatMap((one, index) => {
      if (step.placedOpen.has(index) || one.calledAt > earliestAnswer) return [];
      const after = apply(one, step.value);
      return after ? [{ ...step, placedOpen: new Set([...step.placedOpen, index]), value: after.value }] : [];
    });
    return [...open, ...answered.toReversed()];
  }

  #isNew({ first, placed, placedOpen, value }: Step): boolean {
    const sorted = (set: ReadonlySet<number>): string => [...set].toSorted((a, b) => a - b).join(",");
    const name = `${first}|${sorted(placed)}|${sorted(placedOpen)}|${value ?? ""}`;
    if (this.#tried.has(name)) return false;
    this.#tried.add(name);
    return true;
  }
}

function place(step: Step, index: number, value: string | undefined): Step {
  const placed = new Set([...step.placed, index]);
  let { first } = step;
  while (placed.delete(first)) first++;
  return { ...step, first, placed, value };
}
