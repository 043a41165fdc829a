import type { HeaderEditUnit } from "../../snapshot/snapshot.ts";

/** A response that is not a backend's. */
export interface LocalResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  /** Of a redirect. */
  readonly location?: string;
  /** Why it came to this; shown in `X-FiberLB-Reason`. */
  readonly reason?: string;
  /** Set beside, or instead of, the headers above; an empty value removes one. */
  readonly edits?: readonly HeaderEditUnit[];
}

/** How a response leaves. */
export interface LocalResponseOptions {
  readonly connection: "implied" | "close" | "keep-alive";
  /** It answers HEAD: the body is left out, its length stays. */
  readonly isHead: boolean;
  /** Seconds for which browsers insist on TLS; 0 = nothing is said of it. */
  readonly hstsMaxAgeS: number;
}

const PHRASES: Readonly<Record<number, string>> = {
  100: "Continue",
  102: "Processing",
  103: "Early Hints",
  200: "OK",
  201: "Created",
  202: "Accepted",
  203: "Non-Authoritative Information",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
};

/** What a status is called (RFC 9110 §15); empty for one that is not known. */
export const reasonPhrase = (status: number): string => PHRASES[status] ?? "";

/** A short answer that names its status, and says more when `detail` is given. */
export function statusResponse(status: number, detail?: string): LocalResponse {
  const phrase = reasonPhrase(status);
  const body = detail === undefined ? `${status} ${phrase}\n` : `${status} ${phrase}: ${detail}\n`;
  return { status, contentType: "text/plain; charset=utf-8", body };
}

/** The source has asked for more than it may. Whatever its rate, it may ask again within a second (RFC 6585 §4). */
export const TOO_MANY_REQUESTS: LocalResponse = {
  ...statusResponse(429, "too many requests from this address"),
  reason: "rate-limit",
  edits: [{ name: "Retry-After", value: "1" }],
};

/** The bytes of a response, head and body. */
export function renderResponse(
  response: LocalResponse,
  { connection, isHead, hstsMaxAgeS }: LocalResponseOptions,
): Buffer {
  const { status, contentType, location, reason, edits = [] } = response;
  // Neither a body nor a length (RFC 9110 §8.6).
  const hasContent = status >= 200 && status !== 204 && status !== 304;
  const body = hasContent ? response.body : "";
  const headers = new Map<string, string>();
  const set = (name: string, value: string | undefined): void => {
    if (value === undefined || value === "") headers.delete(name.toLowerCase());
    else headers.set(name.toLowerCase(), `${name}: ${value}`);
  };
  if (hasContent && body !== "") set("Content-Type", contentType);
  set("Location", location);
  set("X-FiberLB-Reason", reason);
  if (hstsMaxAgeS > 0) set("Strict-Transport-Security", `max-age=${hstsMaxAgeS}`);
  for (const { name, value } of edits) set(name, value);
  if (hasContent) set("Content-Length", String(Buffer.byteLength(body)));
  if (connection !== "implied") set("Connection", connection);
  const head = [`HTTP/1.1 ${status} ${reasonPhrase(status)}`, ...headers.values(), "", ""].join("\r\n");
  return Buffer.from(isHead ? head : head + body);
}
