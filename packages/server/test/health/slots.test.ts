import { expect, test } from "@jest/globals";

import { Slots } from "../../src/health/slots.ts";

test("runs as many at once as there are places, the others in the order they came", () => {
  const slots = new Slots(2);
  const ran: string[] = [];
  for (const name of ["a", "b", "c", "d"]) slots.take(() => ran.push(name));
  expect(ran).toEqual(["a", "b"]);
  slots.give();
  expect(ran).toEqual(["a", "b", "c"]);
  slots.give();
  expect(ran).toEqual(["a", "b", "c", "d"]);
});

test("who leaves the line is not called, and the place goes to the next", () => {
  const slots = new Slots(1);
  const ran: string[] = [];
  slots.take(() => ran.push("a"));
  const leave = slots.take(() => ran.push("b"));
  slots.take(() => ran.push("c"));
  leave();
  slots.give();
  expect(ran).toEqual(["a", "c"]);
});

test("a place that nobody waits for is kept for the next who comes", () => {
  const slots = new Slots(1);
  const ran: string[] = [];
  slots.take(() => ran.push("a"));
  slots.give();
  slots.take(() => ran.push("b"));
  slots.take(() => ran.push("c"));
  expect(ran).toEqual(["a", "b"]);
});
