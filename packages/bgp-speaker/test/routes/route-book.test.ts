import type { Cidr } from "@fiberlb/types";
import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { RouteReader } from "../../src/routes/check-routes.ts";
import type { Path } from "../../src/routes/path.ts";
import { RouteBook } from "../../src/routes/route-book.ts";
import { anyTable } from "../arbitraries.ts";
import { manyRoutes } from "../lab/routes.ts";

const table = (count: number) => new RouteReader().read(manyRoutes(count));

function known(held: readonly Path[] = []): RouteBook {
  const book = new RouteBook();
  book.beginListing();
  book.endListing(held);
  return book;
}

test("nothing is to be done before it is known what the daemon holds", () => {
  const book = new RouteBook();
  book.setDesired(table(1));
  expect(book.next(10)).toBeUndefined();
  book.beginListing();
  book.endListing([]);
  expect(book.next(10)?.add).toHaveLength(1);
});

test("nothing is withdrawn before something was announced, and all when that is the empty set", () => {
  const book = known([...table(2).values()]);
  expect(book.next(10)).toBeUndefined();
  expect([book.desiredCount, book.heldCount]).toEqual([0, 2]);
  book.setDesired(new Map());
  expect(book.next(10)?.withdraw).toHaveLength(2);
});

test("a withdrawal overtakes announcements that are still to be made", () => {
  const book = known();
  book.setDesired(table(100));
  for (let round = 0; round < 2; round += 1) {
    const changes = book.next(10);
    if (changes !== undefined) book.applied(changes);
  }
  const [first] = table(1).values();
  book.setDesired(new Map([...table(100)].slice(1)));
  const changes = book.next(10);
  expect(changes?.withdraw).toEqual([first]);
  expect(changes?.add).toHaveLength(9);
});

test("a route that was refused is let alone until the next listing or the next set", () => {
  const book = known();
  const desired = table(2);
  const [bad, good] = [...desired.values()] as [Path, Path];
  book.setDesired(desired);
  book.refuse({ path: bad, reason: "no" });
  expect(book.next(10)).toEqual({ withdraw: [], add: [good] });
  book.applied({ withdraw: [], add: [good] });
  expect(book.next(10)).toBeUndefined();
  expect(book.refused).toEqual([{ path: bad, reason: "no" }]);
  book.beginListing();
  book.endListing([good]);
  expect(book.next(10)).toEqual({ withdraw: [], add: [bad] });
});

test("a refusal of what is no longer desired is nobody's", () => {
  const book = known();
  const [bad] = [...table(1).values()] as [Path];
  book.setDesired(new Map());
  book.refuse({ path: bad, reason: "no" });
  expect(book.refused).toEqual([]);
});

test("a lost connection forgets what was held, not what is desired", () => {
  const book = known();
  book.setDesired(table(3));
  book.applied({ withdraw: [], add: [...table(3).values()] });
  book.forget();
  expect([book.desiredCount, book.heldCount, book.isKnown]).toEqual([3, 0, false]);
  expect(book.next(10)).toBeUndefined();
});

describe("as a model", () => {
  type Step =
    | { readonly do: "desire"; readonly table: ReadonlyMap<Cidr, Path> }
    | { readonly do: "tamper"; readonly table: ReadonlyMap<Cidr, Path> }
    | { readonly do: "work" | "beginListing" | "endListing" | "lose" };

  const anyStep: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ do: fc.constant("desire" as const), table: anyTable }),
    fc.record({ do: fc.constant("tamper" as const), table: anyTable }),
    fc.record({
      do: fc.constantFrom("work" as const, "beginListing" as const, "endListing" as const, "lose" as const),
    }),
  );

  /** A daemon whose listings tell what it held when they began. */
  class Daemon {
    held = new Map<Cidr, Path>();
    #listing: Path[] | undefined;

    run(book: RouteBook, step: Step): void {
      switch (step.do) {
        case "desire":
          return book.setDesired(step.table);
        case "tamper":
          this.held = new Map(step.table);
          return;
        case "work":
          return this.work(book, 3);
        case "beginListing":
          book.beginListing();
          this.#listing = [...this.held.values()];
          return;
        case "endListing":
          if (this.#listing !== undefined) book.endListing(this.#listing);
          this.#listing = undefined;
          return;
        case "lose":
          book.forget();
          this.#listing = undefined;
      }
    }

    work(book: RouteBook, atMost: number): void {
      const changes = book.next(atMost);
      if (changes === undefined) return;
      for (const { prefix } of changes.withdraw) this.held.delete(prefix);
      for (const path of changes.add) this.held.set(path.prefix, path);
      book.applied(changes);
    }
  }

  test("whatever happened, after a listing and the work left the daemon holds what is desired", () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 30 }), anyTable, (steps, last) => {
        const [daemon, book] = [new Daemon(), new RouteBook()];
        for (const step of steps) daemon.run(book, step);
        book.setDesired(last);
        daemon.run(book, { do: "beginListing" });
        daemon.run(book, { do: "endListing" });
        while (book.next(3) !== undefined) daemon.work(book, 3);
        expect(daemon.held).toEqual(last);
        expect(book.heldCount).toBe(last.size);
      }),
    );
  });

  test("without tampering, listings at any moment never make it do work twice or forget any", () => {
    const honest = anyStep.filter((step) => step.do !== "tamper" && step.do !== "lose");
    fc.assert(
      fc.property(fc.array(honest, { maxLength: 30 }), (steps) => {
        const [daemon, book] = [new Daemon(), known()];
        for (const step of steps) daemon.run(book, step);
        while (book.next(3) !== undefined) daemon.work(book, 3);
        if (steps.some((step) => step.do === "desire")) {
          const wanted = steps.findLast((step) => step.do === "desire");
          expect(daemon.held).toEqual(wanted?.table);
        }
      }),
    );
  });
});
