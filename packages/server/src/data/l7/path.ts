import type { PathRewriteUnit } from "../../snapshot/snapshot.ts";

const PERCENT = 0x25;
const DOT = 0x2e;
const SLASH = 0x2f;
const BACKSLASH = 0x5c;

/**
 * What backends may understand otherwise than a rule that compares the path as sent: an encoded NUL, slash or backslash,
 * a backslash, or a dot segment, plain or encoded, also with a parameter (`..;x`), which some servers cut off first.
 */
const AMBIGUOUS = /%00|%2f|%5c|\\|(?:^|\/)(?:\.|%2e){1,2}(?:[/;]|%3b|$)/i;

/**
 * Whether a path can mean something else to a backend than to a rule. A query is not part of it: `?next=%2Fhome` is fine.
 */
export function isAmbiguousPath(path: string): boolean {
  for (let i = 0; i < path.length; i += 1) {
    const code = path.charCodeAt(i);
    // Nearly all paths have none of these and are done after this loop.
    const suspect =
      code === PERCENT || code === BACKSLASH || (code === DOT && (i === 0 || path.charCodeAt(i - 1) === SLASH));
    if (suspect) return AMBIGUOUS.test(path);
  }
  return false;
}

/** What stands after the last dot of the path's last segment; undefined when there is no dot. */
export function fileTypeOf(path: string): string | undefined {
  const dot = path.lastIndexOf(".");
  return dot === -1 || path.includes("/", dot) ? undefined : path.slice(dot + 1);
}

/**
 * Replaces the beginning of a path. Where one of the two ends with a slash, there is exactly one slash at the seam:
 * `/api` → `/` makes `/x` of `/api/x`, and `/api/` → `/v2` makes `/v2/x` of it.
 */
export function rewritePath(path: string, { from, to }: PathRewriteUnit): string {
  const rest = path.slice(from.length);
  if (to.endsWith("/") && rest.startsWith("/")) return to + rest.slice(1);
  if (from.endsWith("/") && !to.endsWith("/") && rest !== "") return `${to}/${rest}`;
  return to + rest;
}
