/**
 * Node's UDP handles: what `dgram.Socket` is made of. Not a public interface of Node, so it is used only in versions that
 * the contract suite has passed with; everywhere else `dgram-datagrams.ts` does the same on public interfaces, at nearly
 * twice the cost of a new flow (tools/bench/udp.ts).
 */

/** A UDP socket of libuv. Numbers returned are 0 or a negative errno, unless said otherwise. */
export interface UdpHandle {
  /** The owner, found again from the callbacks. */
  owner: object | undefined;
  /** `size` is negative for an errno; `bytes` are fresh memory each time. */
  onmessage: (size: number, handle: UdpHandle, bytes: Uint8Array, from: SocketName) => void;
  bind(address: string, port: number, flags: number): number;
  bind6(address: string, port: number, flags: number): number;
  connect(address: string, port: number): number;
  connect6(address: string, port: number): number;
  recvStart(): number;
  /** On a connected socket. Above 0: sent (size + 1); 0: under way. */
  send(request: SendRequest, list: readonly Uint8Array[], count: number, isHeard: boolean): number;
  send(
    request: SendRequest,
    list: readonly Uint8Array[],
    count: number,
    port: number,
    address: string,
    isHeard: boolean,
  ): number;
  send6(
    request: SendRequest,
    list: readonly Uint8Array[],
    count: number,
    port: number,
    address: string,
    isHeard: boolean,
  ): number;
  /** @returns undefined on failure; the reason is in `context`. */
  bufferSize(bytes: number, isReceive: boolean, context: object): number | undefined;
  getsockname(out: Partial<SocketName>): number;
  close(onClose?: () => void): void;
}

/** One end. */
export interface SocketName {
  address: string;
  port: number;
}

/** A datagram under way. */
export interface SendRequest {
  oncomplete: (this: SendRequest, status: number) => void;
  handle: UdpHandle;
  /** Keeps the bytes alive until they are sent. */
  list: readonly Uint8Array[];
}

/** The parts of Node's `udp_wrap` that are used. */
export interface UdpBinding {
  readonly Udp: new () => UdpHandle;
  readonly SendRequest: new () => SendRequest;
  readonly ipv6Only: number;
  readonly reusePort: number;
}

const METHODS = ["bind", "bind6", "connect", "connect6", "recvStart", "send", "send6", "bufferSize", "close"];

/** @returns undefined where the handles are not known to behave as described here. */
export function loadUdpBinding(version: string = process.versions.node): UdpBinding | undefined {
  const [major, minor] = version.split(".").map(Number) as [number, number];
  if (major !== 26 || minor < 10) return undefined;
  try {
    return bind(process as unknown as NodeInternals);
  } catch {
    // Forbidden (--permission) or gone: the public interface serves.
    return undefined;
  }
}

interface NodeInternals {
  binding(name: "udp_wrap"): {
    readonly UDP: UdpBinding["Udp"];
    readonly SendWrap: UdpBinding["SendRequest"];
    readonly constants: { readonly UV_UDP_IPV6ONLY: number; readonly UV_UDP_REUSEPORT: number };
  };
}

function bind(internals: NodeInternals): UdpBinding | undefined {
  const { UDP, SendWrap, constants } = internals.binding("udp_wrap");
  const prototype = UDP.prototype as unknown as Readonly<Record<string, unknown>>;
  const { UV_UDP_IPV6ONLY: ipv6Only, UV_UDP_REUSEPORT: reusePort } = constants;
  const isWhole = METHODS.every((name) => typeof prototype[name] === "function" || name === "close");
  if (!isWhole || ipv6Only === undefined || reusePort === undefined) return undefined;
  return { Udp: UDP, SendRequest: SendWrap, ipv6Only, reusePort };
}
