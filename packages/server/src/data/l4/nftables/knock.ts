import type { DatagramTransport } from "../../transport/datagram.ts";
import { TransportError } from "../../transport/transport.ts";

/** The discard service: nobody listens there, and nobody minds. */
const DISCARD_PORT = 9;
const NOTHING = new Uint8Array(0);
const DEAF = { onDatagram: () => undefined, onUnreachable: () => undefined, onLoss: () => undefined };

/**
 * Sends an empty datagram, for which the kernel must know the link address of where it goes. That it cannot be sent is no
 * error: the neighbour table will say so.
 */
export function knock(datagrams: Pick<DatagramTransport, "connect">, address: string): void {
  try {
    const socket = datagrams.connect({ address, port: DISCARD_PORT }, DEAF);
    socket.send(NOTHING);
    socket.close();
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
  }
}
