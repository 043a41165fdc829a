import { expect, test } from "@jest/globals";

import type { AnnounceReport, Route, Speaker } from "../src/index.ts";

// The package is types only so far: this is the shape that embedders write against, checked by the compiler.
test("a speaker can be written against the types", async () => {
  const held: Route[] = [];
  const speaker: Speaker = {
    announce(routes): Promise<AnnounceReport> {
      const before = held.splice(0);
      held.push(...routes);
      return Promise.resolve({ added: routes, withdrawn: before, unchanged: 0 });
    },
    close: () => Promise.resolve(),
  };
  const route = { prefix: "203.0.113.1/32", nextHop: "192.0.2.1", communities: ["65535:0"] } as unknown as Route;
  await speaker.announce([route]);
  expect((await speaker.announce([])).withdrawn).toEqual([route]);
});
