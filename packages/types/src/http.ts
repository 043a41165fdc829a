import { fail, ok, type ParseResult, show } from "./result.ts";

/** Names of headers, cookies and methods: a token, RFC 9110 §5.6.2. */
export const HTTP_TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What may stand in a header's value: no CR, LF, NUL or other control but tab (RFC 9110 §5.5). */
export const HEADER_VALUE = /^[^\p{Cc}]*(\t[^\p{Cc}]*)*$/u;

/** Inclusive ranges of status codes. */
export type StatusCodes = readonly (readonly [first: number, last: number])[];

/** Longest text that the parsers below read; longer ones are refused before they are looked at. */
const MAX_LENGTH = 2048;

const tooLong = (text: string): ParseResult<never> =>
  fail(`must have at most ${MAX_LENGTH} characters, not ${text.length}`);

/** Reads `200`, `200,204` or `200-299`, and lists that mix them. */
export function parseStatusCodes(text: string): ParseResult<StatusCodes> {
  if (text.length > MAX_LENGTH) return tooLong(text);
  const ranges = text.split(",").map((part) => /^(\d{3})(?:-(\d{3}))?$/.exec(part.trim()));
  const codes = ranges.map((match) => [Number(match?.[1]), Number(match?.[2] ?? match?.[1])] as const);
  const valid = codes.every(([first, last]) => first >= 100 && first <= last && last <= 599);
  return valid ? ok(codes) : fail(`must be status codes such as 200, 200,204 or 200-299, not ${show(text)}`);
}

/** Whether one of the ranges holds the code. */
export const statusCodeMatches = (codes: StatusCodes, code: number): boolean =>
  codes.some(([first, last]) => first <= code && code <= last);

/** Status codes of redirects; 307 and 308 keep the method. */
export const redirectCodes = [301, 302, 303, 307, 308] as const;

/** Placeholders in the URLs of redirects, replaced by the request's own parts. */
export const redirectPlaceholders = ["protocol", "host", "port", "path", "query"] as const;

const SAMPLE = { protocol: "https", host: "example.com", port: "443", path: "path", query: "query" } as const;

/** Reads an absolute http or https URL in which placeholders such as `#{host}` may stand; the text stays as it is. */
export function parseRedirectUrl(text: string): ParseResult<string> {
  if (text.length > MAX_LENGTH) return tooLong(text);
  const unknown = /#\{(?!(?:protocol|host|port|path|query)\})([^}]*)\}?/.exec(text);
  if (unknown !== null) {
    const known = redirectPlaceholders.map((name) => `#{${name}}`).join(", ");
    return fail(`has the unknown placeholder ${unknown[0]}; known are ${known}`);
  }
  const filled = text.replace(/#\{(\w+)\}/g, (_, name: keyof typeof SAMPLE) => SAMPLE[name]);
  const wellFormed = /^https?:\/\/[^/?#]/i.test(filled) && !/[\s\p{Cc}\\]/u.test(filled) && URL.canParse(filled);
  return wellFormed ? ok(text) : fail(`must be an absolute http or https URL, not ${show(text)}`);
}
