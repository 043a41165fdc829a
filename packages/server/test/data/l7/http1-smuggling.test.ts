import { describe, expect, test } from "@jest/globals";

import { lines, parseRequest, parseResponse, request, seen } from "./http1-rig.ts";

const CHUNKED = "Transfer-Encoding: chunked";

/** Requests that servers are known to read in two ways, or that no server should read. */
const refused: readonly (readonly [what: string, text: string, error: string])[] = [
  ["CL.TE", request("Content-Length: 6", CHUNKED), "LENGTH_AND_CODING"],
  ["TE.CL", request(CHUNKED, "Content-Length: 6"), "LENGTH_AND_CODING"],
  ["CL.TE, invalid coding", request("Content-Length: 6", "Transfer-Encoding: x"), "LENGTH_AND_CODING"],
  ["CL.CL", request("Content-Length: 6", "Content-Length: 7"), "CONTENT_LENGTH_REPEATED"],
  ["CL.CL, equal", request("Content-Length: 6", "content-length: 6"), "CONTENT_LENGTH_REPEATED"],
  ["CL list, equal", request("Content-Length: 6, 6"), "CONTENT_LENGTH"],
  ["CL list", request("Content-Length: 6,7"), "CONTENT_LENGTH"],
  ["CL empty", request("Content-Length:"), "CONTENT_LENGTH"],
  ["CL signed", request("Content-Length: +6"), "CONTENT_LENGTH"],
  ["CL negative", request("Content-Length: -6"), "CONTENT_LENGTH"],
  ["CL hexadecimal", request("Content-Length: 0x6"), "CONTENT_LENGTH"],
  ["CL fraction", request("Content-Length: 6.0"), "CONTENT_LENGTH"],
  ["CL exponent", request("Content-Length: 1e3"), "CONTENT_LENGTH"],
  ["CL with a blank", request("Content-Length: 1 2"), "CONTENT_LENGTH"],
  ["CL with underscores", request("Content-Length: 1_000"), "CONTENT_LENGTH"],
  ["CL past 2^53", request("Content-Length: 9007199254740992"), "CONTENT_LENGTH"],
  ["CL past 2^64", request("Content-Length: 18446744073709551622"), "CONTENT_LENGTH"],
  ["TE.TE", request(CHUNKED, CHUNKED), "TRANSFER_ENCODING_REPEATED"],
  ["TE.TE, identity", request(CHUNKED, "Transfer-Encoding: identity"), "TRANSFER_ENCODING_REPEATED"],
  ["TE.TE, case", request(CHUNKED, "TRANSFER-ENCODING: x"), "TRANSFER_ENCODING_REPEATED"],
  ["TE chunked twice", request("Transfer-Encoding: chunked, chunked"), "TRANSFER_ENCODING_REPEATED"],
  ["TE chunked not last", request("Transfer-Encoding: chunked, gzip"), "TRANSFER_ENCODING"],
  ["TE identity", request("Transfer-Encoding: identity"), "TRANSFER_ENCODING"],
  ["TE xchunked", request("Transfer-Encoding: xchunked"), "TRANSFER_ENCODING"],
  ["TE chunked with parameter", request("Transfer-Encoding: chunked;q=1"), "TRANSFER_ENCODING"],
  ["TE quoted", request('Transfer-Encoding: "chunked"'), "TRANSFER_ENCODING"],
  ["TE empty", request("Transfer-Encoding:"), "TRANSFER_ENCODING"],
  ["TE with VT", request("Transfer-Encoding: \x0bchunked"), "HEADER_VALUE"],
  ["TE with a blank in the name", request("Transfer-Encoding : chunked"), "HEADER_BLANK"],
  ["TE with a tab in the name", request("Transfer-Encoding\t: chunked"), "HEADER_BLANK"],
  ["TE folded", request("Transfer-Encoding:", " chunked"), "OBS_FOLD"],
  ["TE with a comma behind", request("Transfer-Encoding: chunked,"), "TRANSFER_CODING"],
  ["TE gzip, chunked", request("Transfer-Encoding: gzip, chunked"), "TRANSFER_CODING"],
  ["TE in HTTP/1.0", lines("POST / HTTP/1.0", "Host: a", CHUNKED, ""), "TRANSFER_ENCODING_1_0"],
  ["obs-fold", request("X: a", " b"), "OBS_FOLD"],
  ["obs-fold by tab", request("X: a", "\tb"), "OBS_FOLD"],
  ["blank before the first header", lines("GET / HTTP/1.1", " Host: a", ""), "OBS_FOLD"],
  ["bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", "BARE_LF"],
  ["bare LF after a header", "GET / HTTP/1.1\r\nHost: a\n\r\n", "BARE_LF"],
  ["bare LF as the last line", "GET / HTTP/1.1\r\nHost: a\r\n\n", "BARE_LF"],
  ["bare LF in a value", request("X: a\nContent-Length: 6"), "BARE_LF"],
  ["bare LF in a name", request("X\nY: a"), "BARE_LF"],
  ["bare CR in a value", request("X: a\rContent-Length: 6"), "BARE_CR"],
  ["bare CR after the version", "GET / HTTP/1.1\rHost: a\r\n\r\n", "BARE_CR"],
  ["bare CR as the last line", "GET / HTTP/1.1\r\nHost: a\r\n\rX", "BARE_CR"],
  ["bare CR before the request", "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", "BARE_CR"],
  ["NUL in a value", request("X: a\0b"), "HEADER_VALUE"],
  ["NUL in a name", request("X\0: a"), "HEADER_NAME"],
  ["NUL behind Content-Length", request("Content-Length: 6\0"), "HEADER_VALUE"],
  ["VT before the colon", request("X\x0b: a"), "HEADER_NAME"],
  ["FF in a value", request("X: \x0c"), "HEADER_VALUE"],
  ["DEL in a value", request("X: \x7f"), "HEADER_VALUE"],
  ["DEL in a name", request("X\x7f: a"), "HEADER_NAME"],
  ["non-ASCII in a name", request("X\xe4: a"), "HEADER_NAME"],
  ["no name", request(": a"), "HEADER_NAME"],
  ["no colon", request("X"), "HEADER_COLON"],
  ["a bracket in a name", request("X(: a"), "HEADER_NAME"],
  ["Host twice", request("Host: b"), "HOST_REPEATED"],
  ["Host twice, one empty", request("Host:"), "HOST_REPEATED"],
  ["two hosts in one", lines("GET / HTTP/1.1", "Host: a, b", ""), "HOST"],
  ["Connection drops Content-Length", request("Connection: content-length", "Content-Length: 6"), "CONNECTION_NAMES"],
  ["Connection drops X-Forwarded-For", request("Connection: close, X-Forwarded-For"), "CONNECTION_NAMES"],
  ["Connection drops Authorization", request("Connection: Authorization"), "CONNECTION_NAMES"],
  ["Connection is no list", request("Connection: close; x"), "CONNECTION"],
  ["two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "START_LINE"],
  ["a tab before the target", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "METHOD"],
  ["a space behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "START_LINE"],
  ["a space before the method", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", "METHOD"],
  ["HTTP/0.9", "GET /\r\n\r\n", "TARGET"],
  ["lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", "START_LINE"],
  ["version of two digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", "START_LINE"],
  ["no method", "/ HTTP/1.1\r\nHost: a\r\n\r\n", "METHOD"],
  ["a TLS hello", "\x16\x03\x01\x02\x00\x01", "METHOD"],
  ["a response", "HTTP/1.1 200 OK\r\n\r\n", "METHOD"],
];

describe("ambiguous and broken requests are refused", () => {
  test.each(refused)("%s", (_, text, error) => {
    expect(parseRequest(text)).toEqual({ error, status: error === "TRANSFER_CODING" ? 501 : 400 });
  });

  test.each(refused)("%s, byte by byte", (_, text, error) => {
    const cuts = Array.from({ length: text.length }, (__, i) => i);
    expect(parseRequest(text, { cuts })).toMatchObject({ error });
  });

  test.each(["HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "HTTP/3.0"])("%s is 505", (version) => {
    expect(parseRequest(lines(`GET / ${version}`, "Host: a", ""))).toEqual({ error: "VERSION", status: 505 });
  });

  test("HTTP/2's preface is not taken for a request", () => {
    expect(parseRequest("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")).toMatchObject({ status: 400 });
  });
});

describe("unusual but unambiguous requests pass", () => {
  test.each([
    ["chunked in capitals", request("Transfer-Encoding: CHUNKED"), "chunked"],
    ["blanks around a value", request("Transfer-Encoding:\t chunked \t"), "chunked"],
    ["no blank before a value", request("Transfer-Encoding:chunked"), "chunked"],
    ["leading zeros", request("Content-Length: 0006"), "length"],
    ["2^53-1", request("Content-Length: 9007199254740991"), "length"],
    ["obs-text in a value", request("X: \xe4\xff"), "none"],
    ["a quoted line break is none", request('X: "\\r\\n"'), "none"],
    ["a colon in a value", request("X: a: b"), "none"],
    ["every token character", request("!#$%&'*+-.^_`|~09azAZ: x"), "none"],
  ])("%s", (_, text, body) => {
    expect(seen(parseRequest(text)).body).toBe(body);
  });
});

describe("broken responses are refused", () => {
  const response = (...headers: string[]): string => lines("HTTP/1.1 200 OK", ...headers, "");
  test.each([
    ["CL and TE", response("Content-Length: 6", CHUNKED), "LENGTH_AND_CODING"],
    ["CL.CL, equal", response("Content-Length: 6", "Content-Length: 6"), "CONTENT_LENGTH_REPEATED"],
    ["TE gzip", response("Transfer-Encoding: gzip"), "TRANSFER_ENCODING"],
    ["TE in HTTP/1.0", lines("HTTP/1.0 200 OK", CHUNKED, ""), "TRANSFER_ENCODING_1_0"],
    ["obs-fold", response("X: a", " b"), "OBS_FOLD"],
    ["bare LF", "HTTP/1.1 200 OK\n\r\n", "BARE_LF"],
    ["bare LF behind the code", "HTTP/1.1 200\n\r\n", "BARE_LF"],
    ["bare CR", "HTTP/1.1 200 OK\rX: y\r\n\r\n", "BARE_CR"],
    ["NUL in the reason", "HTTP/1.1 200 O\0K\r\n\r\n", "START_LINE"],
    ["code of two digits", "HTTP/1.1 20 OK\r\n\r\n", "START_LINE"],
    ["code of four digits", "HTTP/1.1 2000 OK\r\n\r\n", "START_LINE"],
    ["code below 100", "HTTP/1.1 099 OK\r\n\r\n", "START_LINE"],
    ["no code", "HTTP/1.1 OK\r\n\r\n", "START_LINE"],
    ["no space", "HTTP/1.1200 OK\r\n\r\n", "START_LINE"],
    ["HTTP/2", "HTTP/2.0 200 OK\r\n\r\n", "VERSION"],
    ["ICY", "ICY 200 OK\r\n\r\n", "START_LINE"],
    ["an empty line first", "\r\nHTTP/1.1 200 OK\r\n\r\n", "START_LINE"],
  ])("%s", (_, text, error) => {
    expect(parseResponse(text)).toMatchObject({ error });
  });
});
