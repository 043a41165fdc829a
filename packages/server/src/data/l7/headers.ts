// Heads as they leave: what is passed on is copied in runs, what ends here is left out, what we add follows. Via is not
// added (RFC 9110 §7.6.3 allows a reverse proxy to speak as the origin): it names the software, and some backends switch
// compression off when they see it.
import type { ForwardedHeaders } from "@fiberlb/types";

import { ByteSink } from "./byte-sink.ts";
import { isClientCertificateName, writeClientCertificate } from "./client-certificate.ts";
import { type ForwardedClient, isForwardedName, requestDrops, writeForwarded } from "./forwarded.ts";
import type { HeaderEdits } from "./header-edits.ts";
import { encodeText, SLASH, SP } from "./http1-bytes.ts";
import type { HeaderFields } from "./http1-fields.ts";
import { isNominated } from "./http1-framing.ts";
import type { RequestHead } from "./http1-head.ts";
import { HeaderName, Method } from "./http1-names.ts";

/** Part of a path that is replaced: the first `length` bytes by others. */
export interface PrefixRewrite {
  /** Bytes of the path that matched; at most the path's length. */
  readonly length: number;
  readonly replacement: Uint8Array;
}

/** What happens to a request's head on its way to a backend. */
export interface RequestRewrite {
  readonly forwarded: ForwardedHeaders;
  readonly client: ForwardedClient;
  /** Host of a request that names none (HTTP/1.0). */
  readonly fallbackHost: Uint8Array;
  /** Rules over the request's own host. */
  readonly host: Uint8Array | undefined;
  readonly prefix: PrefixRewrite | undefined;
  /** X-Request-Id of a request that brings none; undefined = none is added. */
  readonly requestId: Uint8Array | undefined;
  /** Passes `Upgrade: websocket` on. */
  readonly upgrade: boolean;
  readonly edits: HeaderEdits;
  /** Further whole lines, each with its CR LF; empty for none. */
  readonly lines: Uint8Array;
}

const CRLF = encodeText("\r\n");
const VERSION = encodeText(" HTTP/1.1\r\n");
const ROOT = encodeText("/");
const ASTERISK = encodeText("*");
const HOST = encodeText("Host: ");
const REQUEST_ID = encodeText("X-Request-Id: ");
const UPGRADE = encodeText("Connection: upgrade\r\nUpgrade: websocket\r\n");
const TRAILERS = encodeText("TE: trailers\r\nConnection: TE\r\n");
/** More than the names, separators and fixed lines above and in forwarded.ts have together. */
const FIXED_BYTES = 384;

const sink = new ByteSink();

/** Most bytes that {@link writeRequestHead} may write. */
export function requestHeadBound(head: RequestHead, rewrite: RequestRewrite): number {
  const { client, fallbackHost, host, prefix, requestId, edits, lines } = rewrite;
  const added =
    client.lines.length + client.certificateBytes + client.element.length + edits.lines.length + lines.length;
  const replaced = (host ?? fallbackHost).length + (prefix?.replacement.length ?? 0) + (requestId?.length ?? 0);
  // The host may stand in Forwarded once more.
  const again = head.authorityEnd - head.hostStart;
  return head.end - head.line.start + 2 * again + added + replaced + FIXED_BYTES;
}

/**
 * Writes the head of a parsed request as a backend gets it: HTTP/1.1, origin form, one Host, no hop-by-hop header.
 * @returns the offset after the head; -1 when `out` has not {@link requestHeadBound} bytes left.
 */
export function writeRequestHead(head: RequestHead, rewrite: RequestRewrite, out: Uint8Array, at: number): number {
  if (requestHeadBound(head, rewrite) > out.length - at) return -1;
  const { bytes, line } = head;
  const { edits } = rewrite;
  sink.open(out, at);
  const isVerbatim = line.form === "origin" && line.minorVersion === 1 && rewrite.prefix === undefined;
  const needsHost = rewrite.host !== undefined || line.form === "absolute" || !head.fields.has(HeaderName.HOST);
  if (!isVerbatim) writeRequestLine(head, rewrite.prefix);
  else if (needsHost) sink.copy(bytes, line.start, line.end);
  if (needsHost) writeHost(head, rewrite);
  copyRequestFields(head, rewrite, { from: isVerbatim && !needsHost ? line.start : line.end, dropHost: needsHost });
  if (rewrite.forwarded === "APPEND") writeForwarded(sink, head, rewrite.client, edits);
  if (rewrite.client.certificateBytes > 0) writeClientCertificate(sink, rewrite.client.certificateLines, edits);
  const { requestId } = rewrite;
  if (requestId !== undefined && !head.fields.has(HeaderName.X_REQUEST_ID) && !edits.touches(HeaderName.X_REQUEST_ID)) {
    sink.put(REQUEST_ID);
    sink.put(requestId);
    sink.put(CRLF);
  }
  if (rewrite.upgrade && head.upgradesToWebSocket) sink.put(UPGRADE);
  else if (head.acceptsTrailers) sink.put(TRAILERS);
  sink.put(edits.lines);
  sink.put(rewrite.lines);
  sink.put(CRLF);
  return sink.at;
}

/** Method, target in origin form (RFC 9112 §3.2.1) and our version. */
function writeRequestLine({ bytes, line }: RequestHead, prefix: PrefixRewrite | undefined): void {
  sink.copy(bytes, line.start, line.methodEnd);
  sink.putByte(SP);
  if (line.form === "asterisk" || line.form === "authority") sink.copy(bytes, line.targetStart, line.targetEnd);
  else if (prefix !== undefined) writeRewrittenPath(bytes, line.pathStart, line.targetEnd, prefix);
  else if (line.pathStart < line.targetEnd) writePath(bytes, line.pathStart, line.targetEnd);
  else sink.put(line.method === Method.OPTIONS ? ASTERISK : ROOT);
  sink.put(VERSION);
}

/** Path and query; an absolute URL may have a query and no path. */
function writePath(bytes: Uint8Array, start: number, end: number): void {
  if (bytes[start] !== SLASH) sink.put(ROOT);
  sink.copy(bytes, start, end);
}

function writeRewrittenPath(bytes: Uint8Array, start: number, end: number, prefix: PrefixRewrite): void {
  const { length, replacement } = prefix;
  const rest = start + length;
  if ((replacement.length > 0 ? replacement[0] : bytes[rest]) !== SLASH) sink.put(ROOT);
  sink.put(replacement);
  sink.copy(bytes, rest, end);
}

function writeHost(head: RequestHead, { host, fallbackHost }: RequestRewrite): void {
  sink.put(HOST);
  if (host !== undefined) sink.put(host);
  else if (head.authorityEnd === head.hostStart) sink.put(fallbackHost);
  else sink.copy(head.bytes, head.hostStart, head.authorityEnd);
  sink.put(CRLF);
}

function copyRequestFields(
  head: RequestHead,
  { forwarded, edits }: RequestRewrite,
  { from, dropHost }: { from: number; dropHost: boolean },
): void {
  const { bytes, fields } = head;
  const drops = requestDrops[forwarded];
  const { nominates } = head.framing;
  const dropsForwarded = forwarded === "REMOVE";
  let run = from;
  for (let i = 0; i < fields.count; i++) {
    const id = fields.nameId(i);
    const isOther = id === HeaderName.OTHER;
    const isDropped =
      drops[id] === 1 ||
      (dropHost && id === HeaderName.HOST) ||
      (!edits.isEmpty && edits.replaces(id, bytes, fields.nameStart(i), fields.nameEnd(i))) ||
      (isOther && dropsForwarded && isForwardedName(bytes, fields.nameStart(i), fields.nameEnd(i))) ||
      (isOther && isClientCertificateName(bytes, fields.nameStart(i), fields.nameEnd(i))) ||
      (nominates && isNominated(bytes, fields, fields.nameStart(i), fields.nameEnd(i)));
    if (isDropped) run = skipField(sink, head, run, i);
  }
  sink.copy(bytes, run, head.end - 2);
}

/** What both heads have: enough to copy their lines. */
export interface CopiedHead {
  readonly bytes: Uint8Array;
  readonly fields: HeaderFields;
  /** Offset after the empty line. */
  readonly end: number;
}

/** Copies the run of lines before a header and answers where the next run starts. */
export function skipField(to: ByteSink, head: CopiedHead, run: number, index: number): number {
  const { bytes, fields } = head;
  to.copy(bytes, run, fields.nameStart(index));
  return index + 1 < fields.count ? fields.nameStart(index + 1) : head.end - 2;
}
