import { describe, expect, test } from "@jest/globals";

import { fail, pass, skip, sum } from "./outcome.ts";
import { report } from "./report.ts";

const lastLine = (text: string): string | undefined => text.split("\n").at(-1);

describe("report", () => {
  test("ends with the totals in the form that CI reads", () => {
    expect(report(sum([pass(), pass(), fail("lint", "x"), skip("nft", "not root")]))).toMatch(
      /(^|\n)2 passed, 1 failed, 1 skipped$/,
    );
  });

  test("is the totals alone when there is nothing to tell", () => {
    expect(report(sum([pass()]))).toBe("1 passed, 0 failed, 0 skipped");
  });

  test("names what was skipped, how many tests that is, and why", () => {
    const skips = [{ where: "packages/server/test/nft.test.ts", name: "nft driver", reason: "needs root", count: 4 }];
    const text = report({ ...sum([]), skipped: 4, skips });
    expect(text).toContain("skipped  packages/server/test/nft.test.ts › nft driver (4 tests): needs root\n");
  });

  test("prints failing tests with their message, without colours", () => {
    const text = report(fail("packages/a/test/b.test.ts", "\u001B[31mexpected 1\u001B[39m\n  at b.ts:3", "adds"));
    expect(text).toBe(
      "FAILED   packages/a/test/b.test.ts › adds\n    expected 1\n      at b.ts:3\n0 passed, 1 failed, 0 skipped",
    );
  });

  test("leaves out the frames of jest and Node", () => {
    const stack =
      "Error: x\n    at f (/repo/a.ts:1:2)\n    at g (/repo/node_modules/jest/b.js:1:1)\n    at new Promise (<anonymous>)";
    expect(report(fail("a", stack))).toBe(
      "FAILED   a\n    Error: x\n        at f (/repo/a.ts:1:2)\n0 passed, 1 failed, 0 skipped",
    );
  });

  test("cuts a long message and says so", () => {
    const text = report(fail("lint", Array.from({ length: 50 }, (_, index) => `line ${index}`).join("\n")));
    expect(text).toContain("    line 19\n    … 20 lines, see above …\n    line 40\n");
    expect(lastLine(text)).toBe("0 passed, 1 failed, 0 skipped");
  });
});
