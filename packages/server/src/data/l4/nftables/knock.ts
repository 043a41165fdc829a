import { createSocket, type Socket } from "node:dgram";

/** The discard service: nobody listens there, and nobody minds. */
const DISCARD_PORT = 9;

/** Sends empty datagrams, for which the kernel must know the link address of where they go. */
export class Knocker {
  readonly #sockets = new Map<"udp4" | "udp6", Socket>();

  /** Sends one. That it cannot be sent is no error: the neighbour table will say so. */
  knock(address: string): void {
    this.#socketFor(address.includes(":") ? "udp6" : "udp4").send("", DISCARD_PORT, address, () => undefined);
  }

  /** Closes what is open. */
  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
    this.#sockets.clear();
  }

  #socketFor(type: "udp4" | "udp6"): Socket {
    const known = this.#sockets.get(type);
    if (known !== undefined) return known;
    const socket = createSocket(type);
    socket.on("error", () => undefined);
    socket.unref();
    this.#sockets.set(type, socket);
    return socket;
  }
}
