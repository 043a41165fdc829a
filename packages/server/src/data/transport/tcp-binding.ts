import type { TlsSession } from "./tls-facts.ts";

/**
 * Node's TCP handles: what `net.Socket` is made of, without the stream machinery on top. Not a public interface of
 * Node, so it is used only in versions that the contract suite has passed with; everywhere else `stream-transport.ts`
 * does the same on public interfaces, 10 % slower per request and 25 % per connection (tools/bench/l4.ts).
 */

/** What bytes go through. Numbers returned are 0 or a negative errno. */
export interface StreamHandle {
  /** The owner, found again from the callbacks, which are called with `this` = the handle. */
  owner: object | undefined;
  onread: ((this: StreamHandle) => void) | undefined;
  readonly writeQueueSize: number;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  /** The kernel took all (0) or failed (< 0); or took a part, and the rest is under way: the request. */
  writeBuffer(request: null, bytes: Uint8Array): number | WriteRequest;
  shutdown(request: TcpRequest): number;
}

/** A TCP socket of libuv. */
export interface TcpHandle extends StreamHandle {
  onconnection: ((this: TcpHandle, status: number, client: TcpHandle) => void) | undefined;
  setNoDelay(on: boolean): number;
  connect(request: TcpRequest, address: string, port: number): number;
  connect6(request: TcpRequest, address: string, port: number): number;
  getpeername(out: Partial<SocketName>): number;
  getsockname(out: Partial<SocketName>): number;
  close(onClose: (this: TcpHandle) => void): void;
  reset(onClose: (this: TcpHandle) => void): number;
}

/** TLS over a TCP handle. Takes one write at a time, encrypts it at once, and tells later that it is done. */
export interface TlsHandle extends StreamHandle, TlsSession {
  /** What is below, as Node's own methods look it up. */
  ["_parent"]: TcpHandle;
  onhandshakedone: ((this: TlsHandle) => void) | undefined;
  onerror: ((this: TlsHandle, error: Error | undefined) => void) | undefined;
  /** The hello is read; the handshake waits for `certCbDone`. Only after `enableCertCb`. */
  oncertcb: ((this: TlsHandle, hello: { readonly servername: string }) => void) | undefined;
  /** Native context whose certificate is shown instead. */
  ["sni_context"]: unknown;
  enableCertCb(): void;
  certCbDone(): void;
  /** Feeds bytes that were read from below already. */
  receive(bytes: Uint8Array): void;
  /** Sends the client's hello. */
  start(): void;
  setVerifyMode(requestCertificate: boolean, rejectWithout: boolean): void;
  setALPNProtocols(encoded: Buffer): void;
  setServername(name: string): void;
  getServername(): string | false;
  getALPNNegotiatedProtocol(): string | false;
  /** Frees what OpenSSL holds. */
  destroySSL(): void;
}

/** What the kernel says of one end. */
export interface SocketName {
  address: string;
  port: number;
}

/** A connect or shutdown under way. */
export interface TcpRequest {
  oncomplete: (status: number, handle: StreamHandle) => void;
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

/** The parts of Node's `tcp_wrap`, `stream_wrap` and `tls_wrap` that are used. */
export interface TcpBinding {
  readonly Tcp: new (type: number) => TcpHandle;
  readonly ConnectRequest: new () => TcpRequest;
  readonly ShutdownRequest: new () => TcpRequest;
  /** @param context the native one, inside a `SecureContext`. */
  wrapTls(this: void, handle: TcpHandle, context: unknown, isServer: boolean): TlsHandle;
  /** `type` of a connection, as against a server. */
  readonly socketType: number;
  /** Results that the callbacks take from here instead of from arguments. */
  readonly state: Int32Array;
  readonly readBytesIndex: number;
  readonly writeErrorIndex: number;
}

const STREAM_METHODS = ["useUserBuffer", "readStart", "readStop", "writeBuffer", "shutdown"];
const TCP_METHODS = [...STREAM_METHODS, "setNoDelay", "reset", "close"];
const TLS_METHODS = STREAM_METHODS.concat(
  ["enableCertCb", "certCbDone", "receive", "start", "setVerifyMode", "setALPNProtocols", "setServername"],
  ["getServername", "getALPNNegotiatedProtocol", "getProtocol", "getCipher", "isSessionReused"],
  ["getPeerCertificate", "verifyError", "destroySSL"],
);

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
  binding(name: "tls_wrap"): {
    readonly TLSWrap: { readonly prototype: object };
    wrap(handle: TcpHandle, context: unknown, isServer: boolean, writesAreUnderWay: boolean): TlsHandle;
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
  const tls = internals.binding("tls_wrap");
  if (!hasAll(tcp.TCP.prototype, TCP_METHODS) || !hasAll(tls.TLSWrap.prototype, TLS_METHODS)) return undefined;
  return {
    Tcp: tcp.TCP,
    ConnectRequest: tcp.TCPConnectWrap,
    ShutdownRequest: stream.ShutdownWrap,
    wrapTls: (handle, context, isServer) => tls.wrap(handle, context, isServer, false),
    socketType: tcp.constants.SOCKET,
    state: stream.streamBaseState,
    readBytesIndex: stream.kReadBytesOrError,
    writeErrorIndex: stream.kLastWriteErr,
  };
}

function hasAll(prototype: object, methods: readonly string[]): boolean {
  const members = prototype as Readonly<Record<string, unknown>>;
  return methods.every((name) => typeof members[name] === "function");
}
