import { ByteSink } from "./byte-sink.ts";
import { HeaderEdits } from "./header-edits.ts";
import { skipField } from "./headers.ts";
import { encodeText } from "./http1-bytes.ts";
import { isNominated } from "./http1-framing.ts";
import type { ResponseHead } from "./http1-head.ts";
import { HeaderName, HOP_BY_HOP } from "./http1-names.ts";

/** What happens to a response's head on its way to the client. */
export interface ResponseRewrite {
  /** What `Connection` says; `implied` = nothing, which in HTTP/1.1 keeps the connection. */
  readonly connection: "implied" | "close" | "keep-alive" | "upgrade";
  /**
   * How the body goes out: as it came; chunked where it came without a length; or without framing, up to the
   * connection's end, for an HTTP/1.0 client that cannot read chunks.
   */
  readonly body: "as-is" | "chunked" | "unframed";
  /** The line of {@link hstsLine}. */
  readonly hsts: Uint8Array | undefined;
  readonly edits: HeaderEdits;
  /** Further whole lines, each with its CR LF (such as a session's Set-Cookie); empty for none. */
  readonly lines: Uint8Array;
}

const CRLF = encodeText("\r\n");
const VERSION = encodeText("HTTP/1.1 ");
const CHUNKED = encodeText("Transfer-Encoding: chunked\r\n");
const CONNECTION: Readonly<Record<ResponseRewrite["connection"], Uint8Array>> = {
  implied: encodeText(""),
  close: encodeText("Connection: close\r\n"),
  "keep-alive": encodeText("Connection: keep-alive\r\n"),
  upgrade: encodeText("Connection: upgrade\r\nUpgrade: websocket\r\n"),
};
/** More than the fixed lines above have together. */
const FIXED_BYTES = 128;
const STATUS_DIGITS = 3;
/** Offset of the status code in a status line. */
const CODE_AT = VERSION.length;

const sink = new ByteSink();

/**
 * The whole Strict-Transport-Security line (RFC 6797 §6.1), which replaces a backend's.
 * @param maxAgeS seconds for which browsers insist on TLS.
 */
export const hstsLine = (maxAgeS: number): Uint8Array =>
  encodeText(`Strict-Transport-Security: max-age=${maxAgeS}\r\n`);

/** Most bytes that {@link writeResponseHead} may write. */
export const responseHeadBound = (head: ResponseHead, { hsts, edits, lines }: ResponseRewrite): number =>
  head.end - head.line.start + (hsts?.length ?? 0) + edits.lines.length + lines.length + FIXED_BYTES;

/**
 * Writes the head of a parsed response as the client gets it: HTTP/1.1, no hop-by-hop header. Interim responses (1xx) get
 * nothing added but what an upgrade needs.
 * @returns the offset after the head; -1 when `out` has not {@link responseHeadBound} bytes left.
 */
export function writeResponseHead(head: ResponseHead, rewrite: ResponseRewrite, out: Uint8Array, at: number): number {
  if (responseHeadBound(head, rewrite) > out.length - at) return -1;
  const { line } = head;
  const isInterim = line.status < 200;
  const edits = isInterim ? HeaderEdits.none : rewrite.edits;
  const hsts = isInterim || edits.touches(HeaderName.STRICT_TRANSPORT_SECURITY) ? undefined : rewrite.hsts;
  sink.open(out, at);
  copyHead(head, edits, { dropsHsts: hsts !== undefined, dropsFraming: dropsFraming(head, rewrite.body) });
  if (rewrite.body === "chunked" && mayHaveBody(line.status)) sink.put(CHUNKED);
  if (!isInterim || rewrite.connection === "upgrade") sink.put(CONNECTION[rewrite.connection]);
  if (hsts !== undefined) sink.put(hsts);
  if (!isInterim) {
    sink.put(edits.lines);
    sink.put(rewrite.lines);
  }
  sink.put(CRLF);
  return sink.at;
}

const mayHaveBody = (status: number): boolean => status >= 200 && status !== 204;

/** Headers that say where the body ends must go where there is none (RFC 9110 §8.6) and where it goes out otherwise. */
const dropsFraming = ({ line }: ResponseHead, body: ResponseRewrite["body"]): "both" | "coding" | "none" => {
  if (!mayHaveBody(line.status)) return "both";
  if (body === "chunked") return "both";
  return body === "unframed" ? "coding" : "none";
};

interface Dropped {
  readonly dropsHsts: boolean;
  readonly dropsFraming: "both" | "coding" | "none";
}

function copyHead(head: ResponseHead, edits: HeaderEdits, dropped: Dropped): void {
  const { bytes, fields } = head;
  const { nominates } = head.framing;
  let run = statusLineStart(head);
  for (let i = 0; i < fields.count; i++) {
    const id = fields.nameId(i);
    const isDropped =
      HOP_BY_HOP[id] === 1 ||
      (dropped.dropsFraming !== "none" && id === HeaderName.TRANSFER_ENCODING) ||
      (dropped.dropsFraming === "both" && id === HeaderName.CONTENT_LENGTH) ||
      (dropped.dropsHsts && id === HeaderName.STRICT_TRANSPORT_SECURITY) ||
      (!edits.isEmpty && edits.replaces(id, bytes, fields.nameStart(i), fields.nameEnd(i))) ||
      (nominates && isNominated(bytes, fields, fields.nameStart(i), fields.nameEnd(i)));
    if (isDropped) run = skipField(sink, head, run, i);
  }
  sink.copy(bytes, run, head.end - 2);
}

/** Answers where the verbatim run starts, having written the status line if it cannot go out as it came. */
function statusLineStart({ bytes, line }: ResponseHead): number {
  const code = line.start + CODE_AT;
  const hasSpace = line.reasonStart > code + STATUS_DIGITS;
  if (line.minorVersion === 1 && hasSpace) return line.start;
  sink.put(VERSION);
  sink.copy(bytes, code, code + STATUS_DIGITS);
  sink.putByte(0x20);
  sink.copy(bytes, line.reasonStart, line.reasonEnd);
  sink.put(CRLF);
  return line.end;
}
