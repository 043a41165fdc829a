import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { networkInterfaces } from "node:os";

import type {
  BoundSocket,
  DatagramEndpoint,
  DatagramTransport,
  PeerSocket,
} from "../../../../src/data/transport/datagram.ts";
import type { TransportError } from "../../../../src/data/transport/transport.ts";

/** Makes the engine under test. */
export type CreateDatagrams = () => DatagramTransport;

/** The most that one datagram of IPv4 carries: 65,535 bytes less two headers. */
export const LARGEST_IPV4 = 65_507;

/** IPv6's too, where this host has it. */
export const LOOPBACK = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === "::1"),
)
  ? ["127.0.0.1", "::1"]
  : ["127.0.0.1"];

/** What a handler heard, to be waited for. */
export class Heard<T> {
  readonly all: T[] = [];
  #wake: () => void = () => undefined;

  readonly note = (what: T): void => {
    this.all.push(what);
    this.#wake();
  };

  async count(wanted: number): Promise<T[]> {
    while (this.all.length < wanted) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.all;
  }
}

/** A plain socket on the other side. */
export class Other {
  readonly socket: Socket;
  readonly heard = new Heard<{ bytes: Buffer; from: RemoteInfo }>();

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("message", (bytes, from) => this.heard.note({ bytes, from }));
  }

  static async open(address = "127.0.0.1", port = 0): Promise<Other> {
    const socket = createSocket({ type: address.includes(":") ? "udp6" : "udp4", recvBufferSize: 1 << 20 });
    socket.bind(port, address);
    await once(socket, "listening");
    return new Other(socket);
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** A port on which nothing listens. */
  static async closedPort(): Promise<number> {
    const other = await Other.open();
    const { port } = other;
    await other.close();
    return port;
  }

  async close(): Promise<void> {
    this.socket.close();
    await once(this.socket, "close");
  }
}

/** A datagram that the engine's bound socket heard. */
export interface HeardDatagram {
  readonly bytes: Buffer;
  readonly from: DatagramEndpoint;
  readonly to: BoundSocket;
}

/** What every group of the contract starts from; closes what it opened. */
export class DatagramRig {
  readonly transport: DatagramTransport;
  readonly #closing: (() => unknown)[] = [];

  constructor(create: CreateDatagrams) {
    this.transport = create();
  }

  async other(address?: string, port?: number): Promise<Other> {
    const other = await Other.open(address, port);
    this.#closing.push(() => other.close().catch(() => undefined));
    return other;
  }

  async bind(place: Partial<DatagramEndpoint> & { reusePort?: boolean } = {}) {
    const datagrams = new Heard<HeardDatagram>();
    const losses = new Heard<TransportError>();
    const socket = await this.transport.bind(
      { address: "127.0.0.1", port: 0, reusePort: false, ...place },
      {
        onDatagram: (bytes, { address, port }, to) =>
          datagrams.note({
            bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
            from: { address, port },
            to,
          }),
        onLoss: losses.note,
      },
    );
    this.#closing.push(() => socket.close());
    return { socket, datagrams, losses };
  }

  connect(peer: DatagramEndpoint) {
    const datagrams = new Heard<Buffer>();
    const unreachable = new Heard<TransportError>();
    const losses = new Heard<TransportError>();
    const socket: PeerSocket = this.transport.connect(peer, {
      onDatagram: (bytes) => datagrams.note(Buffer.from(bytes)),
      onUnreachable: unreachable.note,
      onLoss: losses.note,
    });
    this.#closing.push(() => socket.close());
    return { socket, datagrams, unreachable, losses };
  }

  async close(): Promise<void> {
    for (const close of this.#closing) await close();
  }
}
