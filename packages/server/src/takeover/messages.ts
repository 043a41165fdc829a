/**
 * What two processes say to each other while one takes over from the other: lines of JSON over the control socket. The
 * connection is the hand-over's life: whoever goes away ends it.
 */
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";

/** What a connection to the control socket is upgraded to. */
export const TAKEOVER_PROTOCOL = "fiberlb-takeover";

/** What a process knows that is not in its store, so that its successor need not find it out again. */
export interface Inheritance {
  /** Backends with a verdict. */
  readonly health: readonly (readonly [backendId: string, health: "ONLINE" | "OFFLINE"])[];
  /** DNS names of backends, and what they stand for. */
  readonly addresses: readonly (readonly [name: string, address: string])[];
}

/** Nothing is known. */
export const NO_INHERITANCE: Inheritance = { health: [], addresses: [] };

/** From the process that runs. */
export type FromPredecessor =
  /** Store and ports are free; it goes on forwarding. */
  | { readonly kind: "released"; readonly inheritance: Inheritance }
  /** It has heard that its successor is ready, and ends. */
  | { readonly kind: "yours" }
  /** It has waited too long and wants everything back: the successor must end. */
  | { readonly kind: "revoked"; readonly reason: string };

/** From the process that takes over. */
export type FromSuccessor = { readonly kind: "ready" } | { readonly kind: "failed"; readonly reason: string };

/** Messages over a stream, a line each. */
export class Channel<Incoming, Outgoing> {
  readonly #stream: Duplex;
  readonly #received: Incoming[] = [];
  #hasEnded = false;
  #onNews: () => void = () => undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    // That the other side is gone is seen by the end of its messages; readline repeats the stream's errors.
    stream.on("error", () => stream.destroy());
    stream.on("close", () => this.#end());
    const lines = createInterface({ input: stream });
    lines.on("error", () => stream.destroy());
    lines.on("line", (line) => this.#take(line));
    lines.on("close", () => this.close());
  }

  /** Says something; to nobody when the other side is gone. */
  send(message: Outgoing): void {
    if (this.#stream.writable) this.#stream.write(`${JSON.stringify(message)}\n`);
  }

  /** The next message; undefined when there will be none. One caller at a time. */
  async receive(): Promise<Incoming | undefined> {
    while (this.#received.length === 0 && !this.#hasEnded)
      await new Promise<void>((resolve) => (this.#onNews = resolve));
    return this.#received.shift();
  }

  /** Ends it after what was said last. */
  close(): void {
    this.#stream.end();
    this.#end();
  }

  #take(line: string): void {
    try {
      this.#received.push(JSON.parse(line) as Incoming);
      this.#onNews();
    } catch {
      // Whoever says this is no process of ours.
      this.#stream.destroy();
    }
  }

  #end(): void {
    this.#hasEnded = true;
    this.#onNews();
  }
}
