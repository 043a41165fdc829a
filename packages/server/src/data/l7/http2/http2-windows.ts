import type { Http2Output } from "./http2-output.ts";
import type { Http2Stream } from "./http2-stream.ts";

/** What one stream may send ahead of its backend: the most that a stalled upload holds in memory. */
export const STREAM_WINDOW_BYTES = 65_535;
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
    if (stream.unannounced < STREAM_WINDOW_BYTES / 2) return hasTold;
    stream.receiveWindow += stream.unannounced;
    this.#output.windowUpdate(stream.id, stream.unannounced);
    stream.unannounced = 0;
    return true;
  }
}
