import { systemClock } from "../../../../src/clock.ts";
import type { Clock } from "../../../../src/clock.ts";
import {
  type Connection,
  type ListeningSocket,
  type ListenOptions,
  type Transport,
  noHandlers,
} from "../../../../src/data/transport/transport.ts";
import { Peer, PeerServer } from "../peer.ts";
import { Recorder } from "../recorder.ts";
import { type TestTls, testTls } from "../test-tls.ts";

/** Makes the engine under test; its connect timeouts run on the clock given. */
export type CreateTransport = (clock: Clock) => Transport;

/** What connections of the contract are: TCP, or TLS over it. */
export type Wire = "cleartext" | "TLS";

/** One end on the engine under test, the other on plain `net` or `tls`. */
export interface Pair {
  readonly connection: Connection;
  readonly recorder: Recorder;
  readonly peer: Peer;
}

/** How a rig differs from the ordinary one. */
export interface RigOptions {
  readonly clock?: Clock;
  readonly wire?: Wire;
}

/** What every group of the contract starts from; closes what it opened. */
export class Rig {
  readonly transport: Transport;
  readonly #tls: TestTls | undefined;
  readonly #servers: PeerServer[] = [];
  readonly #listening: ListeningSocket[] = [];
  readonly #connections: Connection[] = [];
  readonly #peers: Peer[] = [];

  constructor(create: CreateTransport, { clock = systemClock, wire = "cleartext" }: RigOptions = {}) {
    this.transport = create(clock);
    this.#tls = wire === "TLS" ? testTls() : undefined;
  }

  async server(address?: string): Promise<PeerServer> {
    const server = await PeerServer.listen(address, this.#tls?.peerServer);
    this.#servers.push(server);
    return server;
  }

  async listen(
    onConnection: (connection: Connection) => void,
    options: Partial<ListenOptions> = {},
  ): Promise<ListeningSocket> {
    const all = { address: "127.0.0.1", port: 0, reusePort: false, backlog: 128, ...options };
    const listening = await this.transport.listen(all, (connection) => {
      const served = this.#secure(connection);
      this.#connections.push(served);
      onConnection(served);
    });
    this.#listening.push(listening);
    return listening;
  }

  #secure(accepted: Connection): Connection {
    if (this.#tls === undefined) return accepted;
    return this.transport.secure(accepted, { server: this.#tls.server, handshakeTimeoutMs: 10_000 }, noHandlers);
  }

  connect(target: { readonly address: string; readonly port: number }, timeoutMs = 10_000): Omit<Pair, "peer"> {
    const recorder = new Recorder();
    const { address, port } = target;
    const connection = this.transport.connect({ address, port, timeoutMs, ...this.#tls?.connect }, recorder);
    this.#connections.push(connection);
    return { connection, recorder };
  }

  async peer(target: { readonly address: string; readonly port: number }): Promise<Peer> {
    const peer = await Peer.connect(target, this.#tls?.peer);
    this.#peers.push(peer);
    return peer;
  }

  /** A connection that the engine made. */
  async outgoing(): Promise<Pair> {
    const server = await this.server();
    const { connection, recorder } = this.connect(server);
    const [peer] = await Promise.all([server.next(), recorder.heard("connect")]);
    if (this.#tls !== undefined) await secured(recorder);
    return { connection, recorder, peer };
  }

  /** A connection that the engine accepted. */
  async accepted(prepare?: (connection: Connection) => void): Promise<Pair> {
    const recorder = new Recorder();
    const arrived = Promise.withResolvers<Connection>();
    const listening = await this.listen((connection) => {
      connection.handlers = recorder;
      prepare?.(connection);
      arrived.resolve(connection);
    });
    const peer = await this.peer(listening);
    const connection = await arrived.promise;
    if (this.#tls !== undefined) await secured(recorder);
    return { connection, recorder, peer };
  }

  /**
   * A round trip over connections of its own: when it is over, everything that was on its way on loopback before it
   * began has been seen by the event loop.
   */
  async roundTrip(): Promise<void> {
    const { connection, recorder, peer } = await this.accepted();
    await peer.send("ping");
    await recorder.receivedAtLeast(4);
    connection.write(Buffer.from("pong"));
    await peer.receivedAtLeast(4);
    connection.reset();
    await recorder.heard("close");
  }

  async close(): Promise<void> {
    for (const connection of this.#connections) connection.reset();
    for (const { socket } of this.#peers) socket.destroy();
    await Promise.all(this.#listening.map((listening) => listening.close()));
    await Promise.all(this.#servers.map((server) => server.close()));
  }
}

/** Session tickets leave right after the handshake: a reset before that is met by that write, and is none of the test's. */
async function secured(recorder: Recorder): Promise<void> {
  await recorder.heard("connect");
  await new Promise<void>((resolve) => void setImmediate(resolve));
}
