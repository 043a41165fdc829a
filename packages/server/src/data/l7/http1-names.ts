import { encodeText, TOKEN_LOWER } from "./http1-bytes.ts";

/** Header names that the data path knows by number; any other is `OTHER`. */
export const HeaderName = {
  OTHER: 0,
  HOST: 1,
  CONTENT_LENGTH: 2,
  TRANSFER_ENCODING: 3,
  CONNECTION: 4,
  UPGRADE: 5,
  EXPECT: 6,
  TE: 7,
  TRAILER: 8,
  KEEP_ALIVE: 9,
  PROXY_CONNECTION: 10,
  PROXY_AUTHENTICATE: 11,
  PROXY_AUTHORIZATION: 12,
  HTTP2_SETTINGS: 13,
  COOKIE: 14,
  SET_COOKIE: 15,
  AUTHORIZATION: 16,
  FORWARDED: 17,
  X_FORWARDED_FOR: 18,
  X_FORWARDED_PROTO: 19,
  X_FORWARDED_PORT: 20,
  X_FORWARDED_HOST: 21,
  X_REAL_IP: 22,
  X_REQUEST_ID: 23,
  STRICT_TRANSPORT_SECURITY: 24,
  CONTENT_TYPE: 25,
  CONTENT_ENCODING: 26,
  CONTENT_RANGE: 27,
  USER_AGENT: 28,
  REFERER: 29,
  LOCATION: 30,
  SERVER: 31,
  DATE: 32,
  VIA: 33,
  SEC_WEBSOCKET_KEY: 34,
  /**
   * A name that is one of the others once `_` is read as `-`. CGI, WSGI and PHP cannot tell them apart, so
   * `X_Forwarded_For` or `Content_Length` would pass for the real one behind us.
   */
  LOOKALIKE: 35,
} as const;
/** A number of {@link HeaderName}. */
export type HeaderNameId = (typeof HeaderName)[keyof typeof HeaderName];

/** How many numbers {@link HeaderName} has: the length of tables indexed by it. */
export const HEADER_NAME_COUNT = Object.keys(HeaderName).length;

/** Methods known by number; any other token is `OTHER`. */
export const Method = {
  OTHER: 0,
  GET: 1,
  HEAD: 2,
  POST: 3,
  PUT: 4,
  DELETE: 5,
  CONNECT: 6,
  OPTIONS: 7,
  TRACE: 8,
  PATCH: 9,
} as const;
/** A number of {@link Method}. */
export type MethodId = (typeof Method)[keyof typeof Method];

/** Text of each {@link Method} by number; empty for `OTHER`. */
export const methodNames: readonly string[] = Object.keys(Method).map((name) => (name === "OTHER" ? "" : name));

const SLOTS = 256;
const UNDERSCORE = 0x5f;
const HYPHEN = 0x2d;

/** Lower case and `-` for `_`, so that look-alikes meet in one slot; 0 for what may not stand in a token. */
export const FOLDED = TOKEN_LOWER.map((lower) => (lower === UNDERSCORE ? HYPHEN : lower));

/** Hash of a name, one {@link FOLDED} byte after the other, starting at 0. */
export const nextNameHash = (hash: number, folded: number): number => (Math.imul(hash, 31) + folded) | 0;
const slotOf = (hash: number): number => (hash ^ (hash >>> 8)) & (SLOTS - 1);

/** Words by number, with a table from the hash of each to its number. */
interface Words {
  readonly words: readonly Uint8Array[];
  readonly slots: Uint8Array;
}

/** @param texts by number; empty ones are never found. */
function hashed(texts: readonly string[]): Words {
  const words = texts.map(encodeText);
  const slots = new Uint8Array(SLOTS);
  for (const [id, word] of words.entries()) {
    if (word.length === 0) continue;
    let slot = slotOf(hashOf(word, 0, word.length));
    while (slots[slot] !== 0) slot = (slot + 1) % SLOTS;
    slots[slot] = id;
  }
  return { words, slots };
}

function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let i = start; i < end; i++) hash = nextNameHash(hash, FOLDED[bytes[i] as number] as number);
  return hash;
}

/** What a header is called on the wire, in lower case: `x-forwarded-for` of `X_FORWARDED_FOR`. */
const spelled = (name: string): string =>
  name === "OTHER" || name === "LOOKALIKE" ? "" : name.toLowerCase().replaceAll("_", "-");

/** Header names in lower case by {@link HeaderName} number; empty for `OTHER` and `LOOKALIKE`. */
export const knownHeaderNames: readonly string[] = Object.keys(HeaderName).map(spelled);

const headers = hashed(knownHeaderNames);
const methods = hashed(methodNames);

/** Number of a header's name whose {@link nextNameHash} is known. */
export function headerNameOf(bytes: Uint8Array, start: number, end: number, hash: number): HeaderNameId {
  const { words, slots } = headers;
  for (let slot = slotOf(hash); slots[slot] !== 0; slot = (slot + 1) % SLOTS) {
    const id = slots[slot] as number;
    const likeness = compareName(bytes, start, end, words[id] as Uint8Array);
    if (likeness === EQUAL) return id as HeaderNameId;
    if (likeness === ALIKE) return HeaderName.LOOKALIKE;
  }
  return HeaderName.OTHER;
}

const DIFFERENT = 0;
const ALIKE = 1;
const EQUAL = 2;

/** Compares without regard to case. */
function compareName(bytes: Uint8Array, start: number, end: number, word: Uint8Array): number {
  if (end - start !== word.length) return DIFFERENT;
  let likeness = EQUAL;
  for (let i = 0; i < word.length; i++) {
    const lower = TOKEN_LOWER[bytes[start + i] as number];
    if (lower === word[i]) continue;
    if (lower !== UNDERSCORE || word[i] !== HYPHEN) return DIFFERENT;
    likeness = ALIKE;
  }
  return likeness;
}

/** Number of a header's name of which only the bytes are at hand. */
export const findHeaderName = (bytes: Uint8Array, start: number, end: number): HeaderNameId =>
  headerNameOf(bytes, start, end, hashOf(bytes, start, end));

/** Number of a method whose {@link nextNameHash} is known; methods are case-sensitive (RFC 9110 §9.1). */
export function methodOf(bytes: Uint8Array, start: number, end: number, hash: number): MethodId {
  const { words, slots } = methods;
  for (let slot = slotOf(hash); slots[slot] !== 0; slot = (slot + 1) % SLOTS) {
    const id = slots[slot] as number;
    if (isWord(bytes, start, end, words[id] as Uint8Array)) return id as MethodId;
  }
  return Method.OTHER;
}

function isWord(bytes: Uint8Array, start: number, end: number, word: Uint8Array): boolean {
  if (end - start !== word.length) return false;
  for (let i = 0; i < word.length; i++) {
    if (bytes[start + i] !== word[i]) return false;
  }
  return true;
}

const flags = (names: readonly HeaderNameId[]): Uint8Array =>
  Uint8Array.from({ length: HEADER_NAME_COUNT }, (_, id) => Number(names.includes(id as HeaderNameId)));

/** Fields that end at this hop (RFC 9110 §7.6.1), those of proxies' own authentication and look-alikes: never passed on. */
const hopByHopNames: readonly HeaderNameId[] = [
  HeaderName.CONNECTION,
  HeaderName.KEEP_ALIVE,
  HeaderName.TE,
  HeaderName.UPGRADE,
  HeaderName.PROXY_CONNECTION,
  HeaderName.PROXY_AUTHENTICATE,
  HeaderName.PROXY_AUTHORIZATION,
  HeaderName.HTTP2_SETTINGS,
  HeaderName.LOOKALIKE,
];

/**
 * Fields of the whole way that `Connection` must not name (RFC 9110 §7.6.1): dropping them at the sender's wish would
 * unframe the message or take away what the backend trusts.
 */
const endToEndNames: readonly HeaderNameId[] = [
  HeaderName.HOST,
  HeaderName.CONTENT_LENGTH,
  HeaderName.TRANSFER_ENCODING,
  HeaderName.COOKIE,
  HeaderName.SET_COOKIE,
  HeaderName.AUTHORIZATION,
  HeaderName.FORWARDED,
  HeaderName.X_FORWARDED_FOR,
  HeaderName.X_FORWARDED_PROTO,
  HeaderName.X_FORWARDED_PORT,
  HeaderName.X_FORWARDED_HOST,
  HeaderName.X_REAL_IP,
  HeaderName.X_REQUEST_ID,
  HeaderName.STRICT_TRANSPORT_SECURITY,
  HeaderName.CONTENT_TYPE,
  HeaderName.CONTENT_ENCODING,
  HeaderName.CONTENT_RANGE,
];

/** 1 for fields that are never passed on. */
export const HOP_BY_HOP = flags(hopByHopNames);
/** 1 for fields that `Connection` must not name. */
export const END_TO_END = flags(endToEndNames);
/** 1 for fields that frame, route or authenticate and so must not come as a trailer (RFC 9110 §6.5.1). */
export const NOT_IN_TRAILERS = flags([...hopByHopNames, ...endToEndNames, HeaderName.TRAILER, HeaderName.EXPECT]);

/** RFC 9110 §9.2.2. */
const IDEMPOTENT: ReadonlySet<MethodId> = new Set([
  Method.GET,
  Method.HEAD,
  Method.PUT,
  Method.DELETE,
  Method.OPTIONS,
  Method.TRACE,
]);

/** Whether a request of this method may arrive twice without harm. */
export const isIdempotent = (method: MethodId): boolean => IDEMPOTENT.has(method);
