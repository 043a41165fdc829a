import { constants } from "node:os";

import { isExhaustion, isLoss, MOST_WAITING, noPort, RECEIVE_BUFFER_BYTES } from "./datagram-limits.ts";
import type {
  BindOptions,
  BoundSocket,
  BoundSocketHandlers,
  DatagramEndpoint,
  DatagramTransport,
  PeerSocket,
  PeerSocketHandlers,
} from "./datagram.ts";
import { hostPort, type Operation, systemError } from "./system-error.ts";
import type { TransportError } from "./transport.ts";
import type { SendRequest, SocketName, UdpBinding, UdpHandle } from "./udp-binding.ts";

/** UDP sockets on Node's own handles. */
export function createHandleDatagrams(binding: UdpBinding): DatagramTransport {
  const sender = new Sender(binding);
  return {
    bind: (options, handlers) =>
      new Promise((resolve) => resolve(new HandleBoundSocket({ binding, sender, options, handlers }))),
    connect: (peer, handlers) => new HandlePeerSocket({ binding, sender, peer, handlers }),
  };
}

const NO_BUFFERS = -constants.errno.ENOBUFS;

/** Whose datagrams may have to wait. */
interface Waiting {
  /** Datagrams that wait. */
  waiting: number;
  /** What became of one of them: 0, or a negative errno. */
  onSent(status: number): void;
}

/**
 * Sends without making anything per datagram: the kernel nearly always takes it within the call, and then Node does not
 * look at the request and forgets the list.
 */
class Sender {
  readonly #binding: UdpBinding;
  #request: SendRequest;
  #list: Uint8Array[] = [];

  constructor(binding: UdpBinding) {
    this.#binding = binding;
    this.#request = new binding.SendRequest();
  }

  /** @returns 0, or a negative errno; what comes later is told to the owner. */
  send(owner: Waiting, handle: UdpHandle, bytes: Uint8Array, to?: DatagramEndpoint): number {
    if (owner.waiting >= MOST_WAITING) return NO_BUFFERS;
    const request = this.#request;
    const list = this.#list;
    list[0] = bytes;
    const result = sendWith(handle, { request, list, to });
    if (result === 0) this.#leaveToNode(owner);
    return Math.min(result, 0);
  }

  #leaveToNode(owner: Waiting): void {
    const request = this.#request;
    owner.waiting += 1;
    request.list = this.#list;
    request.oncomplete = (status) => {
      owner.waiting -= 1;
      owner.onSent(status);
    };
    this.#request = new this.#binding.SendRequest();
    this.#list = [];
  }
}

function sendWith(
  handle: UdpHandle,
  { request, list, to }: { request: SendRequest; list: Uint8Array[]; to: DatagramEndpoint | undefined },
): number {
  if (to === undefined) return handle.send(request, list, 1, true);
  return to.address.includes(":")
    ? handle.send6(request, list, 1, to.port, to.address, true)
    : handle.send(request, list, 1, to.port, to.address, true);
}

/** A handle's owner. */
interface Receiver {
  /** @param size of the datagram, or a negative errno. */
  onMessage(size: number, bytes: Uint8Array, from: SocketName): void;
}

/** One function for all sockets: what a flow costs is what it holds. */
const deliver: UdpHandle["onmessage"] = (size, handle, bytes, from) =>
  (handle.owner as Receiver).onMessage(size, bytes, from);

interface BoundSocketOptions {
  readonly binding: UdpBinding;
  readonly sender: Sender;
  readonly options: BindOptions;
  readonly handlers: BoundSocketHandlers;
}

class HandleBoundSocket implements BoundSocket, Receiver, Waiting {
  waiting = 0;
  readonly address: string;
  readonly port: number;
  readonly #handle: UdpHandle;
  readonly #sender: Sender;
  readonly #handlers: BoundSocketHandlers;
  #closed: Promise<void> | undefined;

  /** @throws TransportError when the address cannot be bound. */
  constructor({ binding, sender, options, handlers }: BoundSocketOptions) {
    const handle = new binding.Udp();
    this.#handle = handle;
    this.#sender = sender;
    this.#handlers = handlers;
    const { address, port } = open(handle, binding, options);
    this.address = address;
    this.port = port;
    Object.assign(handle, { owner: this, onmessage: deliver });
    handle.recvStart();
  }

  send(bytes: Uint8Array, to: DatagramEndpoint): void {
    if (this.#closed !== undefined) return;
    if (to.port === 0) return this.#loseLater(noPort(to));
    const errno = this.#sender.send(this, this.#handle, bytes, to);
    if (errno < 0) this.#loseLater(systemError("write", hostPort(to.address, to.port), errno));
  }

  close(): Promise<void> {
    // The handle is closed at once; libuv calls back at the end of this round of the event loop.
    this.#closed ??= new Promise((resolve) => this.#handle.close(resolve));
    return this.#closed;
  }

  onSent(status: number): void {
    if (status < 0) this.#lose(this.#explain("write", status));
  }

  onMessage(size: number, bytes: Uint8Array, from: SocketName): void {
    if (this.#closed !== undefined) return;
    if (size < 0) this.#lose(this.#explain("read", size));
    else this.#handlers.onDatagram(bytes, from, this);
  }

  #explain(operation: Operation, errno: number): TransportError {
    return systemError(operation, hostPort(this.address, this.port), errno);
  }

  #loseLater(error: TransportError): void {
    queueMicrotask(() => this.#lose(error));
  }

  #lose(error: TransportError): void {
    if (this.#closed === undefined) this.#handlers.onLoss(error);
  }
}

/** @returns where it is bound. */
function open(handle: UdpHandle, binding: UdpBinding, { address, port, reusePort }: BindOptions): SocketName {
  const isIpv6 = address.includes(":");
  const flags = (isIpv6 ? binding.ipv6Only : 0) | (reusePort ? binding.reusePort : 0);
  const errno = isIpv6 ? handle.bind6(address, port, flags) : handle.bind(address, port, flags);
  if (errno !== 0) {
    handle.close();
    throw systemError("listen", hostPort(address, port), errno);
  }
  // More than net.core.rmem_max is cut to it without an error.
  handle.bufferSize(RECEIVE_BUFFER_BYTES, true, {});
  const bound: Partial<SocketName> = {};
  handle.getsockname(bound);
  return bound as SocketName;
}

interface PeerSocketOptions {
  readonly binding: UdpBinding;
  readonly sender: Sender;
  readonly peer: DatagramEndpoint;
  readonly handlers: PeerSocketHandlers;
}

class HandlePeerSocket implements PeerSocket, Receiver, Waiting {
  waiting = 0;
  readonly #handle: UdpHandle;
  readonly #sender: Sender;
  readonly #peer: DatagramEndpoint;
  readonly #handlers: PeerSocketHandlers;
  #isOpen = true;

  /** @throws TransportError when the system has no socket or port left. */
  constructor({ binding, sender, peer, handlers }: PeerSocketOptions) {
    const { address, port } = peer;
    const handle = new binding.Udp();
    this.#handle = handle;
    this.#sender = sender;
    this.#peer = peer;
    this.#handlers = handlers;
    Object.assign(handle, { owner: this, onmessage: deliver });
    const errno = address.includes(":") ? handle.connect6(address, port) : handle.connect(address, port);
    if (errno === 0) handle.recvStart();
    else this.#refuse(this.#explain("connect", errno));
  }

  send(bytes: Uint8Array): void {
    if (!this.#isOpen) return;
    const errno = this.#sender.send(this, this.#handle, bytes);
    if (errno < 0) this.#hearLater(this.#explain("write", errno));
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#handle.close();
  }

  onMessage(size: number, bytes: Uint8Array): void {
    if (!this.#isOpen) return;
    if (size < 0) this.#hear(this.#explain("connect", size));
    else this.#handlers.onDatagram(bytes);
  }

  onSent(status: number): void {
    if (status < 0) this.#hear(this.#explain("write", status));
  }

  #refuse(error: TransportError): void {
    if (!isExhaustion(error)) return this.#hearLater(error);
    this.close();
    throw error;
  }

  #explain(operation: Operation, errno: number): TransportError {
    return systemError(operation, hostPort(this.#peer.address, this.#peer.port), errno);
  }

  #hearLater(error: TransportError): void {
    queueMicrotask(() => this.#hear(error));
  }

  #hear(error: TransportError): void {
    if (!this.#isOpen) return;
    if (isLoss(error)) this.#handlers.onLoss(error);
    else this.#handlers.onUnreachable(error);
  }
}
