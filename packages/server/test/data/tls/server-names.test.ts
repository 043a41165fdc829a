import { describe, expect, it } from "@jest/globals";

import { ServerNames } from "../../../src/data/tls/server-names.ts";

describe("ServerNames", () => {
  const names = new ServerNames<string>();
  for (const name of ["a.test", "*.a.test", "x.a.test", "*.x.a.test", "*.com"]) names.add(name, name);

  it.each([
    ["a.test", "a.test"],
    ["x.a.test", "x.a.test"],
    ["y.a.test", "*.a.test"],
    ["1.x.a.test", "*.x.a.test"],
    ["2.1.x.a.test", undefined],
    ["y.z.a.test", undefined],
    ["example.com", "*.com"],
    ["com", undefined],
    [".com", undefined],
    [".a.test", undefined],
    ["*.a.test", "*.a.test"],
    ["", undefined],
    ["constructor", undefined],
    ["b.test", undefined],
  ])("%j is for %j", (name, found) => {
    expect(names.find(name)).toBe(found);
  });

  it("gives a name to the first that claims it", () => {
    const twice = new ServerNames<number>();
    for (const value of [1, 2]) for (const name of ["a.test", "*.b.test"]) twice.add(name, value);
    expect([twice.find("a.test"), twice.find("x.b.test")]).toEqual([1, 1]);
  });
});
