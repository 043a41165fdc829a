import { HeaderEdits } from "./header-edits.ts";
import type { BodyScan } from "./http1-body.ts";
import { CHUNK_END, LAST_CHUNK, MAX_CHUNK_SIZE_BYTES, writeChunkSize } from "./http1-chunk-writer.ts";
import type { ResponseHead } from "./http1-head.ts";
import type { ByteRanges } from "./http1-ranges.ts";
import { responseHeadBound, type ResponseRewrite, writeResponseHead } from "./response-headers.ts";
import { scratch } from "./scratch.ts";

const NOTHING = new Uint8Array(0);
/** From this size on a body that comes with its head is worth not being copied. */
const LARGE_BYTES = 2048;

/** A {@link ResponseRewrite} that is filled in anew for each response, since they are written one at a time. */
class MutableRewrite implements ResponseRewrite {
  connection: ResponseRewrite["connection"] = "implied";
  body: ResponseRewrite["body"] = "as-is";
  hsts: Uint8Array | undefined;
  edits: HeaderEdits = HeaderEdits.none;
  lines: Uint8Array = NOTHING;
}

/** Filled in by whoever calls {@link writeResponse}. */
export const responseRewrite = new MutableRewrite();

/** How a body leaves; see {@link ResponseRewrite}. */
export type BodyMode = ResponseRewrite["body"];

/** Which bytes of what {@link BodyScan} has read go out. */
const rangesOf = (body: BodyScan, mode: BodyMode): ByteRanges => (mode === "as-is" ? body.forward : body.payload);

/**
 * The response's head after {@link responseRewrite}, and what came of its body with it. Holds until the next message is
 * written.
 * @param body what was read of the body; undefined when it has none.
 */
export function writeResponse(head: ResponseHead, body: BodyScan | undefined): Uint8Array {
  const mode = responseRewrite.body;
  if (body !== undefined && mode !== "chunked") {
    const written = writeInPlace(head, rangesOf(body, mode));
    if (written !== undefined) return written;
  }
  const out = scratch(responseHeadBound(head, responseRewrite) + (body === undefined ? 0 : bodyBound(body, mode)));
  let at = writeResponseHead(head, responseRewrite, out, 0);
  if (body !== undefined) at = putBody(head.bytes, body, { mode, out, at });
  responseRewrite.lines = NOTHING;
  return out.subarray(0, at);
}

/**
 * Puts the new head where the old one ended, so that a large body leaves with it and is not copied; undefined when there
 * is no such body, or the new head is longer than what stood before the body.
 */
function writeInPlace(head: ResponseHead, body: ByteRanges): Uint8Array | undefined {
  const start = body.start(0);
  const end = body.end(0);
  if (body.count !== 1 || end - start < LARGE_BYTES) return undefined;
  const out = scratch(responseHeadBound(head, responseRewrite));
  const length = writeResponseHead(head, responseRewrite, out, 0);
  if (length > start) return undefined;
  const { bytes } = head;
  bytes.set(out.subarray(0, length), start - length);
  responseRewrite.lines = NOTHING;
  return bytes.subarray(start - length, end);
}

/** The next part of a body, as it goes out. Holds until the next message is written. */
export function writeBody(bytes: Uint8Array, body: BodyScan, mode: BodyMode): Uint8Array {
  const ranges = rangesOf(body, mode);
  if (ranges.count === 0) return NOTHING;
  // Nearly always: a whole read that goes on as it is, without a copy.
  if (ranges.count === 1 && mode !== "chunked") return bytes.subarray(ranges.start(0), ranges.end(0));
  const out = scratch(bodyBound(body, mode));
  return out.subarray(0, putBody(bytes, body, { mode, out, at: 0 }));
}

/** What ends a body that was read to its end only now. */
export const bodyEnd = (mode: BodyMode): Uint8Array => (mode === "chunked" ? LAST_CHUNK : NOTHING);

function bodyBound(body: BodyScan, mode: BodyMode): number {
  const ranges = rangesOf(body, mode);
  let bytes = 0;
  for (let i = 0; i < ranges.count; i++) {
    bytes += ranges.end(i) - ranges.start(i) + MAX_CHUNK_SIZE_BYTES + CHUNK_END.length;
  }
  return bytes;
}

function putBody(
  bytes: Uint8Array,
  body: BodyScan,
  { mode, out, at: start }: { readonly mode: BodyMode; readonly out: Uint8Array; readonly at: number },
): number {
  const ranges = rangesOf(body, mode);
  let at = start;
  for (let i = 0; i < ranges.count; i++) {
    const size = ranges.end(i) - ranges.start(i);
    if (mode === "chunked") at = writeChunkSize(size, out, at);
    out.set(bytes.subarray(ranges.start(i), ranges.end(i)), at);
    at += size;
    if (mode === "chunked") {
      out.set(CHUNK_END, at);
      at += CHUNK_END.length;
    }
  }
  return at;
}
