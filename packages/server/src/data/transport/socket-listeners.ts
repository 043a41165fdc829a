import type { Socket } from "node:net";

/** What a connection hears of its socket. */
interface Listeners {
  data(bytes: Buffer): void;
  end(): void;
  drain(): void;
  error(cause: NodeJS.ErrnoException): void;
  close(): void;
}

/** Listeners that come to a socket and leave it again together, when something else takes it over. */
export class SocketListeners {
  readonly #listeners: readonly (readonly [string, () => void])[];

  constructor(listeners: Listeners) {
    this.#listeners = Object.entries(listeners) as (readonly [string, () => void])[];
  }

  attach(socket: Socket): void {
    for (const [event, listener] of this.#listeners) socket.on(event, listener);
    // A listener for "data" sets the stream flowing.
    socket.pause();
  }

  detach(socket: Socket): void {
    for (const [event, listener] of this.#listeners) socket.off(event, listener);
  }
}
