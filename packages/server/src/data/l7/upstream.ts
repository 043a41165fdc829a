import type { Connection, ConnectionHandlers, TransportError } from "../transport/transport.ts";
import { type BackendProtocol, upstreamKey, type UpstreamTarget } from "./backend-protocol.ts";
import { ByteStash } from "./byte-stash.ts";
import { BodyScan } from "./http1-body.ts";
import { ResponseHead } from "./http1-head.ts";

/** Heads of responses; backends are trusted with more headers than clients. */
const RESPONSE_LIMITS = { maxHeaderBytes: 65_536, maxHeaderCount: 256 };

/** Who uses a connection to a backend for one request. */
export interface UpstreamUser {
  upstreamConnected(): void;
  upstreamData(bytes: Uint8Array): void;
  /** The backend has sent its last byte. */
  upstreamEnded(): void;
  upstreamDrained(): void;
  /** The connection is gone. */
  upstreamClosed(error: TransportError | undefined): void;
}

/** Who keeps connections to backends. */
export interface UpstreamOwner {
  /** It is closed, or has to be, while nobody uses it. */
  gone(upstream: Upstream): void;
  /** It could not be made. */
  failed(upstream: Upstream, error: TransportError): void;
  /** Its user is done with it, and it can carry another request. */
  give(upstream: Upstream): void;
}

/**
 * One connection to a backend, with what is needed to read one response after the other. With HTTP/2 it is one stream,
 * and for the next request it gets another.
 */
export class Upstream implements ConnectionHandlers {
  readonly backendId: string;
  /** See `upstreamKey`. */
  readonly key: string;
  readonly protocol: BackendProtocol;
  readonly address: string;
  readonly port: number;
  readonly head = new ResponseHead(RESPONSE_LIMITS);
  readonly body = new BodyScan();
  /** The beginning of a head that has not come whole. */
  readonly stash = new ByteStash();
  /** Set right after it was made. */
  connection: Connection | undefined;
  user: UpstreamUser | undefined;
  isConnected = false;
  /** It has carried a request before. */
  isReused = false;
  /** Monotonic milliseconds since when nobody uses it. */
  idleSinceMs = 0;
  /** Who keeps it between requests. */
  owner: UpstreamOwner;

  constructor(target: UpstreamTarget, owner: UpstreamOwner) {
    const { backend, protocol } = target;
    this.backendId = backend.id;
    this.key = upstreamKey(target);
    this.address = backend.address ?? "";
    this.port = backend.port;
    this.protocol = protocol;
    this.owner = owner;
  }

  /** Ready for the next response. */
  begin(user: UpstreamUser): void {
    this.user = user;
    this.head.reset();
    this.stash.clear();
  }

  /** Ends it for its user, who hears nothing any more. What was cut must not look complete to the backend: a reset. */
  abort(): void {
    this.user = undefined;
    this.connection?.reset();
  }

  onConnect(): void {
    this.isConnected = true;
    this.user?.upstreamConnected();
  }

  onData(_from: Connection, bytes: Uint8Array): void {
    if (this.user !== undefined) this.user.upstreamData(bytes);
    // Nobody has asked: what it says can't be an answer.
    else this.#leave();
  }

  onEnd(): void {
    if (this.user !== undefined) this.user.upstreamEnded();
    else this.#leave();
  }

  onDrain(): void {
    this.user?.upstreamDrained();
  }

  onClose(_connection: Connection | undefined, error: TransportError | undefined): void {
    if (!this.isConnected && error !== undefined) this.owner.failed(this, error);
    if (this.user !== undefined) this.user.upstreamClosed(error);
    else this.owner.gone(this);
  }

  #leave(): void {
    this.owner.gone(this);
    this.connection?.close();
  }
}
