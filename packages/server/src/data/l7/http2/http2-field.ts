import { encodeText, FIELD_VALUE, isBlank, TOKEN_LOWER } from "../http1-bytes.ts";
import { findHeaderName, HEADER_NAME_COUNT, HeaderName } from "../http1-names.ts";
import type { ByteSlice } from "./hpack-decoder.ts";

/** What a field of a header block is to a request. */
export const FieldKind = {
  PLAIN: 0,
  METHOD: 1,
  SCHEME: 2,
  AUTHORITY: 3,
  PATH: 4,
  HOST: 5,
  COOKIE: 6,
  CONTENT_LENGTH: 7,
  /** Nothing that a request may carry (RFC 9113 §8.2, §8.3). */
  MALFORMED: 8,
} as const;
/** One of {@link FieldKind}. */
export type FieldKindId = (typeof FieldKind)[keyof typeof FieldKind];

const COLON = 0x3a;
const TRAILERS = encodeText("trailers");

const pseudoNames = [
  [encodeText(":method"), FieldKind.METHOD],
  [encodeText(":scheme"), FieldKind.SCHEME],
  [encodeText(":authority"), FieldKind.AUTHORITY],
  [encodeText(":path"), FieldKind.PATH],
] as const;

const kinds = new Uint8Array(HEADER_NAME_COUNT);
kinds[HeaderName.HOST] = FieldKind.HOST;
kinds[HeaderName.COOKIE] = FieldKind.COOKIE;
kinds[HeaderName.CONTENT_LENGTH] = FieldKind.CONTENT_LENGTH;
// Of HTTP/1 connections only (RFC 9113 §8.2.2).
for (const id of [
  HeaderName.CONNECTION,
  HeaderName.KEEP_ALIVE,
  HeaderName.PROXY_CONNECTION,
  HeaderName.TRANSFER_ENCODING,
  HeaderName.UPGRADE,
]) {
  kinds[id] = FieldKind.MALFORMED;
}

/** Whether the bytes are the word. */
export function isWord({ bytes, start, end }: ByteSlice, word: Uint8Array): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word[i]) return false;
  return true;
}

/**
 * Judges a field by its name and value. What passes can be written into an HTTP/1 head and be nothing but that one field
 * there: a token in lower case, and a value without control characters and without white space around it.
 */
export function fieldKindOf(name: ByteSlice, value: ByteSlice): FieldKindId {
  if (name.bytes[name.start] === COLON) return isValue(value) ? pseudoKindOf(name) : FieldKind.MALFORMED;
  if (!isLowerToken(name) || !isValue(value)) return FieldKind.MALFORMED;
  const id = findHeaderName(name.bytes, name.start, name.end);
  if (id === HeaderName.TE) return isWord(value, TRAILERS) ? FieldKind.PLAIN : FieldKind.MALFORMED;
  return kinds[id] as FieldKindId;
}

function pseudoKindOf(name: ByteSlice): FieldKindId {
  for (const [word, kind] of pseudoNames) if (isWord(name, word)) return kind;
  return FieldKind.MALFORMED;
}

function isLowerToken({ bytes, start, end }: ByteSlice): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === 0 || TOKEN_LOWER[byte] !== byte) return false;
  }
  return end > start;
}

function isValue({ bytes, start, end }: ByteSlice): boolean {
  for (let at = start; at < end; at++) if (FIELD_VALUE[bytes[at] as number] !== 1) return false;
  return end === start || !(isBlank(bytes[start] as number) || isBlank(bytes[end - 1] as number));
}
