import { expect, it } from "@jest/globals";

import { FlowBudget, type FlowHolder } from "../../../src/data/l4/flow-budget.ts";

class Holder implements FlowHolder {
  size = 0;
  evicted = 0;
  readonly #budget: FlowBudget;

  constructor(budget: FlowBudget) {
    this.#budget = budget;
  }

  open(flows = 1): this {
    for (let i = 0; i < flows; i++) {
      this.#budget.take(this);
      this.size += 1;
    }
    return this;
  }

  close(): void {
    this.size -= 1;
    this.#budget.give(this);
  }

  evictOldest(): void {
    this.evicted += 1;
    this.close();
  }
}

it("lets everybody open flows up to the limit, which is never passed", () => {
  const budget = new FlowBudget(10);
  const [one, other] = [new Holder(budget).open(4), new Holder(budget).open(6)];
  expect(budget.total).toBe(10);
  expect(one.evicted + other.evicted).toBe(0);
  other.open(3);
  expect(budget.total).toBe(10);
});

it("a flood on one listener takes nothing from the others", () => {
  const budget = new FlowBudget(100);
  const calm = new Holder(budget).open(10);
  const flooded = new Holder(budget).open(10_000);
  expect(calm).toMatchObject({ size: 10, evicted: 0 });
  expect(flooded).toMatchObject({ size: 90, evicted: 10_000 - 90 });
});

it("who has less than its share gets a place from whoever has the most", () => {
  const budget = new FlowBudget(100);
  const [small, large] = [new Holder(budget).open(30), new Holder(budget).open(70)];
  const late = new Holder(budget).open(20);
  expect([small.size, large.size, late.size]).toEqual([30, 50, 20]);
  late.open(1000);
  expect(small.evicted).toBe(0);
  expect(budget.total).toBe(100);
});

it("with a limit of one every flow ends the one before", () => {
  const budget = new FlowBudget(1);
  const [one, other] = [new Holder(budget).open(), new Holder(budget).open()];
  expect([one.size, other.size]).toEqual([0, 1]);
});

it("places that were given back are free", () => {
  const budget = new FlowBudget(2);
  const holder = new Holder(budget).open(2);
  holder.close();
  holder.open();
  expect(holder.evicted).toBe(0);
  expect(budget.total).toBe(2);
});

it("has nobody to end while nobody has a flow", () => {
  const budget = new FlowBudget(1);
  const holder = new Holder(budget);
  budget.evictFor(holder);
  expect(holder.evicted).toBe(0);
});
