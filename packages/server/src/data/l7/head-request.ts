import type { TlsFacts } from "../transport/transport.ts";
import { cookieValues } from "./cookie.ts";
import { portOf } from "./http1-authority.ts";
import { COLON, encodeText, latin1Text } from "./http1-bytes.ts";
import type { RequestHead } from "./http1-head.ts";
import { HeaderName, methodNames } from "./http1-names.ts";
import type { ClientCertificate, RouteRequest } from "./route-request.ts";

/** What routing needs to know beside the head. */
export interface RequestOrigin {
  readonly clientAddress: string;
  /** The listener's. */
  readonly vipPort: number;
  /** undefined in cleartext. */
  readonly tls: TlsFacts | undefined;
}

/** Shows a parsed head to the router; texts are made when a rule asks for them. Reused for one request after the other. */
export class HeadRequest implements RouteRequest {
  #head: RequestHead | undefined;
  #origin: RequestOrigin | undefined;
  #path: string | undefined;
  #host: string | undefined;

  /** Shows this head from now on. */
  show(head: RequestHead, origin: RequestOrigin): this {
    this.#head = head;
    this.#origin = origin;
    this.#path = this.#host = undefined;
    return this;
  }

  get method(): string {
    const { bytes, line } = this.#shown;
    return methodNames[line.method] || latin1Text(bytes, line.start, line.methodEnd);
  }

  get path(): string {
    return (this.#path ??= this.#readPath());
  }

  get query(): string {
    const { bytes, line } = this.#shown;
    return latin1Text(bytes, line.queryStart, line.targetEnd);
  }

  get host(): string {
    return (this.#host ??= this.#readHost());
  }

  get port(): number {
    const { bytes, hostEnd, authorityEnd } = this.#shown;
    const own = this.#origin?.vipPort ?? 0;
    // Without a port the client has asked its scheme's: behind another port we are not.
    if (hostEnd === authorityEnd || bytes[hostEnd] !== COLON) return own;
    return portOf(bytes, hostEnd, authorityEnd) || own;
  }

  get scheme(): "http" | "https" {
    return this.#origin?.tls === undefined ? "http" : "https";
  }

  get sni(): string | undefined {
    return this.#origin?.tls?.serverName;
  }

  get clientCertificate(): ClientCertificate | undefined {
    return this.#origin?.tls?.clientCertificate;
  }

  get sourceAddress(): string {
    return this.#origin?.clientAddress ?? "";
  }

  header(name: string): readonly string[] {
    return headerValues(this.#shown, name);
  }

  cookie(name: string): readonly string[] {
    return cookieValues(cookieHeaders(this.#shown), name);
  }

  #readPath(): string {
    const { bytes, line } = this.#shown;
    const path = latin1Text(bytes, line.pathStart, line.pathEnd);
    // An absolute URL without a path asks for "/" (RFC 9112 §3.2.1).
    return path === "" && line.form === "absolute" ? "/" : path;
  }

  #readHost(): string {
    const { bytes, hostStart, hostEnd } = this.#shown;
    const host = latin1Text(bytes, hostStart, hostEnd).toLowerCase();
    return host.endsWith(".") ? host.slice(0, -1) : host;
  }

  get #shown(): RequestHead {
    if (this.#head === undefined) throw new Error("Cannot read a request: none is shown");
    return this.#head;
  }
}

/** Values of all headers of a name, which is in lower case. */
export function headerValues({ bytes, fields }: RequestHead, name: string): readonly string[] {
  const values: string[] = [];
  const lowerName = encodeText(name);
  for (let at = fields.find(bytes, lowerName, -1); at >= 0; at = fields.find(bytes, lowerName, at)) {
    values.push(latin1Text(bytes, fields.valueStart(at), fields.valueEnd(at)));
  }
  return values;
}

/** Values of all Cookie headers. */
export function cookieHeaders({ bytes, fields }: RequestHead): readonly string[] {
  if (!fields.has(HeaderName.COOKIE)) return NONE;
  const values: string[] = [];
  for (let at = fields.first(HeaderName.COOKIE); at >= 0; at = fields.next(HeaderName.COOKIE, at)) {
    values.push(latin1Text(bytes, fields.valueStart(at), fields.valueEnd(at)));
  }
  return values;
}

const NONE: readonly string[] = [];
