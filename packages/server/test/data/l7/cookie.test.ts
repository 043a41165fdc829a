import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { cookieValues, formatSetCookie, readSetCookie } from "../../../src/data/l7/cookie.ts";

describe("cookieValues", () => {
  it.each([
    [["a=1"], ["1"]],
    [["b=0; a=1; c=2"], ["1"]],
    [["a=1; a=2"], ["1", "2"]],
    [
      ["a=1", "b=2; a=3"],
      ["1", "3"],
    ],
    [["a=1;b=2;a=3"], ["1", "3"]],
    [[" a=1 ;\ta = 2"], ["1"]],
    [["a="], [""]],
    [["a=x=y"], ["x=y"]],
    [['a="q"'], ['"q"']],
    [["a"], []],
    [["aa=1; xa=2; A=3"], []],
    [["b=a=1"], []],
    [[""], []],
    [[], []],
    [[";;;a=1;;"], ["1"]],
  ])("reads a of %j: %j", (headers, values) => expect(cookieValues(headers, "a")).toEqual(values));

  it("looks at a bounded number of pairs", () => {
    const filler = "x;".repeat(999);
    expect(cookieValues([`${filler}a=1`], "a")).toEqual(["1"]);
    expect(cookieValues([`x;${filler}a=1`], "a")).toEqual([]);
    expect(cookieValues([...Array.from({ length: 1000 }, () => "x"), "a=1"], "a")).toEqual([]);
  });

  it("finds what was put in, whatever stands beside it", () => {
    const noise = fc.string({ unit: fc.constantFrom("x", "=", " ", "a", '"', ","), maxLength: 6 });
    fc.assert(
      fc.property(fc.array(noise), fc.string({ unit: fc.constantFrom("v", "=", "a") }), (pairs, value) => {
        const others = pairs.filter((pair) => !/^\s*a=/.test(pair));
        expect(cookieValues([[...others, `a=${value}`].join(";")], "a")).toEqual([value]);
      }),
    );
  });
});

describe("formatSetCookie", () => {
  const cookie = { name: "FIBERLB", value: "v", maxAgeS: 0, secure: false };
  it.each([
    [cookie, "FIBERLB=v; Path=/; HttpOnly; SameSite=Lax"],
    [{ ...cookie, secure: true }, "FIBERLB=v; Path=/; HttpOnly; SameSite=Lax; Secure"],
    [{ ...cookie, maxAgeS: 300 }, "FIBERLB=v; Path=/; Max-Age=300; HttpOnly; SameSite=Lax"],
    [{ ...cookie, maxAgeS: -1 }, "FIBERLB=v; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"],
  ])("writes %j", (given, header) => expect(formatSetCookie(given)).toBe(header));
});

describe("readSetCookie", () => {
  const now = Date.parse("2026-06-01T00:00:00Z");
  it.each([
    ["sid=1; Path=/", { name: "sid", isRemoval: false }],
    [" sid =; Max-Age=0", { name: "sid", isRemoval: true }],
    ["sid=; max-age=-5", { name: "sid", isRemoval: true }],
    ["sid=1; Max-Age=5; Expires=Thu, 01 Jan 1970 00:00:00 GMT", { name: "sid", isRemoval: false }],
    ["sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT", { name: "sid", isRemoval: true }],
    ["sid=1; Expires=Thu, 01 Jan 2099 00:00:00 GMT", { name: "sid", isRemoval: false }],
    ["sid=1; Expires=soon", { name: "sid", isRemoval: false }],
    ["sid=1; Max-Age=0; Max-Age=9", { name: "sid", isRemoval: false }],
    ["sid=1; Max-Age=soon", { name: "sid", isRemoval: false }],
    ["sid", undefined],
    ["=1", undefined],
    ["", undefined],
  ])("reads %s", (header, expected) => expect(readSetCookie(header, now)).toEqual(expected));
});
