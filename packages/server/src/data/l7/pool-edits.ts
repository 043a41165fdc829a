import type { HeaderEditUnit, PathRewriteUnit } from "../../snapshot/snapshot.ts";
import { HeaderEdits } from "./header-edits.ts";
import type { PrefixRewrite } from "./headers.ts";
import { encodeText, SLASH } from "./http1-bytes.ts";
import type { RequestHead } from "./http1-head.ts";
import type { PoolRoute } from "./route-outcome.ts";

/** What a route to a pool changes in heads, compiled to bytes once a route. */
export class PoolEdits {
  readonly host: Uint8Array | undefined;
  readonly request: HeaderEdits;
  /** {@link request}, with the Cookie headers taken out too. */
  readonly requestWithoutCookies: HeaderEdits;
  readonly response: HeaderEdits;
  readonly #path: PathEdit | undefined;

  constructor({ rewriteHost, rewritePath, setRequestHeaders, setResponseHeaders }: PoolRoute) {
    this.host = rewriteHost === undefined ? undefined : encodeText(rewriteHost);
    this.request = compile(setRequestHeaders);
    this.requestWithoutCookies = compile([{ name: "cookie", value: "" }, ...setRequestHeaders]);
    this.response = compile(setResponseHeaders);
    this.#path = rewritePath === undefined ? undefined : new PathEdit(rewritePath);
  }

  /** What replaces the beginning of the request's path. */
  prefixOf(head: RequestHead): PrefixRewrite | undefined {
    return this.#path?.of(head);
  }
}

const compile = (edits: readonly HeaderEditUnit[]): HeaderEdits =>
  edits.length === 0
    ? HeaderEdits.none
    : new HeaderEdits(Object.fromEntries(edits.map((one) => [one.name, one.value])));

/** `rewritePath` on bytes: exactly one slash at the seam where one of the two ends with one. */
class PathEdit {
  readonly #fromEndsWithSlash: boolean;
  readonly #toEndsWithSlash: boolean;
  readonly #plain: PrefixRewrite;
  /** Takes the slash behind the prefix away, since the replacement brings one. */
  readonly #joined: PrefixRewrite;
  /** Adds the slash that went with the prefix. */
  readonly #parted: PrefixRewrite;

  constructor({ from, to }: PathRewriteUnit) {
    const { length } = encodeText(from);
    this.#fromEndsWithSlash = from.endsWith("/");
    this.#toEndsWithSlash = to.endsWith("/");
    this.#plain = { length, replacement: encodeText(to) };
    this.#joined = { length: length + 1, replacement: encodeText(to) };
    this.#parted = { length, replacement: encodeText(`${to}/`) };
  }

  of({ bytes, line }: RequestHead): PrefixRewrite {
    const rest = line.pathStart + this.#plain.length;
    if (this.#toEndsWithSlash) return rest < line.pathEnd && bytes[rest] === SLASH ? this.#joined : this.#plain;
    return this.#fromEndsWithSlash && rest < line.pathEnd ? this.#parted : this.#plain;
  }
}
