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

function ownerOf(handle: StreamHandle): HandleOwner {
  return handle.owner as HandleOwner;
}

/** One function for all handles, which saves a closure for each; so with the others here. */
export function onRead(this: StreamHandle): void {
  ownerOf(this).readDone();
}

export function onHandshakeDone(this: TlsHandle): void {
  ownerOf(this).handshakeDone();
}

export function onTlsError(this: TlsHandle, cause: Error | undefined): void {
  ownerOf(this).tlsFailed(cause);
}

export function onConnected(status: number, handle: StreamHandle): void {
  ownerOf(handle).connectDone(status);
}

export function onWritten(this: WriteRequest, status: number): void {
  ownerOf(this.handle).writeDone(status);
}

export function onShutdown(_status: number, handle: StreamHandle): void {
  ownerOf(handle).shutdownDone();
}

export function onClosed(this: TcpHandle): void {
  ownerOf(this).closeDone();
}
