import type { RouteRequest } from "./route-request.ts";

/** Makes the Location of a redirect: an absolute URL of ASCII without blanks and control characters. */
export type RedirectTarget = (request: RouteRequest) => string;

/** A redirect, or why it is none: a clause that follows the field's name. */
export type RedirectResult =
  | { readonly ok: true; readonly target: RedirectTarget }
  | { readonly ok: false; readonly problem: string };

/**
 * Scheme, authority and the rest. Only host and port may be filled in within the authority, since they can't leave it;
 * a path may follow it, since it gets its slash.
 */
const TEMPLATE = /^((?:https?|#\{protocol\}):\/\/)((?:[^/?#]|#\{(?:host|port)\})+)((?:[/?]|#(?!\{)|#\{path\}|$).*)$/i;

/**
 * Compiles the URL of REDIRECT_TO_URL. `#{path}` stands without its first slash where a slash precedes it, and with it
 * elsewhere, so that `https://x/#{path}` and `https://x#{path}` are the same and no path becomes a part of the host.
 * Where `#{query}` is empty, the "?" or "&" before it goes, too.
 */
export function compileRedirectUrl(template: string): RedirectResult {
  const [, scheme, authority, rest] = TEMPLATE.exec(template) ?? [];
  if (scheme === undefined || authority === undefined || rest === undefined) {
    return {
      ok: false,
      problem: "must be http://, https:// or #{protocol}:// and a host in which only #{host} and #{port} are filled in",
    };
  }
  // Whatever is filled in behind it, the authority ends here.
  const closed = rest === "" || rest.startsWith("/") || rest.startsWith("?") ? rest : `/${rest}`;
  const pieces = parseTemplate(scheme + authority + closed);
  return { ok: true, target: (request) => escapeForLocation(fill(pieces, request)) };
}

/** Compiles the URL of REDIRECT_PREFIX: the request's path and query follow it. */
export function compileRedirectPrefix(template: string): RedirectResult {
  return compileRedirectUrl(`${template.endsWith("/") ? template : `${template}/`}#{path}?#{query}`);
}

type Placeholder = "protocol" | "host" | "port" | "path" | "query";

/** Fixed text, or what is filled in. */
type Piece = string | { readonly name: Placeholder; readonly inQuery: boolean };

function parseTemplate(template: string): readonly Piece[] {
  const questionMark = template.indexOf("?");
  const pieces: Piece[] = [];
  let end = 0;
  for (const match of template.matchAll(/#\{(protocol|host|port|path|query)\}/g)) {
    if (match.index > end) pieces.push(template.slice(end, match.index));
    pieces.push({ name: match[1] as Placeholder, inQuery: questionMark !== -1 && questionMark < match.index });
    end = match.index + match[0].length;
  }
  return end < template.length ? [...pieces, template.slice(end)] : pieces;
}

function fill(pieces: readonly Piece[], request: RouteRequest): string {
  let text = "";
  for (const piece of pieces) {
    if (typeof piece === "string") {
      text += piece;
      continue;
    }
    const value = valueOf(piece.name, request);
    if (piece.name === "path") text += pathAfter(text, value, piece.inQuery);
    else if (piece.name === "query" && value === "") text = text.replace(/[?&]$/, "");
    else text += value;
  }
  return text;
}

/** A path within a query is one parameter's value and must not become several. */
function pathAfter(text: string, path: string, inQuery: boolean): string {
  const joined = text.endsWith("/") ? path.replace(/^\//, "") : path;
  return inQuery ? joined.replaceAll("&", "%26").replaceAll("+", "%2B") : joined;
}

function valueOf(name: Placeholder, request: RouteRequest): string {
  switch (name) {
    case "protocol":
      return request.scheme;
    case "host":
      return request.host;
    case "port":
      return String(request.port);
    case "path":
      // OPTIONS * has no path; everything else begins with a slash.
      return request.path.startsWith("/") ? request.path : "/";
    case "query":
      return request.query;
  }
}

/**
 * Escapes what may not stand in a URL (RFC 3986 §2) and with it what could end the header, whatever let it through.
 * Characters of one byte stand for that byte: heads are read as Latin-1.
 */
const escapeForLocation = (url: string): string =>
  url.replace(/[^!#-;=?-[\]_a-z~]/gu, (character) =>
    character > "\u00ff"
      ? encodeURIComponent(character.isWellFormed() ? character : "\ufffd")
      : `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
