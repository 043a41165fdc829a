import { createHmac } from "node:crypto";

import type { Lease } from "../../../src/data/balancer.ts";
import { type BackendProtocol, HTTP1_CLEARTEXT } from "../../../src/data/l7/backend-protocol.ts";
import type { HashKey, HttpPool, SessionBalancer } from "../../../src/data/l7/http-pools.ts";
import { Http1Proxy } from "../../../src/data/l7/http1-proxy.ts";
import { RequestIds } from "../../../src/data/l7/request-id.ts";
import { PoolSessions } from "../../../src/data/l7/session.ts";
import { Upstreams } from "../../../src/data/l7/upstreams.ts";
import { createNodeTransport } from "../../../src/data/transport/node-transport.ts";
import type { Connection, ListeningSocket, Transport } from "../../../src/data/transport/transport.ts";
import type { HttpUnit, ListenerUnit, SessionUnit } from "../../../src/snapshot/snapshot.ts";
import { FakeClock } from "../../fake-clock.ts";
import { AccountLog, ScriptedBalancer } from "../l4/proxy-rig.ts";
import { Peer, PeerServer } from "../transport/peer.ts";
import { listenerUnit } from "../units.ts";

export const HTTP: HttpUnit = {
  backendIdleTimeoutMs: 60_000,
  requestTimeoutMs: 0,
  requestHeaderTimeoutMs: 10_000,
  maxRequestHeaderBytes: 65_536,
  maxUriBytes: 16_384,
  maxHeaderCount: 128,
  maxRequestBodyBytes: 0,
  forwardedHeaders: "APPEND",
  addRequestId: false,
  hstsMaxAgeS: 0,
  pathNormalization: "ON",
  exposeReasonHeader: false,
  policies: [],
};

/** The listener, and what of its HTTP part differs from {@link HTTP}. */
export type RigListener = Omit<Partial<ListenerUnit>, "http"> & { readonly http?: Partial<HttpUnit> };

const unitOf = ({ http, ...part }: RigListener): ListenerUnit =>
  listenerUnit({ protocol: "HTTP", ...part, http: { ...HTTP, ...http } });

/** A balancer by script that also knows sessions. */
export class ScriptedSessions extends ScriptedBalancer implements SessionBalancer {
  /** What becomes of the next sessions instead of their backends. */
  outcome: "detour" | "end" | undefined;

  resume(backendId: string): Lease | "detour" | "end" {
    if (this.outcome !== undefined) return this.outcome;
    const others = new Set(this.backends.map(({ id }) => id).filter((id) => id !== backendId));
    const choice = this.pick(NO_FLOW, others);
    return choice.kind === "lease" ? choice : "end";
  }
}

const NO_FLOW = { clientAddress: "", clientPort: 0, vip: "", vipPort: 0 };

/** What a rig is made with besides its listener. */
export interface RigOptions {
  /** How its pools' backends are spoken to. Default: HTTP/1.1 in cleartext. */
  readonly protocol?: BackendProtocol;
  /** Default: the one that runs wherever Node does. */
  readonly transport?: (clock: FakeClock) => Transport;
}

/** An HTTP listener on real sockets between clients and backends that are plain `net`. Time is by hand. */
export class HttpRig {
  readonly clock = new FakeClock();
  readonly account = new AccountLog();
  readonly pools = new Map<string, HttpPool & { readonly balancer: ScriptedSessions }>();
  readonly balancer: ScriptedSessions;
  readonly upstreams: Upstreams;
  readonly proxy: Http1Proxy;
  /** What chance says next. */
  random = 0;
  /** What could not be connected to, and why. */
  readonly connectErrors: string[] = [];
  protocol: BackendProtocol;
  readonly #transport: Transport;
  readonly #clients: Peer[] = [];
  readonly #backends: PeerServer[] = [];
  #listening: Promise<ListeningSocket> | undefined;

  constructor(listener: RigListener = {}, { protocol = HTTP1_CLEARTEXT, transport }: RigOptions = {}) {
    this.protocol = protocol;
    this.#transport = transport?.(this.clock) ?? createNodeTransport({ clock: this.clock });
    this.balancer = this.pool("pool");
    this.upstreams = new Upstreams({
      transport: this.#transport,
      clock: this.clock,
      onConnectError: (id, { code, message }) => this.connectErrors.push(`${id} ${code} ${message}`),
    });
    this.proxy = new Http1Proxy({
      listener: unitOf(listener),
      vip: "192.0.2.80",
      clock: this.clock,
      random: () => this.random,
      account: this.account,
      upstreams: this.upstreams,
      requestIds: new RequestIds(() => 0),
      pool: (id) => this.pools.get(id),
    });
  }

  /** A pool without backends, or a pool made anew. */
  pool(
    id: string,
    sessions?: { readonly session: SessionUnit; readonly backendIds: readonly string[] },
    hashKey?: HashKey,
  ): ScriptedSessions {
    const balancer = this.pools.get(id)?.balancer ?? new ScriptedSessions();
    const hmac = (bytes: Uint8Array): Uint8Array => createHmac("sha256", "key").update(bytes).digest();
    this.pools.set(id, {
      balancer,
      hashKey,
      sessions: sessions === undefined ? undefined : new PoolSessions({ poolId: id, ...sessions, hmacs: [hmac] }),
      protocol: this.protocol,
    });
    return balancer;
  }

  update(listener: RigListener): void {
    this.proxy.update(unitOf(listener));
  }

  /** A backend that the pool offers after those that there are. */
  async backend(id = "backend", balancer = this.balancer): Promise<PeerServer> {
    const server = await PeerServer.listen();
    this.#backends.push(server);
    balancer.add(id, server.port);
    return server;
  }

  /** Where clients connect to. */
  listen(): Promise<ListeningSocket> {
    return this.listenWith(this.proxy.accept);
  }

  /** {@link listen}, with somebody before the proxy; the first call decides. */
  listenWith(accept: (client: Connection) => void): Promise<ListeningSocket> {
    const options = { address: "127.0.0.1", port: 0, reusePort: false, backlog: 128 };
    return (this.#listening ??= this.#transport.listen(options, accept));
  }

  async client(): Promise<Peer> {
    const client = await Peer.connect(await this.listen());
    this.#clients.push(client.read());
    return client;
  }

  async close(): Promise<void> {
    this.proxy.closeAll("shutdown");
    this.upstreams.close();
    for (const { socket } of this.#clients) socket.destroy();
    await (await this.#listening)?.close();
    await Promise.all(this.#backends.map((server) => server.close()));
  }
}

/** Waits until the peer has received text that the pattern matches; answers everything received. */
export async function receives(peer: Peer, pattern: RegExp): Promise<string> {
  peer.read();
  for (;;) {
    const text = peer.received.toString("latin1");
    if (pattern.test(text)) return text;
    if (peer.ended || peer.errorCode !== undefined) throw new Error(`ended (${peer.errorCode}) after: ${text}`);
    await new Promise<void>((resolve) => {
      const done = (): void => {
        for (const event of EVENTS) peer.socket.off(event, done);
        resolve();
      };
      for (const event of EVENTS) peer.socket.on(event, done);
    });
  }
}

const EVENTS = ["data", "end", "close"] as const;

/** Forgets what was received. */
export function forget(peer: Peer): void {
  peer.chunks.length = 0;
  peer.receivedBytes = 0;
}

export const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
export const get = (path = "/", headers = ""): string => `GET ${path} HTTP/1.1\r\nHost: app.example\r\n${headers}\r\n`;
/** A head and nothing behind it. */
export const HEAD_END = /\r\n\r\n$/;
