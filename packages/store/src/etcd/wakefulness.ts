import { MessageChannel } from "node:worker_threads";

/**
 * Keeps the process alive while somebody waits for an answer. Neither the clock's timers do that nor a connection that
 * is not there yet, and a process with nothing else to do would end in the middle of a call.
 */
export class Wakefulness {
  readonly #port = new MessageChannel().port1;
  #waiting = 0;

  constructor() {
    this.#port.unref();
  }

  begin(): void {
    if (this.#waiting++ === 0) this.#port.ref();
  }

  end(): void {
    if (--this.#waiting === 0) this.#port.unref();
  }

  close(): void {
    this.#port.close();
  }
}
