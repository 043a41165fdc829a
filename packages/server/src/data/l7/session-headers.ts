import { latin1Text } from "./http1-bytes.ts";
import type { ResponseHead } from "./http1-head.ts";
import { HeaderName } from "./http1-names.ts";
import type { PoolSessions, SessionResponse } from "./session.ts";

/** The Set-Cookie line that a response gets because of sessions; undefined when it gets none. */
export function sessionCookieLine(
  sessions: PoolSessions,
  { bytes, fields }: ResponseHead,
  response: Omit<SessionResponse, "setCookies">,
): Uint8Array | undefined {
  const setCookies: string[] = [];
  for (let at = fields.first(HeaderName.SET_COOKIE); at >= 0; at = fields.next(HeaderName.SET_COOKIE, at)) {
    setCookies.push(latin1Text(bytes, fields.valueStart(at), fields.valueEnd(at)));
  }
  const value = sessions.setCookieFor({ ...response, setCookies });
  return value === undefined ? undefined : Buffer.from(`Set-Cookie: ${value}\r\n`, "latin1");
}

/** The Cookie line of a request without one cookie; empty when no other is left. */
export function withoutCookie(cookieHeaders: readonly string[], name: string): Uint8Array {
  const pairs = cookieHeaders
    .flatMap((header) => header.split(";"))
    .map((pair) => pair.trim())
    .filter((pair) => pair !== "" && !pair.startsWith(`${name}=`));
  return Buffer.from(pairs.length === 0 ? "" : `Cookie: ${pairs.join("; ")}\r\n`, "latin1");
}
