import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { compileRegex, MAX_REGEX_INSTRUCTIONS } from "../../../src/data/route/regex.ts";

function compiled(text: string, options?: { readonly ignoreCase: boolean }) {
  const result = compileRegex(text, options);
  if (!result.ok) throw new Error(result.problem);
  return result.value;
}

describe("compileRegex", () => {
  it("matches anywhere unless anchored", () => {
    expect(compiled("b").test("abc")).toBe(true);
    expect(compiled("^b").test("abc")).toBe(false);
  });

  it("keeps case unless told otherwise", () => {
    expect(compiled("B").test("b")).toBe(false);
    expect(compiled("B", { ignoreCase: true }).test("b")).toBe(true);
  });

  it.each([
    ["(?=a)", "invalid or unsupported Perl syntax"],
    ["(a)\\1", "invalid escape sequence"],
    ["[", "missing closing ]"],
    ["a{1001}", "invalid repeat count"],
    ["(".repeat(1024), "missing closing )"],
  ])("refuses %s", (text, problem) => {
    const result = compileRegex(text);
    expect(result).toEqual({ ok: false, problem: expect.stringContaining(problem) });
    expect((result as { readonly problem: string }).problem).toMatch(/^must be a regular expression in RE2 syntax: /);
    expect((result as { readonly problem: string }).problem.length).toBeLessThan(200);
  });

  it("refuses a text that is too long, and one that compiles to too much", () => {
    expect(compileRegex("a".repeat(1025))).toEqual({
      ok: false,
      problem: "must be a regular expression of at most 1024 characters, not 1025",
    });
    expect(compileRegex("[ab]{500}[cd]{600}")).toEqual({
      ok: false,
      problem: expect.stringMatching(
        new RegExp(
          `^must be a smaller .* compiles to 1\\d{3} instructions, at most ${MAX_REGEX_INSTRUCTIONS} are allowed`,
        ),
      ),
    });
  });

  it("judges every path and header of the default limits by an ordinary expression", () => {
    expect(compiled("^/api/v[0-9]+/users/[0-9]+$").test("/".padEnd(65_536, "a"))).toBe(false);
  });

  it("does not judge what would take too many steps", () => {
    const large = compiled("(?:[a-e].{300}|[b-f].{299})$");
    expect(large.test("a".repeat(1000))).toBe(true);
    expect(large.test("a".repeat(10_000))).toBeUndefined();
  });

  it("answers with a value whatever the text", () => {
    const characters = Array.from("ab(){}[]|*+?.^$\\,:-P<>=!0123456789iu");
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...characters), maxLength: 40 }), (text) => {
        const result = compileRegex(text);
        if (result.ok) expect(typeof result.value.test("aabb")).toBe("boolean");
        else expect(result.problem).toMatch(/^must be a /);
      }),
      { numRuns: 1000 },
    );
  });

  it.each(["(", "(?:", "((?:a|"])("survives deep nesting of %s", (open) => {
    const depth = Math.floor(500 / open.length);
    expect(() => compileRegex(open.repeat(depth) + "a" + ")".repeat(depth))).not.toThrow();
  });
});
