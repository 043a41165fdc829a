import { HeaderEdits } from "./header-edits.ts";
import type { BodyKind } from "./http1-framing.ts";
import type { HeadState, ResponseHead } from "./http1-head.ts";
import type { MethodId } from "./http1-names.ts";
import { type BodyMode, bodyEnd, responseRewrite, writeBody, writeResponse } from "./response-writer.ts";
import type { Upstream } from "./upstream.ts";

/** What decides how a response leaves. */
export interface ResponsePlan {
  /** Of the request. */
  readonly method: MethodId;
  /** HTTP/1.0 or 1.1: what the client understands. */
  readonly minorVersion: number;
  /** Whether the client's connection may go on, as far as the request goes. */
  readonly keepAlive: boolean;
  /** See `hstsLine`. */
  readonly hsts: Uint8Array | undefined;
  readonly edits: HeaderEdits;
  /** Whole lines to add. */
  readonly lines: Uint8Array | undefined;
}

const NOTHING = new Uint8Array(0);

/** Reads a backend's response as it comes and makes of it what goes to the client. Reused for one after the other. */
export class ResponseRelay {
  /** The client takes no more for now. */
  isBlocked = false;
  /** Whether the client's connection goes on after this response; known from {@link begin} on. */
  keepAlive = false;
  #leavesOpen = false;
  #mode: BodyMode = "as-is";
  /** What was read last: the transport's view, or the stash of what came in pieces. */
  #view: Uint8Array = NOTHING;
  #viewEnd = 0;

  /** Whether the backend's connection can carry another request after this response. */
  get leavesOpen(): boolean {
    return this.#leavesOpen;
  }

  /** More of the head, or the beginning of the next one after an interim response. */
  readHead(upstream: Upstream, bytes: Uint8Array): HeadState {
    const { stash } = upstream;
    if (stash.isEmpty) return this.#parse(upstream, bytes, { start: 0, end: bytes.length });
    stash.append(bytes, 0, bytes.length);
    return this.#parse(upstream, stash.bytes, stash);
  }

  /** What came after an interim response. */
  readOn(upstream: Upstream): HeadState {
    const start = upstream.head.end;
    upstream.head.reset();
    return this.#parse(upstream, this.#view, { start, end: this.#viewEnd });
  }

  #parse(upstream: Upstream, bytes: Uint8Array, span: { readonly start: number; readonly end: number }): HeadState {
    const { head, stash } = upstream;
    const { start, end } = span;
    this.#view = bytes;
    this.#viewEnd = end;
    const state = start === end ? "incomplete" : head.parse(bytes, start, end);
    if (state !== "incomplete") return state;
    if (bytes === stash.bytes) stash.consume(start);
    else stash.append(bytes, start, end);
    this.#view = NOTHING;
    return state;
  }

  /** The interim response whose head was read. */
  writeInterim({ head }: Upstream): Uint8Array {
    responseRewrite.connection = "implied";
    responseRewrite.body = "as-is";
    return writeResponse(head, undefined);
  }

  /** The response whose head was read, with what came of its body. `upstream.body.state` tells whether that is all. */
  begin(upstream: Upstream, plan: ResponsePlan): Uint8Array {
    const { head, body } = upstream;
    const kind = head.bodyFor(plan.method);
    const isOld = plan.minorVersion === 0;
    this.#mode = modeOf(head, kind, isOld);
    this.keepAlive = plan.keepAlive && !(isOld && (kind === "close" || kind === "chunked"));
    this.#leavesOpen = head.isPersistentFor(plan.method);
    let end = head.end;
    if (body.begin(kind, head.framing.contentLength) !== "done") {
      body.read(this.#view, head.end, this.#viewEnd);
      end = body.end;
    }
    // Bytes after the response belong to nothing.
    if (body.state === "done" && end < this.#viewEnd) this.#leavesOpen = false;
    const implied = isOld ? "keep-alive" : "implied";
    responseRewrite.connection = this.keepAlive ? implied : "close";
    responseRewrite.body = this.#mode;
    responseRewrite.hsts = plan.hsts;
    responseRewrite.edits = plan.edits;
    if (plan.lines !== undefined) responseRewrite.lines = plan.lines;
    const written = writeResponse(
      head,
      kind === "none" || body.state === "failed" || end === head.end ? undefined : body,
    );
    upstream.stash.clear();
    this.#view = NOTHING;
    return written;
  }

  /** More of the body, as it goes out. */
  readBody({ body }: Upstream, bytes: Uint8Array): Uint8Array {
    body.read(bytes, 0, bytes.length);
    if (body.state === "done" && body.end < bytes.length) this.#leavesOpen = false;
    return body.state === "failed" ? NOTHING : writeBody(bytes, body, this.#mode);
  }

  /** The backend has ended its side. Whether that makes the response whole; what is still to be sent is {@link end}. */
  finish({ body }: Upstream): boolean {
    this.#leavesOpen = false;
    return body.finish() === "done";
  }

  /** What follows a body that ended with the backend's connection. */
  get end(): Uint8Array {
    return bodyEnd(this.#mode);
  }

  /** 101: the head to pass on, and what came after it already. */
  beginTunnel(upstream: Upstream, edits: HeaderEdits): { readonly written: Uint8Array; readonly rest: Uint8Array } {
    const rest = this.#view.subarray(upstream.head.end, this.#viewEnd);
    responseRewrite.connection = "upgrade";
    responseRewrite.body = "as-is";
    responseRewrite.edits = edits;
    const written = writeResponse(upstream.head, undefined);
    responseRewrite.edits = HeaderEdits.none;
    upstream.stash.clear();
    this.#view = NOTHING;
    return { written, rest };
  }
}

/** HTTP/1.1 clients get chunks where the backend only closes; HTTP/1.0 clients can't read chunks. */
function modeOf({ framing }: ResponseHead, kind: BodyKind, isOld: boolean): BodyMode {
  if (isOld) return framing.declared === "chunked" ? "unframed" : "as-is";
  return kind === "close" ? "chunked" : "as-is";
}
