import { ChunkedScan, type ChunkLimits } from "./http1-chunked.ts";
import type { Http1Error } from "./http1-errors.ts";
import { FAILED } from "./http1-fields.ts";
import type { BodyKind } from "./http1-framing.ts";
import type { ByteRanges } from "./http1-ranges.ts";

export type { ChunkLimits } from "./http1-chunked.ts";

/** 4 KiB of chunk extensions, 8 KiB of trailers. */
export const DEFAULT_CHUNK_LIMITS: ChunkLimits = { maxExtensionBytes: 4096, maxTrailerBytes: 8192 };

/** `done`: the message has ended; bytes after `end` belong to the next one. `failed`: `error` says why. */
export type BodyState = "incomplete" | "done" | "failed";

/**
 * Finds the end of one body after the other in the views as they come, copying nothing. After each `read`, `forward` holds
 * what to pass on with the framing it came with, and `payload` the content alone (for another framing, such as HTTP/2).
 */
export class BodyScan {
  /** Ranges of the last view to pass on unchanged; chunk extensions are left out. */
  readonly forward: ByteRanges;
  /** Ranges of the last view that are content. */
  readonly payload: ByteRanges;
  /** Offset after the body's last byte in the last view. */
  end = 0;
  /** Content so far, without chunk framing. */
  payloadBytes = 0;
  state: BodyState = "done";
  /** Why `read` answered `failed`. */
  error: Http1Error | undefined;

  #kind: BodyKind = "none";
  #left = 0;
  readonly #chunked: ChunkedScan;

  constructor(limits: ChunkLimits = DEFAULT_CHUNK_LIMITS) {
    this.#chunked = new ChunkedScan(limits);
    this.forward = this.#chunked.forward;
    this.payload = this.#chunked.payload;
  }

  /**
   * Starts a body.
   * @param contentLength bytes of a `length` body; ignored for the others.
   * @returns `done` when there is nothing to read.
   */
  begin(kind: BodyKind, contentLength: number): BodyState {
    this.#kind = kind;
    this.#left = contentLength;
    this.payloadBytes = 0;
    this.error = undefined;
    if (kind === "chunked") this.#chunked.reset();
    this.state = kind === "none" || (kind === "length" && contentLength === 0) ? "done" : "incomplete";
    return this.state;
  }

  /** Takes what belongs to the body from the front of `bytes[start, end)`. */
  read(bytes: Uint8Array, start: number, end: number): BodyState {
    this.forward.clear();
    this.payload.clear();
    this.end = start;
    if (this.state !== "incomplete") return this.state;
    if (this.#kind === "chunked") return this.#readChunks(bytes, start, end);
    const taken = this.#kind === "length" ? Math.min(this.#left, end - start) : end - start;
    this.#left -= taken;
    this.end = start + taken;
    this.payloadBytes += taken;
    this.forward.add(start, this.end);
    this.payload.add(start, this.end);
    if (this.#kind === "length" && this.#left === 0) this.state = "done";
    return this.state;
  }

  /** The sender has closed its side: only a body that ends so is whole, every other was cut (RFC 9112 §8). */
  finish(): BodyState {
    if (this.state === "incomplete" && (this.#kind === "close" || this.#kind === "tunnel")) this.state = "done";
    return this.state;
  }

  #readChunks(bytes: Uint8Array, start: number, end: number): BodyState {
    const { payload } = this;
    const at = this.#chunked.scan(bytes, start, end);
    for (let i = 0; i < payload.count; i++) this.payloadBytes += payload.end(i) - payload.start(i);
    if (at === FAILED) {
      this.error = this.#chunked.error;
      this.state = "failed";
    } else {
      this.end = at >= 0 ? at : end;
      if (at >= 0) this.state = "done";
    }
    return this.state;
  }
}
