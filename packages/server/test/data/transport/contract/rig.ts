import { systemClock } from "../../../../src/clock.ts";
import type { Clock } from "../../../../src/clock.ts";
import type {
  Connection,
  ListeningSocket,
  ListenOptions,
  Transport,
} from "../../../../src/data/transport/transport.ts";
import { Peer, PeerServer } from "../peer.ts";
import { Recorder } from "../recorder.ts";

/** Makes the engine under test; its connect timeouts run on the clock given. */
export type CreateTransport = (clock: Clock) => Transport;

/** One end on the engine under test, the other on plain `net`. */
export interface Pair {
  readonly connection: Connection;
  readonly recorder: Recorder;
  readonly peer: Peer;
}

/** What every group of the contract starts from; closes what it opened. */
export class Rig {
  readonly transport: Transport;
  readonly #servers: PeerServer[] = [];
  readonly #listening: ListeningSocket[] = [];
  readonly #connections: Connection[] = [];
  readonly #peers: Peer[] = [];

  constructor(create: CreateTransport, clock: Clock = systemClock) {
    this.transport = create(clock);
  }

  async server(address?: string): Promise<PeerServer> {
    const server = await PeerServer.listen(address);
    this.#servers.push(server);
    return server;
  }

  async listen(
    onConnection: (connection: Connection) => void,
    options: Partial<ListenOptions> = {},
  ): Promise<ListeningSocket> {
    const all = { address: "127.0.0.1", port: 0, reusePort: false, backlog: 128, ...options };
    const listening = await this.transport.listen(all, (connection) => {
      this.#connections.push(connection);
      onConnection(connection);
    });
    this.#listening.push(listening);
    return listening;
  }

  connect(target: { readonly address: string; readonly port: number }, timeoutMs = 10_000): Omit<Pair, "peer"> {
    const recorder = new Recorder();
    const { address, port } = target;
    const connection = this.transport.connect({ address, port, timeoutMs }, recorder);
    this.#connections.push(connection);
    return { connection, recorder };
  }

  async peer(target: { readonly address: string; readonly port: number }): Promise<Peer> {
    const peer = await Peer.connect(target);
    this.#peers.push(peer);
    return peer;
  }

  /** A connection that the engine made. */
  async outgoing(): Promise<Pair> {
    const server = await this.server();
    const { connection, recorder } = this.connect(server);
    const [peer] = await Promise.all([server.next(), recorder.heard("connect")]);
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
    return { connection: await arrived.promise, recorder, peer };
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
