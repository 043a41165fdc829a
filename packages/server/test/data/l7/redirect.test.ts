import { parseRedirectUrl } from "@fiberlb/types";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { compileRedirectPrefix, compileRedirectUrl, type RedirectResult } from "../../../src/data/l7/redirect.ts";
import { request, type Wanted } from "./requests.ts";

function locationOf(result: RedirectResult, wanted: Wanted = {}): string {
  if (!result.ok) throw new Error(result.problem);
  return result.target(request(wanted));
}

const asked: Wanted = { host: "shop.example", port: 8080, path: "/a/b", query: "c=d" };

describe("REDIRECT_TO_URL", () => {
  it.each([
    ["https://#{host}:443/#{path}?#{query}", "https://shop.example:443/a/b?c=d"],
    ["https://#{host}#{path}", "https://shop.example/a/b"],
    ["#{protocol}://#{host}:#{port}/new/#{path}", "http://shop.example:8080/new/a/b"],
    ["https://www.#{host}/", "https://www.shop.example/"],
    ["https://new.example", "https://new.example"],
    ["https://new.example?from=#{path}", "https://new.example?from=/a/b"],
    [
      "https://login.example/?next=https://#{host}/#{path}&x=1",
      "https://login.example/?next=https://shop.example/a/b&x=1",
    ],
    ["https://new.example/#{path}?x=1&#{query}", "https://new.example/a/b?x=1&c=d"],
    ["https://new.example#top", "https://new.example/#top"],
  ])("fills %s", (template, location) => expect(locationOf(compileRedirectUrl(template), asked)).toBe(location));

  it.each([
    ["https://new.example/#{path}?#{query}", "https://new.example/a/b"],
    ["https://new.example/#{path}?x=1&#{query}", "https://new.example/a/b?x=1"],
  ])("leaves out an empty query of %s", (template, location) => {
    expect(locationOf(compileRedirectUrl(template), { ...asked, query: "" })).toBe(location);
  });

  it("keeps a path within a query one value", () => {
    const location = locationOf(compileRedirectUrl("https://login.example/?next=#{path}"), { path: "/a&admin=1+1" });
    expect(new URL(location).searchParams.getAll("next")).toEqual(["/a&admin=1+1"]);
    expect(new URL(location).searchParams.has("admin")).toBe(false);
  });

  it("fills OPTIONS * with the root", () => {
    expect(locationOf(compileRedirectUrl("https://new.example#{path}"), { path: "*" })).toBe("https://new.example/");
  });

  it.each([
    "https://#{query}/",
    "https://#{query}.example/",
    "https://a.#{query}/",
    "https://a#{protocol}/",
    "https://#{path}/",
    "https://",
    "//x/",
    "javascript:x",
  ])("refuses %s: the operator's host must be told from the text", (template) => {
    expect(compileRedirectUrl(template)).toEqual({
      ok: false,
      problem: expect.stringMatching(/^must be http:.* a host/),
    });
  });

  it("lets no path become a part of the host", () => {
    const location = locationOf(compileRedirectUrl("https://a#{path}.example:#{query}"), { path: "/.evil.example" });
    expect(new URL(location).hostname).toBe("a");
  });
});

describe("REDIRECT_PREFIX", () => {
  it.each([
    ["https://new.example", "https://new.example/a/b?c=d"],
    ["https://new.example/", "https://new.example/a/b?c=d"],
    ["https://new.example/v2", "https://new.example/v2/a/b?c=d"],
    ["https://#{host}", "https://shop.example/a/b?c=d"],
  ])("puts path and query after %s", (prefix, location) => {
    expect(locationOf(compileRedirectPrefix(prefix), asked)).toBe(location);
  });
});

describe("whatever a client sends", () => {
  const hostile = fc.string({
    unit: fc.oneof(fc.constantFrom(...Array.from('\r\n\t\0 /\\@:?#.%&é\u{1F600}<>"')), fc.string({ maxLength: 2 })),
  });
  const templates = fc.constantFrom(
    "https://fixed.example/#{path}?#{query}",
    "https://fixed.example#{path}",
    "https://fixed.example/#{query}",
    "#{protocol}://fixed.example:#{port}/x#{path}#{query}",
    "https://fixed.example/?next=#{path}&#{query}",
  );

  it("the host is the operator's and the header is one line of ASCII", () => {
    fc.assert(
      fc.property(templates, hostile, hostile, fc.boolean(), (template, path, query, asPrefix) => {
        const compiled = asPrefix ? compileRedirectPrefix(template) : compileRedirectUrl(template);
        const location = locationOf(compiled, { path: `/${path}`, query });
        expect(location).toMatch(/^[\x21-\x7e]+$/);
        expect(new URL(location).hostname).toBe("fixed.example");
      }),
      { numRuns: 1000 },
    );
  });

  it("what the API takes as a URL compiles, but for a query in the host", () => {
    const piece = fc.constantFrom("#{host}", "#{port}", "#{path}", "/", "?", ":80", "a", ".b", "#{protocol}", "&x=");
    fc.assert(
      fc.property(
        fc.constantFrom("https", "http", "#{protocol}"),
        fc.array(piece, { minLength: 1 }),
        (scheme, pieces) => {
          const template = `${scheme}://${pieces.join("")}`;
          fc.pre(parseRedirectUrl(template).ok);
          const compiled = compileRedirectUrl(template);
          if (compiled.ok) expect(compiled.target(request(asked))).toMatch(/^https?:\/\/[^/?#]/);
          else expect(template).toMatch(/:\/\/[^/?]*#\{(path|protocol)\}/);
        },
      ),
    );
  });
});
