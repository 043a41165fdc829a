import type { Balancer, Lease, Refusal, RevokeReason } from "../../../src/data/balancer.ts";
import type { RejectReason } from "../../../src/data/data-plane.ts";
import { type ListenerAccount, TcpProxy } from "../../../src/data/l4/tcp-proxy.ts";
import { ProxiedProxy } from "../../../src/data/proxied-proxy.ts";
import type { SourceRates } from "../../../src/data/rate/source-rates.ts";
import type { Flow } from "../../../src/data/select/selector.ts";
import { createNodeTransport } from "../../../src/data/transport/node-transport.ts";
import type { ListeningSocket, Transport } from "../../../src/data/transport/transport.ts";
import type { BackendUnit, ListenerUnit } from "../../../src/snapshot/snapshot.ts";
import { FakeClock } from "../../fake-clock.ts";
import { Peer, PeerServer } from "../transport/peer.ts";

/** A listener's account that tests read and wait on. */
export class AccountLog implements ListenerAccount {
  opened = 0;
  closed = 0;
  bytesIn = 0;
  bytesOut = 0;
  rates: SourceRates | undefined;
  readonly rejected: RejectReason[] = [];
  readonly #waiting = new Set<() => void>();

  open(limit: number): boolean {
    if (limit > 0 && this.opened - this.closed >= limit) return false;
    this.opened += 1;
    this.#look();
    return true;
  }

  close(): void {
    this.closed += 1;
    this.#look();
  }

  reject(reason: RejectReason): void {
    this.rejected.push(reason);
    this.#look();
  }

  count(bytesIn: number, bytesOut: number): void {
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
    this.#look();
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}

/** Backends in a fixed order, and a log of what each lease heard. */
export class ScriptedBalancer implements Balancer {
  backends: BackendUnit[] = [];
  refusal: Refusal["reason"] = "no-healthy-backend";
  sendProxyProtocol: "V1" | "V2" | undefined;
  readonly log: string[] = [];
  /** What was said of backends, `failed` not among it. */
  readonly verdicts: string[] = [];
  /** Set: those that find no backend wait, and tests tell them. */
  waiting: { readonly flow: Flow; readonly onTurn: (choice: Lease | Refusal) => void }[] | undefined;
  readonly flows: Flow[] = [];
  readonly leases: Lease[] = [];
  readonly bytes = { in: 0, out: 0 };

  pick(flow: Flow, exclude?: ReadonlySet<string>): Lease | Refusal {
    const { clientAddress, clientPort, vip, vipPort, hashText } = flow;
    this.flows.push({ clientAddress, clientPort, vip, vipPort, ...(hashText !== undefined && { hashText }) });
    const backend = this.backends.find(({ id }) => exclude?.has(id) !== true);
    if (backend === undefined) return { kind: "refusal", reason: this.refusal };
    const lease: Lease = {
      kind: "lease",
      backend,
      connected: () => void this.log.push(`${backend.id} connected`),
      failed: () => void this.log.push(`${backend.id} failed`),
      judge: (verdict) => void this.verdicts.push(`${backend.id} ${verdict}`),
      count: (bytesIn, bytesOut) => {
        this.bytes.in += bytesIn;
        this.bytes.out += bytesOut;
      },
      release: () => void this.log.push(`${backend.id} released`),
      onRevoke: undefined,
    };
    this.leases.push(lease);
    return lease;
  }

  wait(flow: Flow, onTurn: (choice: Lease | Refusal) => void): (() => void) | Refusal {
    if (this.waiting === undefined) return { kind: "refusal", reason: "backend-limit" };
    const waiter = { flow, onTurn };
    this.waiting.push(waiter);
    return () => (this.waiting = this.waiting?.filter((other) => other !== waiter));
  }

  /** Tells the first one that waits. */
  tellFirst(choice: Lease | Refusal): void {
    const first = this.waiting?.shift();
    if (first === undefined) throw new Error("nobody waits");
    first.onTurn(choice);
  }

  add(id: string, port: number): void {
    const base = { id, name: id, host: "127.0.0.1", address: "127.0.0.1", port };
    this.backends.push({ ...base, weight: 1, backup: false, maxConnections: 0, enabled: true, monitored: false });
  }

  revoke(reason: RevokeReason): void {
    for (const lease of Array.from(this.leases)) lease.onRevoke?.(reason);
  }
}

const DEFAULTS: ListenerUnit = {
  id: "listener",
  name: "listener",
  protocol: "TCP",
  port: 443,
  connectionLimit: 0,
  clientIdleTimeoutMs: 60_000,
  backendConnectTimeoutMs: 5000,
  allowedCidrs: [],
  defaultPoolId: "pool",
};

/** A proxy on real sockets between a client and a backend that are plain `net`. Time is by hand. */
export class ProxyRig {
  readonly clock = new FakeClock();
  readonly account = new AccountLog();
  readonly balancer = new ScriptedBalancer();
  readonly proxy: TcpProxy;
  /** What listens: `proxy`, behind the stage that is before every proxy. */
  readonly front: ProxiedProxy;
  readonly #transport: Transport;
  readonly #clients: Peer[] = [];
  readonly #backends: PeerServer[] = [];
  #listening: ListeningSocket | undefined;
  /** Pools by id, which policies lead to. */
  readonly pools = new Map<string, Balancer>();
  /** Every other pool; tests take it away. */
  pool: Balancer | undefined = this.balancer;
  /** What chance says next. */
  random = 0;
  /** Called at once after each outgoing connect has begun, when nothing can have come of it yet. */
  onConnecting: ((attempt: number) => void) | undefined;

  constructor(part: Partial<ListenerUnit> = {}) {
    const listener = { ...DEFAULTS, ...part };
    this.#transport = createNodeTransport({ clock: this.clock });
    this.proxy = new TcpProxy({
      listener,
      vip: "192.0.2.80",
      transport: this.#tapped(),
      clock: this.clock,
      random: () => this.random,
      account: this.account,
      balancer: (poolId) => this.pools.get(poolId) ?? this.pool,
    });
    this.front = new ProxiedProxy({ listener, clock: this.clock, account: this.account, inner: this.proxy });
  }

  update(listener: Partial<ListenerUnit>): void {
    this.front.update({ ...DEFAULTS, ...listener });
  }

  /** A backend that the balancer offers after those that there are. */
  async backend(id = "backend"): Promise<PeerServer> {
    const server = await PeerServer.listen();
    this.#backends.push(server);
    this.balancer.add(id, server.port);
    return server;
  }

  async client(): Promise<Peer> {
    const options = { address: "127.0.0.1", port: 0, reusePort: false, backlog: 128 };
    this.#listening ??= await this.#transport.listen(options, this.front.accept);
    const client = await Peer.connect(this.#listening);
    this.#clients.push(client);
    return client;
  }

  /** A client and the backend connection it was joined to. */
  async joined(): Promise<{ client: Peer; backend: Peer }> {
    const server = this.#backends[0] ?? (await this.backend());
    const client = await this.client();
    return { client, backend: await server.next() };
  }

  /** The next connection at the first backend that nobody has asked for. */
  nextBackend(): Promise<Peer> {
    return this.#backends[0]!.next();
  }

  /** Resolves when so many connections have ended on both sides. */
  ended(count = 1): Promise<void> {
    return this.account.until(() => this.account.closed >= count);
  }

  /** Bytes there and back: the backend connection certainly stands. */
  async roundTrip({ client, backend }: { readonly client: Peer; readonly backend: Peer }): Promise<void> {
    const [atBackend, atClient] = [backend.receivedBytes, client.receivedBytes];
    await client.send("?");
    await backend.receivedAtLeast(atBackend + 1);
    await backend.send("!");
    await client.receivedAtLeast(atClient + 1);
  }

  async close(): Promise<void> {
    this.front.closeAll("shutdown");
    for (const { socket } of this.#clients) socket.destroy();
    await this.#listening?.close();
    await Promise.all(this.#backends.map((server) => server.close()));
  }

  #tapped(): Transport {
    let attempts = 0;
    return {
      listen: (options, onConnection) => this.#transport.listen(options, onConnection),
      secure: (accepted, options, handlers) => this.#transport.secure(accepted, options, handlers),
      connect: (options, handlers) => {
        const connection = this.#transport.connect(options, handlers);
        attempts += 1;
        const attempt = attempts;
        queueMicrotask(() => this.onConnecting?.(attempt));
        return connection;
      },
    };
  }
}
