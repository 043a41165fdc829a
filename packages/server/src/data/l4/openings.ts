import type { Cancel, Clock } from "../../clock.ts";
import type { Connection, ConnectionHandlers, TransportError } from "../transport/transport.ts";

/** What a parser says of the beginning of a connection, again and again, until it is no longer incomplete. */
export interface OpeningResult {
  readonly kind: string;
}

/** Why a beginning did not become whole. `ended`: by nobody's fault, from here, or by a client that leaves without a byte. */
export type OpeningFailure = "timeout" | "cut" | "ended";

/** What {@link Openings} need. */
export interface OpeningsOptions<Result extends OpeningResult> {
  readonly clock: Clock;
  /** From the start of reading; without a whole beginning by then the client is given up. */
  readonly timeoutMs: number;
  /** Pure; must not stay `incomplete` forever, because all of it is kept until then. */
  readonly parse: (bytes: Uint8Array) => Result | { readonly kind: "incomplete" };
  /** @param bytes everything that came, valid until this returns. The client is the callee's. */
  readonly onRead: (client: Connection, result: Result, bytes: Uint8Array) => void;
  /** The client was reset, or has gone. */
  readonly onFailed: (failure: OpeningFailure) => void;
}

/** Reads the beginnings of one listener's connections, before anybody serves them. */
export class Openings<Result extends OpeningResult> {
  readonly #options: OpeningsOptions<Result>;
  readonly #waiting = new Set<Opening<Result>>();
  readonly #done = (opening: Opening<Result>): void => void this.#waiting.delete(opening);

  constructor(options: OpeningsOptions<Result>) {
    this.#options = options;
  }

  /** Connections whose beginning is not whole. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Takes a connection over until its beginning is whole.
   * @param received what has come of it already; copied.
   */
  read(client: Connection, received: Uint8Array): void {
    const opening = new Opening(client, this.#options, this.#done);
    this.#waiting.add(opening);
    opening.start(received);
  }

  /** Ends all of them. */
  closeAll(): void {
    for (const opening of this.#waiting) opening.abort();
  }
}

class Opening<Result extends OpeningResult> implements ConnectionHandlers {
  readonly #client: Connection;
  readonly #options: OpeningsOptions<Result>;
  readonly #onDone: (opening: Opening<Result>) => void;
  #received: Buffer | undefined;
  #cancelTimeout: Cancel | undefined;
  #isDone = false;

  constructor(client: Connection, options: OpeningsOptions<Result>, onDone: (opening: Opening<Result>) => void) {
    this.#client = client;
    this.#options = options;
    this.#onDone = onDone;
  }

  start(received: Uint8Array): void {
    this.#client.handlers = this;
    const { clock, timeoutMs } = this.#options;
    this.#cancelTimeout = clock.after(timeoutMs, () => this.#fail("timeout"));
    if (received.length > 0) this.onData(this.#client, received);
  }

  abort(): void {
    this.#fail("ended");
  }

  onData(client: Connection, bytes: Uint8Array): void {
    const all = this.#received === undefined ? bytes : Buffer.concat([this.#received, bytes]);
    const result = this.#options.parse(all);
    if (isIncomplete(result)) {
      this.#received = all === bytes ? Buffer.from(bytes) : (all as Buffer);
      return;
    }
    this.#end();
    this.#options.onRead(client, result, all);
  }

  onEnd(): void {
    this.#fail(this.#received === undefined ? "ended" : "cut");
  }

  onDrain(): void {}

  onClose(_client: Connection, _error: TransportError | undefined): void {
    this.#fail(this.#received === undefined ? "ended" : "cut");
  }

  #fail(failure: OpeningFailure): void {
    if (this.#isDone) return;
    this.#end();
    this.#client.reset();
    this.#options.onFailed(failure);
  }

  #end(): void {
    this.#isDone = true;
    this.#received = undefined;
    this.#cancelTimeout?.();
    this.#onDone(this);
  }
}

function isIncomplete(
  result: OpeningResult | { readonly kind: "incomplete" },
): result is { readonly kind: "incomplete" } {
  return result.kind === "incomplete";
}
