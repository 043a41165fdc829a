import type { RejectReason } from "../data-plane.ts";
import type { Connection, ConnectionHandlers, ProxiedEndpoints, TlsFacts } from "../transport/transport.ts";
import { ByteStash } from "./byte-stash.ts";
import type { ExchangeClient } from "./exchange-client.ts";
import type { ForwardedClient } from "./forwarded.ts";
import { BodyScan } from "./http1-body.ts";
import type { Http1Context } from "./http1-context.ts";
import { Http1Exchange } from "./http1-exchange.ts";
import type { RequestHead } from "./http1-head.ts";
import { isPreface } from "./http2/http2-frame.ts";
import { statusResponse } from "./local-response.ts";
import { FOR_BACKEND, FOR_STASH, ReadPauses } from "./read-pauses.ts";
import type { Timed } from "./timeout-sweep.ts";

/** After the last response a client may go on sending for so long; then the connection is closed. */
const LINGER_MS = 2000;

/** Waits for a request, or reads its head. */
const HEAD = 0;
/** Reads a request's body. */
const BODY = 1;
/** The request is complete, its response is not. */
const BUSY = 2;
const TUNNEL = 3;
/** The last response was sent; what the client still sends is dropped, so that no reset takes the response away. */
const LINGER = 4;
const CLOSED = 5;

const TOO_LARGE = { status: 413, reason: undefined } as const;

/** What an {@link Http1Session} needs of its listener. */
export interface Http1Owner {
  /** The configuration for requests that begin now. */
  readonly context: Http1Context;
  /** Bytes from the client (`in`) and to it (`out`). */
  count(bytesIn: number, bytesOut: number): void;
  /**
   * The first bytes of the connection are those of HTTP/2 (RFC 9113 §3.3).
   * @returns whether somebody speaks it from now on; then the session hears nothing more.
   */
  startHttp2(session: Http1Session, client: Connection, received: Uint8Array): boolean;
  /** Called once, when the connection is closed. */
  forget(session: Http1Session): void;
}

/** One client's connection: reads requests one after the other and has each answered before the next is looked at. */
export class Http1Session implements ConnectionHandlers, ExchangeClient, Timed {
  readonly vip: string;
  readonly vipPort: number;
  hashText: string | undefined;
  readonly #client: Connection;
  readonly #owner: Http1Owner;
  #context: Http1Context;
  #state = HEAD;
  #exchange: Http1Exchange | undefined;
  #forwarded: ForwardedClient | undefined;
  /** Held while a head comes in pieces. */
  #head: RequestHead | undefined;
  #body: BodyScan | undefined;
  /** What came before it was its turn. */
  #stash: ByteStash | undefined;
  readonly #pauses: ReadPauses;
  /** The client takes no more of its responses: no further request is served until it does. */
  #isBlocked = false;
  /** Requests are being read: what is answered meanwhile must not start to read the next one. */
  #isReading = false;
  /** The client has sent its last byte. */
  #hasEnded = false;
  #hasMoved = true;
  #quietSinceMs = 0;
  /** Of a head that is incomplete, and of lingering. */
  #deadlineMs = Infinity;

  constructor(client: Connection, owner: Http1Owner) {
    this.#client = client;
    this.#pauses = new ReadPauses(client);
    this.#owner = owner;
    this.#context = owner.context;
    this.vip = this.#context.shared.vip;
    this.vipPort = this.#context.listener.port;
  }

  // Read from the connection on demand, because an engine may need a system call for it.
  get clientAddress(): string {
    return this.#client.remoteAddress;
  }

  get clientPort(): number {
    return this.#client.remotePort;
  }

  get forwarded(): ForwardedClient {
    return (this.#forwarded ??= this.#context.forwardedClient(this.#client));
  }

  get proxied(): ProxiedEndpoints | undefined {
    return this.#client.proxied;
  }

  get tls(): TlsFacts | undefined {
    return this.#client.tls;
  }

  /** Takes the client over. @param received what has come of it already. */
  start(received?: Uint8Array): void {
    this.#client.handlers = this;
    if (received !== undefined && received.length > 0) this.onData(this.#client, received);
  }

  /** Takes the client over only to say that there is no room for it. */
  turnAway(): void {
    this.#client.handlers = this;
    this.#refuse(503, "connection-limit");
  }

  /** The listener goes: ends when nothing is being answered any more. */
  drain(): void {
    if (this.#state === HEAD && this.#head === undefined) this.#close();
  }

  /** Ends at once, with a reset: no peer may take a cut message for a complete one. */
  abort(): void {
    this.#client.reset();
  }

  onData(_from: Connection, bytes: Uint8Array): void {
    this.#hasMoved = true;
    this.#owner.count(bytes.length, 0);
    switch (this.#state) {
      case HEAD:
        return this.#readRequests(bytes);
      case BODY:
        return this.#readBody(bytes);
      case BUSY:
        return this.#keep(bytes, 0, bytes.length);
      case TUNNEL:
        return this.#exchange?.sendTunnel(bytes);
    }
  }

  onEnd(): void {
    this.#hasEnded = true;
    if (this.#state === TUNNEL) return this.#exchange?.endTunnel();
    // Half-closed: what was asked is answered, and then it ends.
    if (this.#state === BUSY) return;
    if (this.#state === BODY) this.#exchange?.abort();
    this.#close();
  }

  onDrain(): void {
    this.#hasMoved = true;
    this.#isBlocked = false;
    this.#exchange?.clientDrained();
    if (this.#state === HEAD) this.#readStash();
  }

  onClose(): void {
    this.#state = CLOSED;
    this.#exchange?.abort();
    this.#returnHead();
    this.#owner.forget(this);
  }

  tick(nowMs: number): void {
    if (this.#hasMoved) {
      this.#hasMoved = false;
      this.#quietSinceMs = nowMs;
    }
    const quietMs = nowMs - this.#quietSinceMs;
    if (this.#state === LINGER || this.#state === CLOSED) {
      this.#tickEnding(nowMs, quietMs);
    } else if (this.#state !== HEAD) {
      this.#exchange?.tick(nowMs, quietMs);
    } else if (nowMs >= this.#deadlineMs) {
      this.#refuse(408, "client-timeout");
    } else {
      const { clientIdleTimeoutMs } = this.#context.listener;
      if (clientIdleTimeoutMs > 0 && quietMs >= clientIdleTimeoutMs) this.#closeNow();
    }
  }

  /** Lingering begins when the client has taken everything; until then it may be as slow as any client. */
  #tickEnding(nowMs: number, quietMs: number): void {
    const { clientIdleTimeoutMs } = this.#context.listener;
    if (this.#client.pendingBytes > 0) {
      this.#deadlineMs = nowMs + LINGER_MS;
      if (clientIdleTimeoutMs > 0 && quietMs >= clientIdleTimeoutMs) this.abort();
    } else if (nowMs >= this.#deadlineMs) this.#close();
  }

  write(bytes: Uint8Array): boolean {
    this.#hasMoved = true;
    this.#owner.count(0, bytes.length);
    if (this.#client.write(bytes)) return true;
    this.#isBlocked = true;
    return false;
  }

  pauseBody(): void {
    this.#pauses.add(FOR_BACKEND);
  }

  resumeBody(): void {
    this.#hasMoved = true;
    this.#pauses.remove(FOR_BACKEND);
  }

  cut(): void {
    this.#client.reset();
  }

  answered(keepAlive: boolean): void {
    if (this.#state === CLOSED) return;
    this.#pauses.remove(FOR_BACKEND);
    if (!keepAlive || this.#hasEnded) return this.#linger();
    this.#state = HEAD;
    if (!this.#isReading) this.#readStash();
  }

  startTunnel(): void {
    this.#state = TUNNEL;
    const stash = this.#stash;
    this.#stash = undefined;
    if (stash !== undefined) this.#exchange?.sendTunnel(stash.bytes.subarray(stash.start, stash.end));
    this.#pauses.remove(FOR_STASH);
    if (this.#hasEnded) this.#exchange?.endTunnel();
  }

  endTunnel(): void {
    this.#client.shutdown();
  }

  /** Reads on where an earlier request ended. */
  #readStash(): void {
    const stash = this.#stash;
    if (stash === undefined) this.#rest();
    else this.#readAll(stash.bytes, stash.start, stash.end);
  }

  /** Nothing of a further request has come. */
  #rest(): void {
    if (this.#context.shared.isDraining) this.#close();
    else this.#pauses.remove(FOR_STASH);
  }

  #readRequests(bytes: Uint8Array): void {
    const stash = this.#stash;
    if (stash === undefined) return this.#readAll(bytes, 0, bytes.length);
    // The beginning of a head is kept there.
    stash.append(bytes, 0, bytes.length);
    this.#readAll(stash.bytes, stash.start, stash.end);
  }

  /** As many requests as are in `bytes[start, end)` and can be answered at once; what is left is kept. */
  #readAll(bytes: Uint8Array, start: number, end: number): void {
    this.#isReading = true;
    let at = start;
    while (at < end && this.#state === HEAD && !this.#isBlocked) {
      const next = this.#readRequest(bytes, at, end);
      if (next < 0) break;
      at = next;
    }
    this.#isReading = false;
    if (at < end) return this.#keep(bytes, at, end);
    this.#stash = undefined;
    if (this.#state === HEAD) this.#rest();
  }

  /** @returns the offset after what was used; -1 when more must come first. */
  #readRequest(bytes: Uint8Array, start: number, end: number): number {
    if (this.#head === undefined) {
      this.#context = this.#owner.context;
      this.#head = this.#context.borrowHead();
    }
    const head = this.#head;
    const state = head.parse(bytes, start, end);
    if (state === "incomplete") return this.#awaitHead();
    this.#deadlineMs = Infinity;
    if (state === "failed") {
      const { status, reason } = head.error!;
      if (!this.#becomesHttp2(bytes, start, end)) this.#refuse(status, "bad-request", reason);
      return end;
    }
    const used = this.#begin(head, end);
    this.#returnHead();
    return used;
  }

  /** What is no request of HTTP/1 may be the preface of HTTP/2, where a connection begins. */
  #becomesHttp2(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#exchange !== undefined || !isPreface(bytes, start, end)) return false;
    // A copy: it may lie in the stash, which is let go of.
    const received = Uint8Array.from(bytes.subarray(start, end));
    this.#returnHead();
    this.#state = CLOSED;
    if (this.#owner.startHttp2(this, this.#client, received)) return true;
    this.#state = HEAD;
    return false;
  }

  #awaitHead(): number {
    const { http, shared } = this.#context;
    if (this.#deadlineMs === Infinity && http.requestHeaderTimeoutMs > 0) {
      this.#deadlineMs = shared.clock.nowMs() + http.requestHeaderTimeoutMs;
    }
    return -1;
  }

  /** Checks what came of the body and has the request served. @returns the offset after what was used. */
  #begin(head: RequestHead, end: number): number {
    const body = head.body === "none" ? undefined : this.#startBody(head, end);
    if (body?.state === "failed" || this.#isTooLarge(Math.max(head.framing.contentLength, body?.payloadBytes ?? 0))) {
      const { status, reason } = body?.error ?? TOO_LARGE;
      this.#refuse(status, "bad-request", reason);
      return end;
    }
    const isBodyComplete = body === undefined || body.state === "done";
    const used = body?.end ?? head.end;
    this.#state = isBodyComplete ? BUSY : BODY;
    this.#exchange ??= new Http1Exchange(this);
    this.#exchange.start(this.#context, { head, body: body?.forward, isBodyComplete });
    return used;
  }

  /** Nothing of a request is passed on before what came of its body was checked. */
  #startBody(head: RequestHead, end: number): BodyScan {
    const body = (this.#body ??= new BodyScan());
    body.begin(head.body, head.framing.contentLength);
    body.read(head.bytes, head.end, end);
    return body;
  }

  #isTooLarge(bytes: number): boolean {
    const { maxRequestBodyBytes } = this.#context.http;
    return maxRequestBodyBytes > 0 && bytes > maxRequestBodyBytes;
  }

  #readBody(bytes: Uint8Array): void {
    const body = this.#body as BodyScan;
    const exchange = this.#exchange as Http1Exchange;
    const state = body.read(bytes, 0, bytes.length);
    if (state === "failed") return exchange.giveUp(body.error!.status, "bad-request");
    if (this.#isTooLarge(body.payloadBytes)) return exchange.giveUp(413, "bad-request");
    if (state === "done") this.#state = BUSY;
    const { end } = body;
    exchange.sendBody(bytes, body.forward, state === "done");
    if (end < bytes.length) this.#keep(bytes, end, bytes.length);
  }

  /** For later. A client that has sent so far ahead is not read until then; the beginning of a head is read on. */
  #keep(bytes: Uint8Array, start: number, end: number): void {
    if (this.#state === LINGER || this.#state === CLOSED) return;
    const stash = (this.#stash ??= new ByteStash());
    if (bytes === stash.bytes) stash.consume(start);
    else stash.append(bytes, start, end);
    if (this.#state !== HEAD || this.#isBlocked) this.#pauses.add(FOR_STASH);
    else this.#pauses.remove(FOR_STASH);
  }

  /** A request that can't be served; nothing after it can be understood. */
  #refuse(status: number, reason: RejectReason, detail?: string): void {
    this.#context.shared.account.reject(reason);
    this.write(this.#context.render(statusResponse(status, detail), { connection: "close", isHead: false }));
    this.#linger();
  }

  /** Ends the connection once the client has had the chance to read what it was sent. */
  #linger(): void {
    this.#returnHead();
    this.#stash = undefined;
    this.#client.shutdown();
    if (this.#hasEnded) return this.#close();
    this.#state = LINGER;
    this.#deadlineMs = this.#context.shared.clock.nowMs() + LINGER_MS;
    this.#pauses.remove(FOR_STASH | FOR_BACKEND);
  }

  #close(): void {
    this.#state = CLOSED;
    this.#client.close();
  }

  /** In order, unless the client does not take what it was sent. */
  #closeNow(): void {
    if (this.#client.pendingBytes === 0) this.#close();
    else this.abort();
  }

  #returnHead(): void {
    if (this.#head !== undefined) this.#context.returnHead(this.#head);
    this.#head = undefined;
  }
}
