import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { isAmbiguousPath, rewritePath } from "../../../src/data/l7/path.ts";

describe("isAmbiguousPath", () => {
  it.each([
    "/a%00",
    "/a%2fb",
    "/a%2Fb",
    "/a%5Cb",
    "/a%5cb",
    "/a\\b",
    "/.",
    "/..",
    "/./a",
    "/a/../b",
    "/a/..",
    "/%2e",
    "/%2E%2e/a",
    "/.%2e/a",
    "/a/%2e./b",
    "/..;/admin",
    "/a/..;x=1/admin",
    "/a/..%3bx/admin",
  ])("refuses %s", (path) => expect(isAmbiguousPath(path)).toBe(true));

  it.each([
    "/",
    "*",
    "/a/b",
    "/a.b",
    "/.well-known/x",
    "/...",
    "/a..",
    "/a/..b",
    "/%2ea",
    "/%20",
    "/%252f",
    "/a;b",
    "/%2e%2e%2e",
  ])("accepts %s", (path) => expect(isAmbiguousPath(path)).toBe(false));

  it("refuses whatever means another path once it is decoded", () => {
    const piece = fc.constantFrom("/", "a", ".", "%2e", "%2F", "\\", "%5c", "%41", "%00");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const path = `/${pieces.join("")}`;
        const decoded = decodeURIComponent(path);
        const slashes = (text: string): number => text.split(/[/\\]/).length;
        const changes =
          slashes(decoded) !== path.split("/").length ||
          decoded.includes("\0") ||
          decoded.split("/").some((segment) => segment === "." || segment === "..");
        if (changes) expect(isAmbiguousPath(path)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("rewritePath", () => {
  it.each([
    ["/api/x", "/api", "/v2", "/v2/x"],
    ["/api", "/api", "/v2", "/v2"],
    ["/apix", "/api", "/v2", "/v2x"],
    ["/api/x", "/api", "/", "/x"],
    ["/api", "/api", "/", "/"],
    ["/api/x", "/api/", "/", "/x"],
    ["/api/x", "/api/", "/v2", "/v2/x"],
    ["/api/x", "/api/", "/v2/", "/v2/x"],
    ["/api/", "/api/", "/v2", "/v2"],
    ["/api/%41", "/api", "/v2", "/v2/%41"],
  ])("makes of %s, %s → %s: %s", (path, from, to, expected) => {
    expect(rewritePath(path, { from, to })).toBe(expected);
  });
});
