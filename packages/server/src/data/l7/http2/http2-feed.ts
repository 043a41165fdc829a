/** Who gets what a {@link RequestFeed} has gathered. */
export interface FeedTarget {
  /** @param flowBytes how much of it counts for flow control. */
  feed(bytes: Uint8Array, flowBytes: number): void;
}

const CAPACITY = 64 * 1024;
const buffer: Uint8Array = Buffer.allocUnsafeSlow(CAPACITY);

let target: FeedTarget | undefined;
let length = 0;
let flow = 0;

/**
 * Gathers what comes for one stream in one read of a connection, so that head and body, or several frames of a body,
 * reach its session, and the backend, in one piece. One for a thread; empty whenever a read is over.
 */
export const requestFeed = {
  /** Adds bytes for a stream; what was there for another is handed over first. */
  put(to: FeedTarget, bytes: Uint8Array, start: number, end: number): void {
    if (target !== to) requestFeed.flush();
    let at = start;
    while (at < end) {
      if (length === CAPACITY) requestFeed.flush();
      target = to;
      const taken = Math.min(end - at, CAPACITY - length);
      buffer.set(bytes.subarray(at, at + taken), length);
      length += taken;
      at += taken;
    }
  },

  /** So many bytes of what was put last count for flow control. */
  addFlow(bytes: number): void {
    flow += bytes;
  },

  /** Hands over what was gathered. */
  flush(): void {
    const to = target;
    if (to === undefined) return;
    const end = length;
    const flowBytes = flow;
    target = undefined;
    length = flow = 0;
    to.feed(buffer.subarray(0, end), flowBytes);
  },

  /** The stream is gone. @returns what was gathered of it for flow control. */
  forget(from: FeedTarget): number {
    if (target !== from) return 0;
    const flowBytes = flow;
    target = undefined;
    length = flow = 0;
    return flowBytes;
  },
};
