import type { Balancer, Lease, Refusal } from "../balancer.ts";
import type { RejectReason } from "../data-plane.ts";
import type { Flow } from "../select/selector.ts";
import type {
  BoundSocket,
  DatagramEndpoint,
  DatagramTransport,
  PeerSocket,
  PeerSocketHandlers,
} from "../transport/datagram.ts";
import { TransportError } from "../transport/transport.ts";
import type { TabledFlow } from "./flow-table.ts";
import type { ListenerAccount } from "./listener-account.ts";
import { endpointsOf, writeDatagramProxyHeader } from "./proxy-protocol.ts";

/** Backends chosen for one datagram. */
const MAX_CONNECT_ATTEMPTS = 3;

/** What a {@link UdpFlow} needs of its listener. */
export interface UdpFlowOptions {
  readonly vip: string;
  readonly vipPort: number;
  readonly transport: DatagramTransport;
  readonly account: ListenerAccount;
  /** The balancer of the listener's pool as of now. */
  readonly pool: () => Balancer | undefined;
  /** A datagram came back from the backend. */
  readonly onReply: (flow: UdpFlow) => void;
  /** The system has no socket left: ends some other flow. */
  readonly onExhausted: () => void;
  /** The flow must end: its backend was taken away. */
  readonly onRevoke: (flow: UdpFlow) => void;
}

/** Where a flow comes from, and the socket that its client sees. */
export interface UdpClient {
  readonly key: string;
  readonly endpoint: DatagramEndpoint;
  readonly socket: BoundSocket;
}

/**
 * The datagrams between one client and its backend. The socket towards the backend is the flow's own, so that what
 * comes back there is this client's, and nobody but the backend is heard.
 *
 * A backend whose host says that nothing listens there is left, and the next datagram goes to another one. Lost is what
 * was under way: a datagram is not kept after it was sent.
 */
export class UdpFlow implements Flow, TabledFlow<UdpFlow>, PeerSocketHandlers {
  readonly key: string;
  readonly clientAddress: string;
  usedAtMs = 0;
  newer: UdpFlow | undefined;
  older: UdpFlow | undefined;
  readonly #client: UdpClient;
  readonly #options: UdpFlowOptions;
  #lease: Lease | undefined;
  #backend: PeerSocket | undefined;
  /** Begins every datagram to the backend. */
  #header: Buffer | undefined;
  /** Ids of the backends that could not be reached. */
  #left: Set<string> | undefined;
  #isEnded = false;

  constructor(client: UdpClient, options: UdpFlowOptions) {
    this.key = client.key;
    this.#client = client;
    this.clientAddress = withoutZone(client.endpoint.address);
    this.#options = options;
  }

  get clientPort(): number {
    return this.#client.endpoint.port;
  }

  get vip(): string {
    return this.#options.vip;
  }

  get vipPort(): number {
    return this.#options.vipPort;
  }

  /** Gives the flow a backend, if it has none. @returns why there is none. */
  connect(): RejectReason | undefined {
    for (let attempt = 0; this.#backend === undefined; attempt++) {
      if (attempt === MAX_CONNECT_ATTEMPTS) return "connect-failed";
      const pool = this.#options.pool();
      if (pool === undefined) return "no-pool";
      const choice = pool.pick(this, this.#left);
      this.#header =
        pool.sendProxyProtocol === "V2" ? writeDatagramProxyHeader(endpointsOf(this, undefined)) : undefined;
      const failure = choice.kind === "refusal" ? this.#refused(choice) : this.#open(choice);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  /** Sends a client's datagram on; to another backend if the last one could not be reached. */
  forward(bytes: Uint8Array): void {
    const refusal = this.connect();
    if (refusal !== undefined) return this.#options.account.reject(refusal);
    this.#options.account.count(bytes.length, 0);
    this.#lease?.count(bytes.length, 0);
    this.#backend?.send(this.#header === undefined ? bytes : Buffer.concat([this.#header, bytes]));
  }

  /** Lets the backend go, for good. Idempotent. */
  end(): void {
    this.#isEnded = true;
    this.#release();
  }

  onDatagram(bytes: Uint8Array): void {
    this.#options.account.count(0, bytes.length);
    this.#lease?.count(0, bytes.length);
    this.#lease?.judge("success");
    this.#client.socket.send(bytes, this.#client.endpoint);
    this.#options.onReply(this);
  }

  onUnreachable(): void {
    this.#lease?.failed();
    this.#leave();
  }

  onLoss(): void {
    this.#options.account.reject("send-failed");
  }

  /** @returns why no other backend need be tried. */
  #open(lease: Lease): RejectReason | undefined {
    this.#lease = lease;
    const { address, port } = lease.backend;
    if (address === undefined) {
      this.#leave();
      return undefined;
    }
    this.#backend = this.#openSocket({ address, port });
    if (this.#backend === undefined) {
      this.#release();
      return "flow-limit";
    }
    lease.onRevoke = () => this.#options.onRevoke(this);
    lease.connected();
    return undefined;
  }

  /** When the system has none left, once more after another flow has given up its own. */
  #openSocket(peer: DatagramEndpoint): PeerSocket | undefined {
    const { transport, onExhausted } = this.#options;
    try {
      return transport.connect(peer, this);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
    }
    onExhausted();
    // The one that gave up may have been this one.
    if (this.#isEnded) return undefined;
    try {
      return transport.connect(peer, this);
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      return undefined;
    }
  }

  #leave(): void {
    if (this.#lease !== undefined) (this.#left ??= new Set()).add(this.#lease.backend.id);
    this.#release();
  }

  #release(): void {
    this.#backend?.close();
    this.#backend = undefined;
    this.#lease?.release();
    this.#lease = undefined;
  }

  /** When all that could be had were left before, the first of them may be back: it begins anew. */
  #refused({ reason }: Refusal): RejectReason | undefined {
    const wereLeft = this.#left !== undefined;
    this.#left = undefined;
    if (wereLeft) return undefined;
    return reason === "backend-limit" ? "backend-limit" : "no-backend";
  }
}

/** Hashes and CIDRs are about addresses; which interface leads to a link-local one is for the answer alone. */
export function withoutZone(address: string): string {
  const zone = address.indexOf("%");
  return zone < 0 ? address : address.slice(0, zone);
}
