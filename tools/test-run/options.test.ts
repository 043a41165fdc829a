import { describe, expect, test } from "@jest/globals";

import { parseOptions } from "./options.ts";

const parse = (...args: string[]) => parseOptions(args, ["maglev", "server"]);

describe("parseOptions", () => {
  test("runs everything by default", () => {
    expect(parse()).toEqual({ help: false, fast: false, install: true });
  });

  test.each(["maglev", "@fiberlb/maglev", "packages/maglev", "packages/maglev/"])("--only %s", (name) => {
    expect(parse("--only", name).only).toBe("maglev");
  });

  test("--fast and --no-install", () => {
    expect(parse("--fast", "--no-install")).toMatchObject({ fast: true, install: false });
  });

  test("names the packages when one is unknown", () => {
    expect(() => parse("--only", "maglv")).toThrow("--only maglv: no such package; there are maglev, server");
  });

  test("refuses unknown flags", () => {
    expect(() => parse("--fsat")).toThrow(/--fsat/);
  });
});
