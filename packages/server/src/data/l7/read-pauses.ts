import type { Connection } from "../transport/transport.ts";

/** What comes before its turn is kept, and enough of it is. */
export const FOR_STASH = 1;
/** The backend does not take the request's body, or is not connected yet. */
export const FOR_BACKEND = 2;

/** Why a client is not read: it is again once no reason is left. */
export class ReadPauses {
  readonly #client: Connection;
  #reasons = 0;

  constructor(client: Connection) {
    this.#client = client;
  }

  add(reason: number): void {
    if (this.#reasons === 0) this.#client.pause();
    this.#reasons |= reason;
  }

  remove(reason: number): void {
    if ((this.#reasons & reason) === 0) return;
    this.#reasons &= ~reason;
    if (this.#reasons === 0) this.#client.resume();
  }
}
