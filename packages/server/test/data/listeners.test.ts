import { beforeEach, describe, expect, it } from "@jest/globals";

import type { Balancer } from "../../src/data/balancer.ts";
import { CounterTable, type Row } from "../../src/data/counters.ts";
import { LISTENER_ROW, listenerFigures } from "../../src/data/figures.ts";
import { FlowBudget } from "../../src/data/l4/flow-budget.ts";
import { TcpProxy } from "../../src/data/l4/tcp-proxy.ts";
import { UdpProxy } from "../../src/data/l4/udp-proxy.ts";
import { type DesiredListener, Listeners } from "../../src/data/listeners.ts";
import {
  type Connection,
  type ConnectionHandlers,
  type ListeningSocket,
  type ListenOptions,
  type Transport,
  TransportError,
} from "../../src/data/transport/transport.ts";
import type { ListenerUnit } from "../../src/snapshot/snapshot.ts";
import { FakeClock } from "../fake-clock.ts";
import { FakeDatagrams } from "./l4/fake-datagrams.ts";
import { backendUnit, listenerUnit } from "./units.ts";

const VIP = "192.0.2.1";

/** A connection that does nothing and remembers how it ended. */
class IdleConnection implements Connection {
  handlers: ConnectionHandlers = { onData() {}, onEnd() {}, onDrain() {}, onClose() {} };
  proxied = undefined;
  readonly remoteAddress = "198.51.100.7";
  readonly remotePort = 40_000;
  readonly localAddress = VIP;
  readonly localPort = 80;
  readonly pendingBytes = 0;
  readonly tls = undefined;
  ended: "open" | "closed" | "reset" = "open";

  write(): boolean {
    return true;
  }
  pause(): void {}
  resume(): void {}
  shutdown(): void {}
  close(): void {
    this.end("closed");
  }
  reset(): void {
    this.end("reset");
  }
  toDuplex(): never {
    throw new Error("no stream here");
  }
  end(how: "closed" | "reset"): void {
    if (this.ended !== "open") return;
    this.ended = how;
    this.handlers.onClose(this, undefined);
  }
}

/** Sockets by endpoint, with who accepts there. */
class FakeTransport implements Transport {
  readonly log: string[] = [];
  readonly open = new Map<string, { options: ListenOptions; accept: (connection: Connection) => void }>();
  readonly broken = new Map<string, string>();
  readonly backends: IdleConnection[] = [];

  async listen(options: ListenOptions, accept: (connection: Connection) => void): Promise<ListeningSocket> {
    const { address, port } = options;
    const endpoint = `${address}:${port}`;
    const code = this.broken.get(endpoint);
    if (code !== undefined) throw new TransportError(code, endpoint);
    this.log.push(`open ${endpoint}`);
    this.open.set(endpoint, { options, accept });
    const close = async (): Promise<void> => {
      this.log.push(`close ${endpoint}`);
      this.open.delete(endpoint);
    };
    return { address, port, close };
  }

  connect(_options: unknown, handlers: ConnectionHandlers): Connection {
    const connection = new IdleConnection();
    connection.handlers = handlers;
    this.backends.push(connection);
    return connection;
  }

  secure(): never {
    throw new Error("no TLS here");
  }

  /** A client connects, and its backend stands. */
  client(port: number): IdleConnection {
    const connection = new IdleConnection();
    this.open.get(`${VIP}:${port}`)?.accept(connection);
    const backend = this.backends.at(-1);
    if (connection.ended === "open" && backend !== undefined) backend.handlers.onConnect?.(backend);
    return connection;
  }
}

const anyone: Balancer = {
  pick: () => ({
    kind: "lease",
    backend: backendUnit("a"),
    connected() {},
    failed() {},
    judge() {},
    count() {},
    release() {},
    onRevoke: undefined,
  }),
  wait: () => ({ kind: "refusal", reason: "backend-limit" }),
};

let clock: FakeClock;
let transport: FakeTransport;
let datagrams: FakeDatagrams;
let rows: CounterTable;
let acceptErrors: string[];
let listeners: Listeners;

beforeEach(() => {
  clock = new FakeClock();
  transport = new FakeTransport();
  datagrams = new FakeDatagrams();
  rows = CounterTable.create(LISTENER_ROW, 1);
  rows.reserve(0);
  acceptErrors = [];
  listeners = new Listeners({
    transport,
    datagrams,
    clock,
    createProxy: ({ unit, ...rest }) => {
      const balancer = (poolId: string): Balancer | undefined => (poolId === "pool" ? anyone : undefined);
      const budget = new FlowBudget(100);
      if (unit.protocol === "UDP")
        return new UdpProxy({ listener: unit, transport: datagrams, clock, balancer, budget, ...rest });
      return new TcpProxy({ listener: unit, transport, clock, random: () => 0, balancer, ...rest });
    },
    onAcceptError: ({ listenerId, code }) => acceptErrors.push(`${listenerId} ${code}`),
  });
});

const row = (): Row => rows.row(0, 0);
const wanted = (part: Partial<ListenerUnit> = {}): DesiredListener => ({
  unit: listenerUnit({ id: `l${part.port ?? 80}`, ...part }),
  row: row(),
  drainTimeoutMs: 1000,
});
const serve = (...wants: DesiredListener[]): Promise<void> =>
  listeners.apply([{ loadBalancerId: "lb", vip: VIP, listeners: wants }]);

describe("listeners", () => {
  it("open, keep and close sockets to match what is wanted", async () => {
    await serve(wanted(), wanted({ port: 81 }));
    await serve(wanted(), wanted({ port: 82 }));
    await serve(wanted({ connectionLimit: 5 }), wanted({ port: 82 }));
    await serve();
    const { log } = transport;
    expect(log.slice(0, 2)).toEqual(["open 192.0.2.1:80", "open 192.0.2.1:81"]);
    expect(log.slice(2, 4).toSorted()).toEqual(["close 192.0.2.1:81", "open 192.0.2.1:82"]);
    expect(log.slice(4).toSorted()).toEqual(["close 192.0.2.1:80", "close 192.0.2.1:82"]);
  });

  it("share their port with other workers", async () => {
    await serve(wanted());
    expect(transport.open.get("192.0.2.1:80")?.options).toMatchObject({ reusePort: true });
  });

  it("leave other load balancers' alone", async () => {
    await serve(wanted());
    await listeners.apply([{ loadBalancerId: "other", vip: VIP, listeners: [wanted({ port: 81 })] }]);
    await listeners.apply([{ loadBalancerId: "other", vip: VIP, listeners: [] }]);
    expect([...transport.open.keys()]).toEqual(["192.0.2.1:80"]);
  });

  it("move with the VIP", async () => {
    await serve(wanted());
    await listeners.apply([{ loadBalancerId: "lb", vip: "192.0.2.2", listeners: [wanted()] }]);
    expect([...transport.open.keys()]).toEqual(["192.0.2.2:80"]);
  });

  it("hand an endpoint on without closing it", async () => {
    await serve(wanted());
    await listeners.apply([
      { loadBalancerId: "lb", vip: VIP, listeners: [] },
      { loadBalancerId: "next", vip: VIP, listeners: [wanted({ id: "next" })] },
    ]);
    expect(transport.log).toEqual(["open 192.0.2.1:80"]);
    expect(transport.client(80).ended).toBe("open");
  });

  it("that can't be opened are named until they can", async () => {
    transport.broken.set("192.0.2.1:80", "EADDRINUSE");
    await serve(wanted(), wanted({ port: 81 }));
    expect(listeners.failures()).toEqual([{ loadBalancerId: "lb", listenerId: "l80", code: "EADDRINUSE" }]);
    transport.broken.clear();
    await serve(wanted(), wanted({ port: 81 }));
    expect(listeners.failures()).toEqual([]);
    expect(transport.log).toEqual(["open 192.0.2.1:81", "open 192.0.2.1:80"]);
  });

  it("that can't be opened are forgotten when nobody wants them", async () => {
    transport.broken.set("192.0.2.1:80", "EADDRINUSE");
    await serve(wanted());
    await serve();
    expect(listeners.failures()).toEqual([]);
  });

  it("follow their configuration: limit and pool", async () => {
    await serve(wanted());
    const first = transport.client(80);
    await serve(wanted({ connectionLimit: 1 }));
    expect(transport.client(80).ended).toBe("reset");
    await serve(wanted({ defaultPoolId: "none" }));
    expect(transport.client(80).ended).toBe("reset");
    expect(first.ended).toBe("open");
    expect(listenerFigures(row())).toMatchObject({
      connectionsActive: 1,
      connectionsTotal: 1,
      rejected: { "connection-limit": 1, "no-pool": 1 },
    });
  });

  it("tell of failed accepts, but not of each", async () => {
    await serve(wanted());
    const fail = (): void =>
      transport.open.get("192.0.2.1:80")?.options.onAcceptError?.(new TransportError("EMFILE", "out of them"));
    fail();
    fail();
    clock.advance(10_000);
    fail();
    expect(acceptErrors).toEqual(["l80 EMFILE", "l80 EMFILE"]);
  });
});

describe("UDP listeners", () => {
  const udp = (part: Partial<ListenerUnit> = {}): DesiredListener => wanted({ id: "udp", protocol: "UDP", ...part });
  const client = (port = 5000): void => {
    const socket = datagrams.bound.get("192.0.2.1:80");
    socket?.handlers.onDatagram(Buffer.from("ping"), { address: "198.51.100.7", port }, socket);
  };

  it("share a port number with TCP, and their sockets with other workers", async () => {
    await serve(wanted(), udp());
    expect(transport.log).toEqual(["open 192.0.2.1:80"]);
    expect(datagrams.log).toEqual(["open 192.0.2.1:80"]);
    expect(datagrams.bound.get("192.0.2.1:80")?.options.reusePort).toBe(true);
    await serve(wanted());
    expect(datagrams.log).toEqual(["open 192.0.2.1:80", "close 192.0.2.1:80"]);
    expect([...transport.open.keys()]).toEqual(["192.0.2.1:80"]);
  });

  it("answer through the socket that the datagram came by, and end their flows with it", async () => {
    await serve(udp());
    const socket = datagrams.bound.get("192.0.2.1:80");
    client();
    datagrams.peers[0]?.reply("pong");
    expect(socket?.sent).toEqual(["198.51.100.7 5000 pong"]);
    await serve();
    expect(datagrams.open).toEqual([]);
    expect(listenerFigures(row())).toMatchObject({ connectionsActive: 0, connectionsTotal: 1 });
  });

  it("hand their socket on to a listener that takes their place", async () => {
    await serve(udp());
    await serve(udp({ id: "next" }));
    client();
    expect(datagrams.log).toEqual(["open 192.0.2.1:80"]);
    expect(datagrams.open).toHaveLength(1);
  });

  it("that can't be opened are named until they can", async () => {
    datagrams.broken.set("192.0.2.1:80", "EADDRINUSE");
    await serve(udp());
    expect(listeners.failures()).toEqual([{ loadBalancerId: "lb", listenerId: "udp", code: "EADDRINUSE" }]);
    datagrams.broken.clear();
    await serve(udp());
    expect(listeners.failures()).toEqual([]);
  });

  it("count what the system did not take", async () => {
    await serve(udp());
    datagrams.bound.get("192.0.2.1:80")?.handlers.onLoss(new TransportError("ENOBUFS", "full"));
    expect(listenerFigures(row()).rejected["send-failed"]).toBe(1);
  });

  it("stop without waiting for flows, which have no end", async () => {
    await serve(udp());
    client();
    await listeners.stop({ drainTimeoutMs: 60_000 });
    expect(datagrams.bound.size).toBe(0);
    expect(datagrams.open).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

describe("connections of a listener that goes", () => {
  it("may finish within the drain time, then they are reset", async () => {
    await serve(wanted());
    const [quick, slow] = [transport.client(80), transport.client(80)];
    await serve();
    clock.advance(999);
    expect([quick.ended, slow.ended]).toEqual(["open", "open"]);
    quick.end("closed");
    clock.advance(1);
    expect(slow.ended).toBe("reset");
  });

  it("don't hold up one that takes its endpoint", async () => {
    await serve(wanted());
    const old = transport.client(80);
    await serve(wanted({ id: "next" }));
    const fresh = transport.client(80);
    clock.advance(1000);
    expect([old.ended, fresh.ended]).toEqual(["reset", "open"]);
  });
});

describe("stop", () => {
  it("closes every socket and resolves at once without connections", async () => {
    await serve(wanted());
    await listeners.stop({ drainTimeoutMs: 60_000 });
    expect(transport.open.size).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("resolves when the last connection has ended, those of listeners that went before included", async () => {
    await serve(wanted(), wanted({ port: 81 }));
    const [one, other] = [transport.client(80), transport.client(81)];
    await serve(wanted());
    let isStopped = false;
    const stopped = listeners.stop({ drainTimeoutMs: 60_000 }).then(() => (isStopped = true));
    await new Promise((resolve) => setImmediate(resolve));
    for (const connection of [one, other]) {
      expect(isStopped).toBe(false);
      connection.end("closed");
      transport.backends[connection === one ? 0 : 1]?.end("closed");
      await new Promise((resolve) => setImmediate(resolve));
    }
    await stopped;
  });

  it("resets what is left when its time is over, not the pool's drain time", async () => {
    await serve(wanted());
    const connection = transport.client(80);
    const stopped = listeners.stop({ drainTimeoutMs: 5000 });
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(4999);
    expect(connection.ended).toBe("open");
    clock.advance(1);
    await stopped;
    expect(connection.ended).toBe("reset");
  });
});
