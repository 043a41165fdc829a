import type { Cancel } from "../../clock.ts";
import { type Balancer, type Lease, type Refusal, rejectReasonOf, type RevokeReason } from "../balancer.ts";
import type { RejectReason } from "../data-plane.ts";
import type { Flow } from "../select/selector.ts";
import type { Connection, ConnectionHandlers, Transport, TransportError } from "../transport/transport.ts";
import type { IdleSubject } from "./idle-sweep.ts";
import type { ListenerAccount } from "./listener-account.ts";
import { endpointsOf, writeProxyHeader } from "./proxy-protocol.ts";

/** Backends tried for one connection; bounds how long its client waits: attempts × connect timeout. */
export const MAX_CONNECT_ATTEMPTS = 3;

/** What a {@link TcpSession} needs of its listener, as it was when the connection came. */
export interface TcpSessionOptions {
  readonly account: ListenerAccount;
  readonly balancer: Balancer;
  readonly transport: Transport;
  readonly vip: string;
  readonly vipPort: number;
  readonly connectTimeoutMs: number;
  /** Called once, when both sides are closed. */
  readonly onEnd: (session: TcpSession) => void;
}

/**
 * One client connection and the backend connection it is joined to; hears the events of both.
 *
 * The client is not read until its backend is connected, so nothing has to be kept meanwhile. From then on bytes go
 * straight from one side's read buffer to the other side's socket; a side whose socket is full pauses the other.
 * A FIN is passed on and leaves the other direction open; a failure of one side resets the other.
 */
export class TcpSession implements ConnectionHandlers, Flow, IdleSubject {
  moved = true;
  quietSinceMs = 0;
  readonly #options: TcpSessionOptions;
  readonly #client: Connection;
  #clientOpen = true;
  /** What came before the session did; the backend's first. */
  #received: Uint8Array | undefined;
  #backend: Connection | undefined;
  #backendOpen = false;
  #established = false;
  /** Ended by this side; no other backend is tried. */
  #aborted = false;
  /** The attempt under way was ended for a reason that is not the backend's failure to answer. */
  #attemptRevoked = false;
  #lease: Lease | undefined;
  /** Set while it waits for a backend to have a place. */
  #leaveQueue: Cancel | undefined;
  #attempts = 0;
  #tried: Set<string> | undefined;

  constructor(client: Connection, options: TcpSessionOptions) {
    this.#options = options;
    this.#client = client;
  }

  // Read from the connection on demand, because an engine may need a system call for it and few selectors ask.
  get clientAddress(): string {
    return this.#client.remoteAddress;
  }

  get clientPort(): number {
    return this.#client.remotePort;
  }

  get vip(): string {
    return this.#options.vip;
  }

  get vipPort(): number {
    return this.#options.vipPort;
  }

  /** Takes the client over and connects it to a backend. @param received what has come of it already; copied. */
  start(received: Uint8Array): void {
    if (received.length > 0) this.#received = Uint8Array.from(received);
    this.#client.pause();
    this.#client.handlers = this;
    this.#connectBackend();
  }

  /** Ends the connection from above, with a reset: no peer may take a cut stream for a complete one. */
  abort(): void {
    this.#aborted = true;
    this.#stopWaiting();
    this.#client.reset();
    if (this.#backendOpen) this.#backend?.reset();
  }

  /** Ends a silent connection: in order, unless a peer does not take what it was sent. */
  expire(): void {
    if (!this.#established) return this.abort();
    for (const connection of [this.#client, this.#backend]) {
      if (connection?.pendingBytes === 0) connection.close();
      else connection?.reset();
    }
  }

  onConnect(): void {
    this.#established = true;
    this.#lease?.connected();
    this.#client.resume();
    const received = this.#received;
    this.#received = undefined;
    if (received !== undefined) this.onData(this.#client, received);
  }

  onData(from: Connection, bytes: Uint8Array): void {
    this.moved = true;
    const bytesIn = from === this.#client ? bytes.length : 0;
    const bytesOut = bytes.length - bytesIn;
    this.#options.account.count(bytesIn, bytesOut);
    this.#lease?.count(bytesIn, bytesOut);
    if (bytesOut > 0) this.#lease?.judge("success");
    if (this.#peerOf(from)?.write(bytes) === false) from.pause();
  }

  onDrain(to: Connection): void {
    this.moved = true;
    this.#peerOf(to)?.resume();
  }

  onEnd(from: Connection): void {
    this.moved = true;
    // One that has nothing to say and ends in order is well, too.
    if (from === this.#backend) this.#lease?.judge("success");
    this.#peerOf(from)?.shutdown();
  }

  onClose(connection: Connection, error: TransportError | undefined): void {
    if (connection === this.#client) this.#clientOpen = false;
    else this.#backendOpen = false;
    if (!this.#established) this.#connectEnded(connection);
    else if (error !== undefined) {
      // A reset that this side or the client is behind says nothing of the backend.
      if (connection === this.#backend && this.#clientOpen && !this.#aborted) this.#lease?.judge("failure");
      this.#peerOf(connection)?.reset();
    }
    if (!this.#clientOpen && !this.#backendOpen) this.#end();
  }

  #peerOf(connection: Connection): Connection | undefined {
    return connection === this.#client ? this.#backend : this.#client;
  }

  /** A side closed before the backend was connected. */
  #connectEnded(connection: Connection): void {
    if (connection === this.#client) {
      this.#stopWaiting();
      return this.#backendOpen ? this.#backend?.reset() : undefined;
    }
    if (!this.#clientOpen || this.#aborted) return;
    if (!this.#attemptRevoked) this.#lease?.failed();
    this.#attemptRevoked = false;
    this.#connectAnother();
  }

  #connectAnother(): void {
    const failed = this.#lease;
    failed?.release();
    this.#lease = undefined;
    if (failed !== undefined) (this.#tried ??= new Set()).add(failed.backend.id);
    if (this.#attempts >= MAX_CONNECT_ATTEMPTS) this.#refuse("connect-failed");
    else this.#connectBackend();
  }

  #connectBackend(): void {
    const choice = this.#options.balancer.pick(this, this.#tried);
    if (choice.kind === "lease") this.#connect(choice);
    // What the backends tried had to say is the truth; that no other is left is not.
    else if (this.#attempts > 0) this.#refuse("connect-failed");
    else if (choice.reason === "backend-limit") this.#wait();
    else this.#refuse(rejectReasonOf(choice));
  }

  #wait(): void {
    const leave = this.#options.balancer.wait(this, (choice) => {
      this.#leaveQueue = undefined;
      this.#settle(choice);
    });
    if (typeof leave === "function") this.#leaveQueue = leave;
    else this.#refuse(rejectReasonOf(leave));
  }

  #settle(choice: Lease | Refusal): void {
    if (choice.kind === "lease") this.#connect(choice);
    else this.#refuse(rejectReasonOf(choice));
  }

  #stopWaiting(): void {
    this.#leaveQueue?.();
    this.#leaveQueue = undefined;
  }

  #connect(lease: Lease): void {
    const { balancer, transport, connectTimeoutMs } = this.#options;
    this.#attempts += 1;
    this.#lease = lease;
    const { address, port } = lease.backend;
    if (address === undefined) return this.#connectAnother();
    lease.onRevoke = (reason) => this.#revoked(reason);
    const preface = this.#prefaceFor(balancer);
    const target = { address, port, timeoutMs: connectTimeoutMs };
    this.#backend = transport.connect(preface === undefined ? target : { ...target, preface }, this);
    this.#backendOpen = true;
  }

  /** Who the client is, for backends that want to be told. */
  #prefaceFor({ sendProxyProtocol }: Balancer): Uint8Array | undefined {
    if (sendProxyProtocol === undefined) return undefined;
    return writeProxyHeader(sendProxyProtocol, endpointsOf(this, this.#client.proxied));
  }

  /** The backend goes away. A connection that still waits for it is given to another. */
  #revoked(reason: RevokeReason): void {
    if (this.#established || reason === "shutdown") return this.abort();
    if (!this.#backendOpen) return;
    this.#attemptRevoked = true;
    this.#backend?.reset();
  }

  #refuse(reason: RejectReason): void {
    this.#options.account.reject(reason);
    this.#client.reset();
  }

  #end(): void {
    this.#lease?.release();
    this.#options.onEnd(this);
  }
}
