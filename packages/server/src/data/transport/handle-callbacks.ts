import type { StreamHandle, TcpHandle, TlsHandle, WriteRequest } from "./tcp-binding.ts";

/** What a handle's owner is told. None of these is for anybody else to call. */
export interface HandleOwner {
  /** The outcome of `connect`: 0 or a negative errno. */
  connectDone(status: number): void;
  /** Something was read, or the peer's end, or an error; see `TcpBinding.state`. */
  readDone(): void;
  /** A write that took time is over. */
  writeDone(status: number): void;
  /** FIN was sent. */
  shutdownDone(): void;
  /** The socket is gone. */
  closeDone(): void;
  /** OpenSSL is done with the handshake, and still in the middle of its work: it must not be called now. */
  handshakeDone(): void;
  /** OpenSSL gives up. */
  tlsFailed(cause: Error | undefined): void;
}

/** Has the owner told what is read. */
export function own(handle: StreamHandle, owner: HandleOwner): void {
  handle.owner = owner;
  handle.onread = read;
}

/** Has the owner told of the handshake besides. */
export function ownTls(handle: TlsHandle, owner: HandleOwner): void {
  own(handle, owner);
  Object.assign(handle, { onhandshakedone: handshakeDone, onerror: tlsFailed });
}

interface Callbacks {
  readonly connected: (status: number, handle: StreamHandle) => void;
  readonly shutDown: (status: number, handle: StreamHandle) => void;
  readonly written: (this: WriteRequest, status: number) => void;
  readonly closed: (this: TcpHandle) => void;
}

/** What requests and handles call when they are done. One function for all of them, which saves a closure for each. */
export const callbacks: Callbacks = {
  connected: (status, handle) => ownerOf(handle).connectDone(status),
  shutDown: (_status, handle) => ownerOf(handle).shutdownDone(),
  written: function (status) {
    ownerOf(this.handle).writeDone(status);
  },
  closed: function () {
    ownerOf(this).closeDone();
  },
};

function ownerOf(handle: StreamHandle): HandleOwner {
  return handle.owner as HandleOwner;
}

function read(this: StreamHandle): void {
  ownerOf(this).readDone();
}

function handshakeDone(this: TlsHandle): void {
  ownerOf(this).handshakeDone();
}

function tlsFailed(this: TlsHandle, cause: Error | undefined): void {
  ownerOf(this).tlsFailed(cause);
}
