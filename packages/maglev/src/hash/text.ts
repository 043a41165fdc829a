const encoder = new TextEncoder();
const INITIAL_CAPACITY = 256;
let scratch = new Uint8Array(INITIAL_CAPACITY);

/**
 * UTF-8 of `text` in a buffer that the next call overwrites: for hashing at once, never for keeping.
 * Names are short and nearly always ASCII, where a loop beats `TextEncoder` by its call overhead.
 */
export function scratchUtf8(text: string): Uint8Array {
  if (scratch.length < text.length * 3) scratch = new Uint8Array(text.length * 3);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
    scratch[i] = unit;
  }
  return scratch.subarray(0, text.length);
}

/** What every hash here accepts: bytes, or text that is hashed as UTF-8. */
export type HashInput = Uint8Array | string;

/** The bytes of `input`; those of a string live until the next call. */
export function bytesOf(input: HashInput): Uint8Array {
  return typeof input === "string" ? scratchUtf8(input) : input;
}
