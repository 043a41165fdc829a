import { latin1Text } from "../../../src/data/l7/http1-bytes.ts";
import type { HeaderFields } from "../../../src/data/l7/http1-fields.ts";
import { type HeadLimits, RequestHead, ResponseHead } from "../../../src/data/l7/http1-head.ts";

/** The listener's defaults. */
export const LIMITS: HeadLimits = { maxUriBytes: 16_384, maxHeaderBytes: 65_536, maxHeaderCount: 128 };

/** One byte a character. */
export const raw = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

/** Lines, each with its CR LF. */
export const lines = (...parts: readonly string[]): string => parts.map((part) => `${part}\r\n`).join("");

/** A request with a Host, and these further header lines. */
export const request = (...headers: readonly string[]): string =>
  lines("GET / HTTP/1.1", "Host: example.com", ...headers, "");

/** A parsed head as plain values, for comparison. */
export interface SeenRequest {
  readonly method: string;
  readonly target: string;
  readonly minorVersion: number;
  readonly host: string;
  readonly path: string;
  readonly query: string;
  readonly form: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly contentLength: number;
  readonly isPersistent: boolean;
  /** Length of the head. */
  readonly length: number;
}

/** The same for a response. */
export interface SeenResponse {
  readonly status: number;
  readonly reason: string;
  readonly minorVersion: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
  readonly contentLength: number;
  readonly length: number;
}

/** What came of parsing: the head, the code of an error, or nothing yet. */
export type Outcome<Seen> =
  | { readonly seen: Seen }
  | { readonly error: string; readonly status: number }
  | "incomplete";

function headersOf(bytes: Uint8Array, fields: HeaderFields): [string, string][] {
  return Array.from({ length: fields.count }, (_, i) => [
    latin1Text(bytes, fields.nameStart(i), fields.nameEnd(i)),
    latin1Text(bytes, fields.valueStart(i), fields.valueEnd(i)),
  ]);
}

export function seeRequest(head: RequestHead, start: number): SeenRequest {
  const { bytes, line } = head;
  return {
    method: latin1Text(bytes, line.start, line.methodEnd),
    target: latin1Text(bytes, line.targetStart, line.targetEnd),
    minorVersion: line.minorVersion,
    host: latin1Text(bytes, head.hostStart, head.authorityEnd),
    path: latin1Text(bytes, line.pathStart, line.pathEnd),
    query: latin1Text(bytes, line.queryStart, line.targetEnd),
    form: line.form,
    headers: headersOf(bytes, head.fields),
    body: head.body,
    contentLength: head.framing.contentLength,
    isPersistent: head.isPersistent,
    length: head.end - start,
  };
}

export function seeResponse(head: ResponseHead, start: number): SeenResponse {
  const { bytes, line } = head;
  return {
    status: line.status,
    reason: latin1Text(bytes, line.reasonStart, line.reasonEnd),
    minorVersion: line.minorVersion,
    headers: headersOf(bytes, head.fields),
    body: head.framing.declared,
    contentLength: head.framing.contentLength,
    length: head.end - start,
  };
}

interface Parser {
  parse(bytes: Uint8Array, start: number, end: number): "incomplete" | "complete" | "failed";
  readonly error: { readonly code: string; readonly status: number } | undefined;
}

/**
 * Parses the bytes as they would come in pieces that end at `cuts`. Each call gets a copy elsewhere of all bytes so far,
 * at another offset, so that nothing can rely on where they lay.
 */
function parseInPieces<Head extends Parser, Seen>(
  head: Head,
  bytes: Uint8Array,
  { cuts, see }: { cuts: readonly number[]; see: (head: Head, start: number) => Seen },
): Outcome<Seen> {
  const ends = [...new Set([...cuts.filter((cut) => cut < bytes.length), bytes.length])].toSorted((a, b) => a - b);
  for (const [i, end] of ends.entries()) {
    const start = (i * 7) % 23;
    // Behind what has come lies something that must not be read.
    const view = new Uint8Array(start + end + 8).fill(0x41);
    view.set(bytes.subarray(0, end), start);
    const state = head.parse(view, start, start + end);
    if (state === "complete") return { seen: see(head, start) };
    if (state === "failed") return { error: head.error?.code ?? "none", status: head.error?.status ?? 0 };
  }
  return "incomplete";
}

export const parseRequest = (
  text: string | Uint8Array,
  { limits = LIMITS, cuts = [] }: { limits?: HeadLimits; cuts?: readonly number[] } = {},
): Outcome<SeenRequest> =>
  parseInPieces(new RequestHead(limits), typeof text === "string" ? raw(text) : text, { cuts, see: seeRequest });

export const parseResponse = (
  text: string | Uint8Array,
  { limits = LIMITS, cuts = [] }: { limits?: HeadLimits; cuts?: readonly number[] } = {},
): Outcome<SeenResponse> =>
  parseInPieces(new ResponseHead(limits), typeof text === "string" ? raw(text) : text, { cuts, see: seeResponse });

/** The head of a request that must be fine. */
export function seen<Seen>(outcome: Outcome<Seen>): Seen {
  if (outcome === "incomplete" || "error" in outcome) throw new Error(`not parsed: ${JSON.stringify(outcome)}`);
  return outcome.seen;
}

/** A whole parsed request head, for what works on heads. */
export function requestHead(text: string): RequestHead {
  const head = new RequestHead(LIMITS);
  const bytes = raw(text);
  const state = head.parse(bytes, 0, bytes.length);
  if (state !== "complete") throw new Error(`${state}: ${head.error?.reason}`);
  return head;
}

/** A whole parsed response head. */
export function responseHead(text: string): ResponseHead {
  const head = new ResponseHead(LIMITS);
  const bytes = raw(text);
  const state = head.parse(bytes, 0, bytes.length);
  if (state !== "complete") throw new Error(`${state}: ${head.error?.reason}`);
  return head;
}
