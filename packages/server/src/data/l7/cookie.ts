/** Pairs that are looked at in one request; browsers keep about 180 a domain. */
const MAX_PAIRS = 1000;

/**
 * All values of one cookie, in the order sent (RFC 6265 §4.2.1). Names are compared exactly; what has no "=" is no pair.
 * A value is what stands between "=" and ";", without the blanks around it, neither unquoted nor decoded.
 *
 * @param headers values of all Cookie headers. Of their pairs the first 1000 count.
 */
export function cookieValues(headers: readonly string[], name: string): readonly string[] {
  const values: string[] = [];
  let pairs = 0;
  for (const header of headers) {
    for (let start = 0; start <= header.length && pairs < MAX_PAIRS; pairs += 1) {
      const semicolon = header.indexOf(";", start);
      const end = semicolon === -1 ? header.length : semicolon;
      const value = valueOf(header, name, { start, end });
      if (value !== undefined) values.push(value);
      start = end + 1;
    }
  }
  return values;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** The value when the pair within the span has this name. */
function valueOf(header: string, name: string, { start, end }: Span): string | undefined {
  let at = start;
  while (at < end && isBlank(header.charCodeAt(at))) at += 1;
  if (!header.startsWith(name, at)) return undefined;
  const equals = at + name.length;
  if (equals >= end || header.charCodeAt(equals) !== 0x3d) return undefined;
  let last = end;
  while (last > equals + 1 && isBlank(header.charCodeAt(last - 1))) last -= 1;
  let first = equals + 1;
  while (first < last && isBlank(header.charCodeAt(first))) first += 1;
  return header.slice(first, last);
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/** What a listener's own cookie is made of. */
export interface OwnCookie {
  /** A token. */
  readonly name: string;
  /** Of cookie octets only. */
  readonly value: string;
  /** 0 = until the client ends its session; negative = the client forgets it at once. */
  readonly maxAgeS: number;
  /** Sent back over TLS only. */
  readonly secure: boolean;
}

/** A Set-Cookie value out of reach of scripts and of other sites' requests but top-level navigation. */
export function formatSetCookie({ name, value, maxAgeS, secure }: OwnCookie): string {
  const lifetime = maxAgeS === 0 ? "" : `; Max-Age=${Math.max(maxAgeS, 0)}`;
  return `${name}=${value}; Path=/${lifetime}; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
}

/** What is read of a Set-Cookie of a backend. */
export interface BackendCookie {
  readonly name: string;
  /** The backend wants the client to forget the cookie. */
  readonly isRemoval: boolean;
}

/**
 * Reads the name of a backend's cookie and whether it is being removed: Max-Age of 0 or less, or, without one, Expires
 * in the past (RFC 6265 §5.3). undefined when it names no cookie.
 *
 * @param nowMs time since 1970.
 */
export function readSetCookie(header: string, nowMs: number): BackendCookie | undefined {
  const [pair = "", ...attributes] = header.split(";");
  const equals = pair.indexOf("=");
  const name = pair.slice(0, equals).trim();
  if (equals === -1 || name === "") return undefined;
  const maxAge = attribute(attributes, "max-age");
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) return { name, isRemoval: Number(maxAge) <= 0 };
  const expires = Date.parse(attribute(attributes, "expires") ?? "");
  return { name, isRemoval: expires <= nowMs };
}

/** The last one counts. */
function attribute(attributes: readonly string[], name: string): string | undefined {
  const found = attributes.map((text) => text.split("=")).findLast(([key = ""]) => key.trim().toLowerCase() === name);
  return found?.slice(1).join("=").trim();
}
