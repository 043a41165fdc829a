import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { parseRedirectUrl, parseStatusCodes, statusCodeMatches } from "../src/index.ts";

const matching = (text: string): ((code: number) => boolean) => {
  const result = parseStatusCodes(text);
  if (!result.ok) throw new Error(result.error);
  return (code) => statusCodeMatches(result.value, code);
};

describe("parseStatusCodes", () => {
  it.each([
    ["200", [200]],
    ["200,204", [200, 204]],
    ["200, 204", [200, 204]],
    ["200-202", [200, 201, 202]],
    ["200-201,404", [200, 201, 404]],
  ])("%s matches just %j", (text, codes) => {
    const all = Array.from({ length: 600 }, (_, code) => code);
    expect(all.filter(matching(text))).toEqual(codes);
  });

  it.each(["", "20", "2000", "200-", "-200", "299-200", "099", "600", "200;204", "200,", "2xx", "200-299-300"])(
    "refuses %j",
    (text) => {
      expect(parseStatusCodes(text).ok).toBe(false);
    },
  );

  it("never throws", () => {
    fc.assert(fc.property(fc.string(), (text) => typeof parseStatusCodes(text).ok === "boolean"));
  });
});

describe("parseRedirectUrl", () => {
  it.each([
    "https://example.com",
    "http://example.com:8080/a?b=c#d",
    "https://#{host}/#{path}?#{query}",
    "#{protocol}://#{host}:#{port}/#{path}",
    "https://[2001:db8::1]/",
  ])("accepts %s and keeps it as it is", (text) => {
    expect(parseRedirectUrl(text)).toEqual({ ok: true, value: text });
  });

  it.each([
    "",
    "/login",
    "//example.com",
    "ftp://example.com",
    "javascript:alert(1)",
    "https://",
    "https:///path",
    "https://exa mple.com",
    "https://example.com/\r\nset-cookie: a=b",
    "https://example.com\\@evil.test",
    "https://example.com:99999/",
  ])("refuses %j", (text) => {
    expect(parseRedirectUrl(text).ok).toBe(false);
  });

  it("refuses what is too long", () => {
    const error = "must have at most 2048 characters, not 2049";
    expect(parseRedirectUrl(`https://a.example/${"x".repeat(2031)}`)).toEqual({ ok: false, error });
    expect(parseStatusCodes("200,".repeat(512) + "2")).toEqual({ ok: false, error });
  });

  it("names a placeholder that it does not know", () => {
    expect(parseRedirectUrl("https://#{hots}/")).toEqual({
      ok: false,
      error: "has the unknown placeholder #{hots}; known are #{protocol}, #{host}, #{port}, #{path}, #{query}",
    });
  });
});
