import type { Connection, ConnectionHandlers, TransportError } from "../../../src/data/transport/transport.ts";

/** What a handler was called with. */
export type EventName = "connect" | "data" | "end" | "drain" | "close";

/** Handlers that note everything and let a test wait for what it needs. Repeated `data` events are noted once. */
export class Recorder implements ConnectionHandlers {
  readonly events: EventName[] = [];
  readonly chunks: Buffer[] = [];
  receivedBytes = 0;
  error: TransportError | undefined;
  closed = false;
  /** Extra behaviour of a test, called after the note. */
  react: ((event: EventName, connection: Connection, bytes?: Uint8Array) => void) | undefined;
  readonly #waiting = new Set<() => void>();

  onConnect(connection: Connection): void {
    this.#note("connect", connection);
  }

  onData(connection: Connection, bytes: Uint8Array): void {
    this.chunks.push(Buffer.from(bytes));
    this.receivedBytes += bytes.length;
    this.#note("data", connection, bytes);
  }

  onEnd(connection: Connection): void {
    this.#note("end", connection);
  }

  onDrain(connection: Connection): void {
    this.#note("drain", connection);
  }

  onClose(connection: Connection, error: TransportError | undefined): void {
    this.closed = true;
    this.error = error;
    this.#note("close", connection);
  }

  /** Everything received so far. */
  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** Resolves as soon as `condition` holds; looked at after every event. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Resolves after the event has come `times` times since start. */
  heard(event: EventName, times = 1): Promise<void> {
    return this.until(() => this.events.filter((name) => name === event).length >= times);
  }

  receivedAtLeast(bytes: number): Promise<void> {
    return this.until(() => this.receivedBytes >= bytes);
  }

  #note(event: EventName, connection: Connection, bytes?: Uint8Array): void {
    if (event !== "data" || this.events.at(-1) !== "data") this.events.push(event);
    this.react?.(event, connection, bytes);
    for (const look of this.#waiting) look();
  }
}
