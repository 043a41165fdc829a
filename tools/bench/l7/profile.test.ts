import { expect, it } from "@jest/globals";

import { describeProfile } from "./profile.ts";

const node = (id: number, functionName: string, url = "", lineNumber = -1) => ({
  id,
  callFrame: { functionName, url, lineNumber },
});

it("shares out busy time by function and by kind of code", () => {
  const profile = {
    nodes: [
      node(1, "(idle)"),
      node(2, "writeBuffer"),
      node(3, "route", "file:///x/packages/server/src/data/l7/router.ts", 9),
      node(4, "(garbage collector)"),
    ],
    samples: [1, 2, 3, 4, 2],
    timeDeltas: [9000, 300, 200, 100, 400],
  };
  expect(describeProfile([profile]).split("\n")).toEqual([
    " 70.0 %  system calls and other native code",
    " 20.0 %  JavaScript of FiberLB",
    " 10.0 %  garbage collection",
    "",
    " 70.0 %  writeBuffer",
    " 20.0 %  route  packages/server/src/data/l7/router.ts:10",
    " 10.0 %  (garbage collector)",
  ]);
});
