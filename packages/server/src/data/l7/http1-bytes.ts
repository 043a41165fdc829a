// Which bytes may stand where in HTTP/1.1 (RFC 9110 §5.5, §5.6.2, RFC 9112 §3), as tables of 256 entries.

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const DQUOTE = 0x22;
export const ASTERISK = 0x2a;
export const COMMA = 0x2c;
export const DOT = 0x2e;
export const SLASH = 0x2f;
export const ZERO = 0x30;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
export const EQUALS = 0x3d;
export const QUESTION_MARK = 0x3f;
export const OPENING_BRACKET = 0x5b;
export const BACKSLASH = 0x5c;
export const CLOSING_BRACKET = 0x5d;

const bytes = (value: (byte: number, char: string) => number): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, byte) => value(byte, String.fromCharCode(byte)));

/** Lower case of each byte that may stand in a token, 0 of the others (RFC 9110 §5.6.2: tchar). */
export const TOKEN_LOWER = bytes((_, char) =>
  /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(char) ? char.toLowerCase().charCodeAt(0) : 0,
);
/** 1 for what may stand in a field's value: VCHAR, SP, HTAB and obs-text (RFC 9110 §5.5). */
export const FIELD_VALUE = bytes((byte) => Number(byte === HTAB || (byte >= SP && byte !== 0x7f)));
/**
 * 1 for what may stand in a request's target: visible ASCII but `#`, for a fragment is never sent. Wider than RFC 3986,
 * because browsers send `|`, `^`, `{` and the like as they are.
 */
export const TARGET = bytes((byte, char) => Number(byte > SP && byte < 0x7f && char !== "#"));
/** {@link TARGET} up to the query. */
export const TARGET_PATH = bytes((byte) => Number(TARGET[byte] === 1 && byte !== QUESTION_MARK));
/** 1 for what a host name or an IPv4 address may hold: unreserved characters (RFC 3986 §2.3); no escapes, no `,`. */
export const HOST_NAME = bytes((_, char) => Number(/[A-Za-z0-9._~-]/.test(char)));
/** Value of each hexadecimal digit, 255 for the other bytes. */
export const HEX_VALUE = bytes((_, char) => (/[0-9A-Fa-f]/.test(char) ? Number.parseInt(char, 16) : 255));

/** Whether the byte is a decimal digit. */
export const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
/** Whether the byte is optional white space (RFC 9110 §5.6.3: OWS). */
export const isBlank = (byte: number): boolean => byte === SP || byte === HTAB;

const encoder = new TextEncoder();

/** UTF-8 of the text; for what is compiled once, not for what happens once a request. */
export const encodeText = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text);

/** The bytes as a string of one character each (ISO 8859-1). */
export const latin1Text = (view: Uint8Array, start: number, end: number): string =>
  // A view of any kind will do: latin1Slice is native and copies nothing but the result.
  Buffer.prototype.latin1Slice.call(view, start, end);

/** Whether the bytes are the lower-case word, whatever their case. */
export function equalsLower(view: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) {
    if (TOKEN_LOWER[view[start + i] as number] !== word[i]) return false;
  }
  return true;
}
