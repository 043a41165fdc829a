import { DEFAULT_WINDOW_BYTES } from "./http2-frame.ts";
import type { Http2Output } from "./http2-output.ts";

/** A stream that may have to wait for its turn. */
export interface SendingStream {
  /** Stands in the queue. */
  isQueued: boolean;
  /** The stream's turn: sends one frame, and takes a place again if more waits. */
  sendPending(): void;
}

/** Streams with something to send, in the order of their turns, and what the client takes over all of them. */
export class SendQueue {
  /** Bytes of DATA that the client takes (RFC 9113 §5.2). */
  window = DEFAULT_WINDOW_BYTES;
  readonly #output: Http2Output;
  readonly #streams: SendingStream[] = [];

  constructor(output: Http2Output) {
    this.#output = output;
  }

  /** Others wait: who comes now must not pass them. */
  get isContended(): boolean {
    return this.#streams.length > 0;
  }

  add(stream: SendingStream): void {
    if (stream.isQueued) return;
    stream.isQueued = true;
    this.#streams.push(stream);
  }

  /** Sends what waits, one frame of each stream in turn, until nothing more is taken. */
  pump(): void {
    while (this.#streams.length > 0 && this.window > 0 && !this.#output.isBlocked) {
      const stream = this.#streams.shift() as SendingStream;
      stream.isQueued = false;
      stream.sendPending();
    }
  }

  clear(): void {
    for (const stream of this.#streams) stream.isQueued = false;
    this.#streams.length = 0;
  }
}
