/**
 * Node's TCP handles: what `net.Socket` is made of, without the stream machinery on top. Not a public interface of
 * Node, so it is used only in versions that the contract suite has passed with; everywhere else `stream-transport.ts`
 * does the same on public interfaces, 10 % slower per request and 25 % per connection (tools/bench/l4.ts).
 */

/** A TCP socket of libuv. Numbers returned are 0 or a negative errno. */
export interface TcpHandle {
  /** The owner, found again from the callbacks, which are called with `this` = the handle. */
  owner: object | undefined;
  onread: ((this: TcpHandle) => void) | undefined;
  onconnection: ((this: TcpHandle, status: number, client: TcpHandle) => void) | undefined;
  readonly writeQueueSize: number;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  /** The kernel took all (0) or failed (< 0); or took a part, and the rest is under way: the request. */
  writeBuffer(request: null, bytes: Uint8Array): number | WriteRequest;
  shutdown(request: TcpRequest): number;
  setNoDelay(on: boolean): number;
  connect(request: TcpRequest, address: string, port: number): number;
  connect6(request: TcpRequest, address: string, port: number): number;
  getpeername(out: Partial<SocketName>): number;
  getsockname(out: Partial<SocketName>): number;
  close(onClose: (this: TcpHandle) => void): void;
  reset(onClose: (this: TcpHandle) => void): number;
}

/** What the kernel says of one end. */
export interface SocketName {
  address: string;
  port: number;
}

/** A connect or shutdown under way. */
export interface TcpRequest {
  oncomplete: (status: number, handle: TcpHandle) => void;
}

/** A write under way. */
export interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void;
  handle: TcpHandle;
  /** Keeps the bytes alive until they are written. */
  buffer: Uint8Array;
  /** Set when the write was over before `oncomplete` could be. */
  writeStatus: number | null;
}

/** The parts of Node's `tcp_wrap` and `stream_wrap` that are used. */
export interface TcpBinding {
  readonly Tcp: new (type: number) => TcpHandle;
  readonly ConnectRequest: new () => TcpRequest;
  readonly ShutdownRequest: new () => TcpRequest;
  /** `type` of a connection, as against a server. */
  readonly socketType: number;
  /** Results that the callbacks take from here instead of from arguments. */
  readonly state: Int32Array;
  readonly readBytesIndex: number;
  readonly writeErrorIndex: number;
}

const METHODS = ["useUserBuffer", "readStart", "readStop", "writeBuffer", "shutdown", "setNoDelay", "reset", "close"];

/** @returns undefined where the handles are not known to behave as described here. */
export function loadTcpBinding(version: string = process.versions.node): TcpBinding | undefined {
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
  binding(name: "tcp_wrap"): {
    readonly TCP: TcpBinding["Tcp"];
    readonly TCPConnectWrap: TcpBinding["ConnectRequest"];
    readonly constants: { readonly SOCKET: number };
  };
  binding(name: "stream_wrap"): {
    readonly ShutdownWrap: TcpBinding["ShutdownRequest"];
    readonly streamBaseState: Int32Array;
    readonly kReadBytesOrError: number;
    readonly kLastWriteErr: number;
  };
}

function bind(internals: NodeInternals): TcpBinding | undefined {
  const tcp = internals.binding("tcp_wrap");
  const stream = internals.binding("stream_wrap");
  const prototype = tcp.TCP.prototype as unknown as Readonly<Record<string, unknown>>;
  if (!METHODS.every((name) => typeof prototype[name] === "function")) return undefined;
  return {
    Tcp: tcp.TCP,
    ConnectRequest: tcp.TCPConnectWrap,
    ShutdownRequest: stream.ShutdownWrap,
    socketType: tcp.constants.SOCKET,
    state: stream.streamBaseState,
    readBytesIndex: stream.kReadBytesOrError,
    writeErrorIndex: stream.kLastWriteErr,
  };
}
