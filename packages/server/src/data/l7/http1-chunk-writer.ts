import { CR, encodeText, LF } from "./http1-bytes.ts";

/** What ends a chunk's data. */
export const CHUNK_END: Uint8Array = encodeText("\r\n");
/** What ends a chunked body without trailers. */
export const LAST_CHUNK: Uint8Array = encodeText("0\r\n\r\n");
/** Most bytes that {@link writeChunkSize} writes: 14 digits of 2^53-1 and CR LF. */
export const MAX_CHUNK_SIZE_BYTES = 16;

const HEX = encodeText("0123456789abcdef");

/**
 * Writes the line before a chunk's data (RFC 9112 §7.1); {@link CHUNK_END} follows the data.
 * @param size bytes of data, at least 1: a chunk of 0 bytes would end the body.
 * @returns the offset after it.
 */
export function writeChunkSize(size: number, out: Uint8Array, at: number): number {
  let digits = 1;
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 16)) digits++;
  let rest = size;
  for (let i = at + digits - 1; i >= at; i--) {
    out[i] = HEX[rest % 16] as number;
    rest = Math.floor(rest / 16);
  }
  out[at + digits] = CR;
  out[at + digits + 1] = LF;
  return at + digits + 2;
}
