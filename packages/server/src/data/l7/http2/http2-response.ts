import { ByteStash } from "../byte-stash.ts";
import { CR, HEX_VALUE, LF } from "../http1-bytes.ts";
import { HeaderFields } from "../http1-fields.ts";
import { ResponseHead } from "../http1-head.ts";
import { Method } from "../http1-names.ts";

/** Hears what a {@link Http2ResponseReader} finds. */
export interface ResponseSink {
  /** A head, whose views hold until this returns; `isEnd`: nothing follows it. Interim ones (1xx) come before the last. */
  responseHead(head: ResponseHead, isEnd: boolean): void;
  /** Content. */
  responseData(bytes: Uint8Array, start: number, end: number, isEnd: boolean): void;
  /** The end, with these trailers. */
  responseTrailers(bytes: Uint8Array, fields: HeaderFields): void;
  /** No response that HTTP/2 could carry. */
  responseBroken(): void;
}

const HEAD = 0;
const LENGTH = 1;
const CHUNK_SIZE = 2;
const CHUNK_SIZE_LF = 3;
const CHUNK_DATA = 4;
const CHUNK_CR = 5;
const CHUNK_LF = 6;
const TRAILERS = 7;
const DONE = 8;

/** Checked by whoever wrote the response; here they only keep a table from growing without end. */
const LIMITS = { maxHeaderBytes: 1 << 24, maxHeaderCount: 4096 };

/** A head is written in one piece, so that one parser serves all. */
const head = new ResponseHead(LIMITS);
const trailers = new HeaderFields(LIMITS.maxHeaderCount);

/**
 * Reads the HTTP/1.1 response that a session writes, once more: it is our own text, framed by `Content-Length` or by
 * chunks without extensions, and only has to be taken apart.
 */
export class Http2ResponseReader {
  /** The session goes on after this response. */
  isPersistent = true;
  #phase = HEAD;
  #isHeadMethod = false;
  /** Of the body, or of the chunk. */
  #left = 0;
  /** Trailers that have not come whole. */
  #stash: ByteStash | undefined;

  begin(isHeadMethod: boolean): void {
    this.#phase = HEAD;
    this.#isHeadMethod = isHeadMethod;
    this.isPersistent = true;
    this.#stash = undefined;
  }

  /** The response is complete. */
  get isDone(): boolean {
    return this.#phase === DONE;
  }

  read(bytes: Uint8Array, sink: ResponseSink): void {
    let at = 0;
    while (at < bytes.length && this.#phase !== DONE) {
      if (this.#phase === HEAD) at = this.#readHead(bytes, at, sink);
      else if (this.#phase === LENGTH) at = this.#readLength(bytes, at, sink);
      else at = this.#readChunks(bytes, at, sink);
    }
  }

  #readHead(bytes: Uint8Array, at: number, sink: ResponseSink): number {
    head.reset();
    const kind = head.parse(bytes, at, bytes.length) === "complete" ? this.#bodyKind() : "tunnel";
    if (kind === "close" || kind === "tunnel") return this.#break(bytes, sink);
    if (head.line.status < 200) {
      sink.responseHead(head, false);
      return head.end;
    }
    this.isPersistent = !head.framing.hasClose;
    const isEnd = kind === "none" || (kind === "length" && head.framing.contentLength === 0);
    this.#left = kind === "length" ? head.framing.contentLength : 0;
    if (isEnd) this.#phase = DONE;
    else this.#phase = kind === "length" ? LENGTH : CHUNK_SIZE;
    const { end } = head;
    sink.responseHead(head, isEnd);
    return end;
  }

  #bodyKind() {
    return head.bodyFor(this.#isHeadMethod ? Method.HEAD : Method.GET);
  }

  #readLength(bytes: Uint8Array, at: number, sink: ResponseSink): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    if (this.#left === 0) this.#phase = DONE;
    sink.responseData(bytes, at, end, this.#left === 0);
    return end;
  }

  /** As much of the chunks as there is. The last piece of content waits: it may turn out to be the end. */
  #readChunks(bytes: Uint8Array, from: number, sink: ResponseSink): number {
    let at = from;
    let heldStart = 0;
    let heldEnd = 0;
    while (at < bytes.length && this.#phase < TRAILERS) {
      if (this.#phase !== CHUNK_DATA) {
        this.#step(bytes[at++] as number);
        continue;
      }
      if (heldEnd > heldStart) sink.responseData(bytes, heldStart, heldEnd, false);
      heldStart = at;
      heldEnd = at = Math.min(bytes.length, at + this.#left);
      this.#left -= heldEnd - heldStart;
      if (this.#left === 0) this.#phase = CHUNK_CR;
    }
    const isBareEnd = this.#phase === TRAILERS && this.#isBareEnd(bytes, at);
    if (isBareEnd) this.#phase = DONE;
    if (isBareEnd || heldEnd > heldStart) sink.responseData(bytes, heldStart, heldEnd, isBareEnd);
    if (isBareEnd) return bytes.length;
    return this.#phase === TRAILERS ? this.#readTrailers(bytes, at, sink) : at;
  }

  #step(byte: number): void {
    if (this.#phase === CHUNK_SIZE) {
      if (byte === CR) this.#phase = CHUNK_SIZE_LF;
      else this.#left = this.#left * 16 + (HEX_VALUE[byte] as number);
    } else if (this.#phase === CHUNK_SIZE_LF) {
      this.#phase = this.#left === 0 ? TRAILERS : CHUNK_DATA;
    } else {
      this.#phase = this.#phase === CHUNK_CR ? CHUNK_LF : CHUNK_SIZE;
    }
  }

  /** No trailers: the empty line follows at once. */
  #isBareEnd(bytes: Uint8Array, at: number): boolean {
    return this.#stash === undefined && bytes[at] === CR && bytes[at + 1] === LF;
  }

  #readTrailers(bytes: Uint8Array, at: number, sink: ResponseSink): number {
    const stash = (this.#stash ??= new ByteStash());
    stash.append(bytes, at, bytes.length);
    trailers.reset();
    const end = trailers.scan(stash.bytes, stash.start, stash.end);
    if (end === -1) return bytes.length;
    if (end < 0) return this.#break(bytes, sink);
    this.#phase = DONE;
    if (trailers.count > 0) sink.responseTrailers(stash.bytes, trailers);
    else sink.responseData(bytes, 0, 0, true);
    return bytes.length;
  }

  #break(bytes: Uint8Array, sink: ResponseSink): number {
    this.#phase = DONE;
    sink.responseBroken();
    return bytes.length;
  }
}
