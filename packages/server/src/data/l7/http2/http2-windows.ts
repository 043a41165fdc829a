import type { Http2Output } from "./http2-output.ts";
import type { Http2Stream } from "./http2-stream.ts";

/** What a stream may send ahead of its backend at first: all that an upload holds in memory that stalls at once. */
export const STREAM_WINDOW_BYTES = 65_535;
/** What it may send ahead once its backend has shown to keep up, so that a long way does not slow it down. */
export const MAX_STREAM_WINDOW_BYTES = 512 * 1024;
/** What all streams of a connection may send ahead together. */
export const CONNECTION_WINDOW_BYTES = 1024 * 1024;

/** Flow control of what comes from one client (RFC 9113 §5.2): it may send on as its bytes are used up. */
export class ReceiveWindows {
  readonly #output: Http2Output;
  #window = CONNECTION_WINDOW_BYTES;
  #unannounced = 0;

  constructor(output: Http2Output) {
    this.#output = output;
  }

  /** Bytes have come. @returns false when the client was not allowed to send them. */
  take(bytes: number, stream: Http2Stream | undefined): boolean {
    this.#window -= bytes;
    if (stream !== undefined) stream.receiveWindow -= bytes;
    return this.#window >= 0 && (stream === undefined || stream.receiveWindow >= 0);
  }

  /** Bytes were used. @returns whether the client was told so. */
  give(bytes: number, stream: Http2Stream | undefined): boolean {
    let hasTold = false;
    this.#unannounced += bytes;
    if (this.#unannounced >= CONNECTION_WINDOW_BYTES / 2) {
      this.#window += this.#unannounced;
      this.#output.windowUpdate(0, this.#unannounced);
      this.#unannounced = 0;
      hasTold = true;
    }
    if (stream === undefined || stream.hasEnded) return hasTold;
    stream.unannounced += bytes;
    if (stream.unannounced < stream.windowBytes / 2) return hasTold;
    const grown = stream.hasStalled ? 0 : Math.min(stream.windowBytes, MAX_STREAM_WINDOW_BYTES - stream.windowBytes);
    const told = stream.unannounced + grown;
    stream.windowBytes += grown;
    stream.receiveWindow += told;
    this.#output.windowUpdate(stream.id, told);
    stream.unannounced = 0;
    stream.hasStalled = false;
    return true;
  }
}
