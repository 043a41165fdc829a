import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";

import { afterEach, beforeAll, beforeEach, describe, expect, jest, test } from "@jest/globals";
import fc from "fast-check";

import { Http1Proxy } from "../../src/data/l7/http1-proxy.ts";
import { RequestIds } from "../../src/data/l7/request-id.ts";
import { Upstreams } from "../../src/data/l7/upstreams.ts";
import { HANDSHAKE_TIMEOUT_MS, SecuredProxy } from "../../src/data/secured-proxy.ts";
import { ListenerTls } from "../../src/data/tls/tls-server.ts";
import { createNodeTransport } from "../../src/data/transport/node-transport.ts";
import { loadTcpBinding } from "../../src/data/transport/tcp-binding.ts";
import type { ListeningSocket } from "../../src/data/transport/transport.ts";
import type { CertificateUnit, ListenerUnit, TlsUnit } from "../../src/snapshot/snapshot.ts";
import { FakeClock } from "../fake-clock.ts";
import { AccountLog } from "./l4/proxy-rig.ts";
import { HTTP } from "./l7/http-rig.ts";
import { TestAuthority } from "./tls/authority.ts";
import { Peer } from "./transport/peer.ts";
import { listenerUnit } from "./units.ts";

// The law: whatever clients send instead of a handshake, and whatever becomes of the listener meanwhile, each takes one
// place and gives it back, and the next client is served.

const RUNS = Math.ceil(Number(process.env["FIBERLB_FUZZ_RUNS"] ?? 4000) / 100);
jest.setTimeout(60_000 + 100 * RUNS);

let authority: TestAuthority;
let certificates: CertificateUnit[];
/** What a client of Node says first: TLS 1.3 and 1.2, with a server's name and ALPN. */
let hello: Buffer;

beforeAll(async () => {
  authority = new TestAuthority();
  certificates = [authority.issue({ names: ["server.test"] }), authority.issue({ names: ["*.other.test"] })];
  hello = await helloOf({ servername: "some.other.test", ALPNProtocols: ["h2", "http/1.1"] });
});

async function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = tls.connect({ ...options, host: "127.0.0.1", port: (server.address() as net.AddressInfo).port });
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [net.Socket];
  const [bytes] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  server.close();
  return bytes;
}

/** The hello with another name for the server, all lengths right. */
function helloFor(name: Buffer): Buffer {
  const old = Buffer.from("some.other.test");
  const at = hello.indexOf(old);
  const longer = name.length - old.length;
  const made = Buffer.concat([hello.subarray(0, at), name, hello.subarray(at + old.length)]);
  const extensions = extensionsAt(made);
  // Record, handshake, extensions; the extension, its list, the name.
  for (const offset of [3, 7, extensions, at - 7, at - 5, at - 2]) {
    made.writeUInt16BE(hello.readUInt16BE(offset) + longer, offset);
  }
  return made;
}

function extensionsAt(bytes: Buffer): number {
  const ids = 43;
  const ciphers = ids + 1 + bytes.readUInt8(ids);
  const compressions = ciphers + 2 + bytes.readUInt16BE(ciphers);
  return compressions + 1 + bytes.readUInt8(compressions);
}

const unitOf = (): TlsUnit => ({
  certificates,
  minVersion: "TLS_1_2",
  clientAuth: "OPTIONAL",
  clientCaPem: authority.pem,
  alpnProtocols: ["h2", "http/1.1"],
});
const listener = (part: Partial<ListenerUnit> = {}): ListenerUnit =>
  listenerUnit({ protocol: "HTTPS", tls: unitOf(), http: HTTP, ...part });

let clock: FakeClock;
let account: AccountLog;
let proxy: SecuredProxy;
let listening: ListeningSocket;

async function open(binding: ReturnType<typeof loadTcpBinding>): Promise<void> {
  clock = new FakeClock();
  account = new AccountLog();
  const transport = createNodeTransport({ clock, binding });
  const unit = listener();
  const inner = new Http1Proxy({
    listener: unit,
    vip: "192.0.2.80",
    clock,
    random: () => 0,
    account,
    upstreams: new Upstreams({ transport, clock }),
    requestIds: new RequestIds(() => 0),
    pool: () => undefined,
  });
  const secret = new Uint8Array(32);
  const createTls = (tlsOf: TlsUnit) => new ListenerTls({ listenerId: "listener", unit: tlsOf, secret, clock });
  proxy = new SecuredProxy({ listener: unit, transport, account, createTls, inner });
  listening = await transport.listen({ address: "127.0.0.1", port: 0, reusePort: false, backlog: 64 }, proxy.accept);
}

/** A client that keeps to the rules is answered (503: there is no pool). */
async function isServed(): Promise<void> {
  const socket = tls.connect({ port: listening.port, host: "127.0.0.1", servername: "server.test", ca: authority.pem });
  await once(socket, "secureConnect");
  socket.write("GET / HTTP/1.1\r\nHost: server.test\r\nConnection: close\r\n\r\n");
  const [answer] = (await once(socket, "data")) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1.1 503 /);
  socket.destroy();
}

/** How a client goes on after what it has said first. */
type Ending = "end" | "reset" | "silence";
type Event = "update" | "closeAll" | "time" | "none";

const bytes = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ flips: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), cut: fc.nat(1200) }),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 400 }) },
  {
    weight: 2,
    arbitrary: fc.oneof(
      fc.constantFrom(
        "",
        ".",
        "SERVER.TEST",
        "server.test.",
        "127.0.0.1",
        "[::1]",
        "a\0b",
        "*.other.test",
        ".other.test",
      ),
      fc.stringMatching(/^[a-z.*]{1,40}$/),
      fc.integer({ min: 200, max: 400 }).map((length) => "x".repeat(length)),
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
      .map((text) => [text]),
  },
);

function said(what: typeof bytes extends fc.Arbitrary<infer T> ? T : never): Buffer {
  if (typeof what === "string") return helloFor(Buffer.from(what, "latin1"));
  if (what instanceof Uint8Array) return Buffer.from(what);
  if (Array.isArray(what)) return Buffer.from(what[0] as string);
  const made = Buffer.from(hello);
  for (const [at, byte] of what.flips) made[at % made.length] = byte;
  return made.subarray(0, what.cut % 2 === 0 ? undefined : what.cut);
}

const client = fc.record({
  what: bytes,
  second: fc.option(fc.uint8Array({ maxLength: 100 })),
  ending: fc.constantFrom<Ending>("end", "reset", "silence"),
  event: fc.constantFrom<Event>("none", "none", "none", "update", "time", "closeAll"),
});

async function behave({ what, second, ending, event }: typeof client extends fc.Arbitrary<infer T> ? T : never) {
  // A reset may be quicker than the connect.
  const peer = await Peer.connect(listening).catch(() => undefined);
  if (peer === undefined) return;
  peer.read();
  await peer.send(said(what)).catch(() => undefined);
  if (second !== null) await peer.send(second).catch(() => undefined);
  if (event === "update") proxy.update(listener({ tls: { ...unitOf(), certificates: certificates.toReversed() } }));
  else if (event === "closeAll") proxy.closeAll("shutdown");
  else if (event === "time") clock.advance(HANDSHAKE_TIMEOUT_MS + 1000);
  if (ending === "reset") peer.reset();
  else if (ending === "end") peer.socket.end();
  await new Promise<void>((resolve) => void setImmediate(resolve));
}

describe.each([
  ["TCP handles", loadTcpBinding()],
  ["net.Socket", undefined],
] as const)("%s", (_, binding) => {
  beforeEach(() => open(binding));
  afterEach(async () => {
    proxy.closeAll("shutdown");
    await listening.close();
  });

  test.each([
    ["a known name", "server.test"],
    ["a name under a wildcard", "a.other.test"],
    ["a name in upper case and with its dot", "SERVER.TEST."],
    ["an address", "127.0.0.1"],
    ["a name that is too long for any", "x".repeat(250)],
  ])("the hello that names %s is a hello", async (_name, name) => {
    const peer = (await Peer.connect(listening)).read();
    await peer.send(helloFor(Buffer.from(name)));
    await peer.receivedAtLeast(6);
    // A handshake record, with ServerHello.
    expect([peer.received[0], peer.received[5]]).toEqual([22, 2]);
    peer.socket.destroy();
  });

  test("whatever clients say, places are given back and the next client is served", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(client, { minLength: 1, maxLength: 6 }), async (clients) => {
        await Promise.all(clients.map(behave));
        await isServed();
        proxy.closeAll("shutdown");
        await account.until(() => account.opened === account.closed);
        expect(proxy.active).toBe(0);
      }),
      { numRuns: RUNS },
    );
    expect(account.closed).toBe(account.opened);
    expect(account.rejected).toContain("tls-handshake");
  });
});
