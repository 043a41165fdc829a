import { once } from "node:events";
import type net from "node:net";
import tls from "node:tls";

import { afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";

import type { Proxy } from "../../src/data/proxy.ts";
import { HANDSHAKE_TIMEOUT_MS, SecuredProxy } from "../../src/data/secured-proxy.ts";
import { ListenerTls } from "../../src/data/tls/tls-server.ts";
import { createNodeTransport } from "../../src/data/transport/node-transport.ts";
import type { Connection, ListeningSocket } from "../../src/data/transport/transport.ts";
import type { CertificateUnit, ListenerUnit, TlsUnit } from "../../src/snapshot/snapshot.ts";
import { FakeClock } from "../fake-clock.ts";
import { AccountLog } from "./l4/proxy-rig.ts";
import { TestAuthority } from "./tls/authority.ts";
import { Peer } from "./transport/peer.ts";
import { listenerUnit } from "./units.ts";

/** Answers every byte with itself, and gives the place back as proxies do. */
class Echo implements Proxy {
  readonly served: Connection[] = [];
  readonly calls: string[] = [];
  readonly #account: AccountLog;

  constructor(account: AccountLog) {
    this.#account = account;
  }

  get active(): number {
    return this.served.length;
  }

  readonly accept = (): void => {
    throw new Error("nobody comes here who was not let in");
  };

  serve(connection: Connection): void {
    this.served.push(connection);
    connection.handlers = {
      onData: (from, bytes) => void from.write(bytes),
      onEnd: (from) => from.shutdown(),
      onDrain() {},
      onClose: () => this.#account.close(),
    };
  }

  update(): void {
    this.calls.push("update");
  }

  drain(): void {
    this.calls.push("drain");
  }

  closeAll(): void {
    this.calls.push("closeAll");
    for (const connection of this.served) connection.reset();
  }
}

let authority: TestAuthority;
let [first, second]: CertificateUnit[] = [];
beforeAll(() => {
  authority = new TestAuthority();
  first = authority.issue({ names: ["server.test"], subject: "/CN=first" });
  second = authority.issue({ names: ["server.test"], subject: "/CN=second" });
});

let clock: FakeClock;
let account: AccountLog;
let inner: Echo;
let proxy: SecuredProxy;
let listening: ListeningSocket;
let peers: net.Socket[];

const tlsUnit = (certificate: CertificateUnit): TlsUnit => ({
  certificates: [certificate],
  minVersion: "TLS_1_2",
  clientAuth: "NONE",
  alpnProtocols: [],
});
const listener = (part: Partial<ListenerUnit> = {}): ListenerUnit =>
  listenerUnit({ protocol: "TLS", tls: tlsUnit(first!), ...part });
const unusable = (): TlsUnit => tlsUnit({ ...second!, privateKeyPem: first!.privateKeyPem });

async function open(unit: ListenerUnit = listener()): Promise<void> {
  const transport = createNodeTransport({ clock });
  const secret = new Uint8Array(32);
  const createTls = (tlsOf: TlsUnit) => new ListenerTls({ listenerId: "listener", unit: tlsOf, secret, clock });
  proxy = new SecuredProxy({ listener: unit, transport, account, createTls, inner });
  listening = await transport.listen({ address: "127.0.0.1", port: 0, reusePort: false, backlog: 16 }, proxy.accept);
}

beforeEach(() => {
  clock = new FakeClock();
  account = new AccountLog();
  inner = new Echo(account);
  peers = [];
});
afterEach(async () => {
  for (const peer of peers) peer.destroy();
  proxy.closeAll("shutdown");
  await listening.close();
});

async function raw(): Promise<Peer> {
  const peer = await Peer.connect(listening);
  peers.push(peer.socket);
  return peer.read();
}

/** A client whose handshake is done. */
async function client(): Promise<tls.TLSSocket> {
  const { address: host, port } = listening;
  const socket = tls.connect({ host, port, servername: "server.test", ca: authority.pem });
  peers.push(socket);
  await once(socket, "secureConnect");
  return socket;
}

async function echoes(socket: tls.TLSSocket): Promise<string> {
  socket.write("?");
  const [bytes] = (await once(socket, "data")) as [Buffer];
  return bytes.toString();
}

const nameShown = (socket: tls.TLSSocket): unknown => socket.getPeerCertificate().subject.CN;

describe("a client that keeps to the rules", () => {
  it("is handed over once its handshake is done, with what was agreed on", async () => {
    await open();
    const socket = await client();
    expect(await echoes(socket)).toBe("?");
    expect(inner.served[0]?.tls).toMatchObject({ version: "TLSv1.3", serverName: "server.test" });
    expect(account).toMatchObject({ opened: 1, closed: 0, rejected: [] });
    socket.end();
    await account.until(() => account.closed === 1);
  });

  it("goes on with the old certificate while others get the new one", async () => {
    await open();
    const before = await client();
    proxy.update(listener({ tls: tlsUnit(second!) }));
    const after = await client();
    expect([nameShown(before), nameShown(after)]).toEqual(["first", "second"]);
    expect(await echoes(before)).toBe("?");
    expect(inner.calls).toEqual(["update"]);
  });
});

describe("others cost no handshake", () => {
  it("who come from elsewhere", async () => {
    await open(listener({ allowedCidrs: ["192.0.2.0/24"] }));
    const peer = await raw().catch(() => undefined);
    await peer?.closed;
    expect(account).toMatchObject({ opened: 0, rejected: ["acl"] });
    proxy.update(listener());
    await client();
  });

  it("whose source makes too many connections", async () => {
    account.rates = { connections: { admits: () => false } };
    await open();
    const peer = await raw().catch(() => undefined);
    await peer?.closed;
    expect(account).toMatchObject({ opened: 0, rejected: ["rate-limit"] });
  });

  it("who are above the connection limit, of which a handshake is a part", async () => {
    await open(listener({ connectionLimit: 1 }));
    await raw();
    await account.until(() => account.opened === 1);
    const peer = await raw().catch(() => undefined);
    await peer?.closed;
    expect(account).toMatchObject({ opened: 1, rejected: ["connection-limit"] });
    expect(proxy.active).toBe(1);
  });
});

describe("a handshake that comes to nothing", () => {
  it("ends with the timeout", async () => {
    await open();
    const peer = await raw();
    await account.until(() => account.opened === 1);
    clock.advance(HANDSHAKE_TIMEOUT_MS + 1000);
    await Promise.race([peer.end().catch(() => undefined), peer.closed]);
    await account.until(() => account.closed === 1);
    expect(account.rejected).toEqual(["tls-handshake"]);
    expect(proxy.active).toBe(0);
  });

  it("ends for one who speaks something else", async () => {
    await open();
    const peer = await raw();
    await peer.send("GET / HTTP/1.1\r\nHost: server.test\r\n\r\n");
    await account.until(() => account.closed === 1);
    expect(account.rejected).toEqual(["tls-handshake"]);
    expect(inner.served).toEqual([]);
    expect(peer.received.toString("latin1")).not.toContain("HTTP");
  });

  it("ends with everything else, and is nobody's fault", async () => {
    await open();
    const peer = await raw();
    await account.until(() => account.opened === 1);
    proxy.closeAll("shutdown");
    await peer.closed;
    await account.until(() => account.closed === 1);
    expect(account.rejected).toEqual([]);
  });
});

describe("a certificate that cannot be used", () => {
  it("turns everybody away, says why, and is over with a better one", async () => {
    await open(listener({ tls: unusable() }));
    expect(proxy.problem).toMatch(/^Cannot use certificate certificate-2: /);
    expect(proxy.problem).not.toContain("PRIVATE");
    const peer = await raw().catch(() => undefined);
    await peer?.closed;
    expect(account).toMatchObject({ opened: 1, closed: 1, rejected: ["tls-handshake"] });
    proxy.update(listener());
    expect(proxy.problem).toBeUndefined();
    expect(nameShown(await client())).toBe("first");
  });

  it("leaves the one before in use", async () => {
    await open();
    proxy.update(listener({ tls: unusable() }));
    expect(proxy.problem).toMatch(/^Cannot use certificate certificate-2: /);
    expect(nameShown(await client())).toBe("first");
  });
});

it("drains what it leads to", async () => {
  await open();
  proxy.drain();
  expect(inner.calls).toEqual(["drain"]);
});
