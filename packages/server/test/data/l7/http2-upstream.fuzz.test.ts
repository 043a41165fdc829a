import { afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import fc from "fast-check";

import { HTTP2_CLEARTEXT } from "../../../src/data/l7/backend-protocol.ts";
import { BackendProtocols } from "../../../src/data/l7/backend-protocols.ts";
import { FrameType, PREFACE } from "../../../src/data/l7/http2/http2-frame.ts";
import { PoolTls } from "../../../src/data/tls/tls-client.ts";
import { createNodeTransport } from "../../../src/data/transport/node-transport.ts";
import { loadTcpBinding } from "../../../src/data/transport/tcp-binding.ts";
import type { CertificateUnit } from "../../../src/snapshot/snapshot.ts";
import { TestAuthority } from "../tls/authority.ts";
import { Peer, PeerServer } from "../transport/peer.ts";
import { poolUnit } from "../units.ts";
import { HttpRig } from "./http-rig.ts";
import { FUZZ_RUNS } from "./http1-fuzz.ts";
import { block, type Fields, frame, framesOf, number32, settings } from "./http2/raw-http2.ts";

// The law: whatever a backend says in HTTP/2, and whenever it leaves, every client is answered or cut, what it gets is
// HTTP/1.1, and no place at a backend is kept.

const RUNS = Math.ceil(FUZZ_RUNS / 80);
jest.setTimeout(60_000 + 200 * RUNS);

let authority: TestAuthority;
let certificate: CertificateUnit;
beforeAll(() => {
  authority = new TestAuthority();
  certificate = authority.issue({ names: ["server.test"] });
});

let rig: HttpRig;
let server: PeerServer;
afterEach(async () => {
  await rig.close();
  await server.close();
});

/** What a backend does next; `waits`: once another request has come. */
interface Step {
  readonly waits: boolean;
  readonly what: Buffer | "end" | "reset";
}

const stream = fc.constantFrom(0, 1, 1, 1, 3, 5, 2);
const anyFlags = fc.constantFrom(0, 1, 4, 4, 5, 5, 8, 0x20);
const fields = fc.constantFrom<Fields>(
  [[":status", "200"]],
  [
    [":status", "200"],
    ["content-length", "5"],
  ],
  [[":status", "103"]],
  [[":status", "100"]],
  [[":status", "101"]],
  [[":status", "204"]],
  [[":status", "304"]],
  [[":status", "abc"]],
  [["x-one", "1"]],
  [
    [":status", "200"],
    ["x-evil", "a\r\nb: c"],
  ],
  [
    [":status", "200"],
    ["content-length", "5"],
    ["content-length", "6"],
  ],
  [
    [":status", "200"],
    ["connection", "close"],
  ],
  [
    [":status", "200"],
    ["transfer-encoding", "chunked"],
  ],
);
const said = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(stream, anyFlags, fields)
      .map(([id, flag, each]) => frame(FrameType.HEADERS, { stream: id, flags: flag, payload: block(each) })),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(stream, anyFlags, fc.uint8Array({ maxLength: 20 }))
      .map(([id, flag, bytes]) => frame(FrameType.DATA, { stream: id, flags: flag, payload: Buffer.from(bytes) })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(stream, fc.constantFrom(0, 1, 7, 8))
      .map(([id, code]) => frame(FrameType.RST_STREAM, { stream: id, payload: number32(code) })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(0, 1, 3, 0x7fff_ffff), fc.constantFrom(0, 0, 1, 11))
      .map(([last, code]) => frame(FrameType.GOAWAY, { payload: Buffer.concat([number32(last), number32(code)]) })),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      settings(),
      settings([3, 0]),
      settings([3, 1]),
      settings([4, 0]),
      settings([4, 1 << 20]),
    ),
  },
  fc.tuple(stream, fc.nat()).map(([id, by]) => frame(FrameType.WINDOW_UPDATE, { stream: id, payload: number32(by) })),
  fc
    .tuple(fc.nat(12), stream, anyFlags, fc.uint8Array({ maxLength: 12 }))
    .map(([type, id, flag, bytes]) => frame(type, { stream: id, flags: flag, payload: Buffer.from(bytes) })),
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
);
const step: fc.Arbitrary<Step> = fc.record({
  waits: fc.boolean(),
  what: fc.oneof({ weight: 8, arbitrary: said }, fc.constantFrom("end", "reset")),
});
const first: Step = { waits: false, what: settings() };
const answer = (flags: number): Step => ({
  waits: true,
  what: frame(FrameType.HEADERS, { stream: 1, flags, payload: block([[":status", "200"]]) }),
});
const steps = fc
  .tuple(fc.constantFrom([], [first], [first, answer(4)], [first, answer(5)]), fc.array(step, { maxLength: 8 }))
  .map(([begin, all]): Step[] => [...begin, ...all]);

const REQUESTS = [
  "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
  "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  // Never complete.
  "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 50\r\n\r\nhello",
];

/** Requests that the backend has heard of. */
const heard = ({ received }: Peer): number =>
  framesOf(received.subarray(PREFACE.length)).filter(({ type }) => type === FrameType.HEADERS).length;

async function act(peer: Peer, all: readonly Step[]): Promise<void> {
  for (const { waits, what } of all) {
    const before = heard(peer);
    for (let turns = waits ? 100 : 0; turns > 0 && heard(peer) === before; turns--) await turn();
    if (what === "end") peer.socket.end();
    else if (what === "reset") peer.reset();
    else await peer.send(what).catch(() => undefined);
  }
  peer.socket.end();
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

/** What connections are served with, one script after the other. */
let scripts: readonly (readonly Step[])[] = [];

async function serve(): Promise<void> {
  for (let i = 0; ; i++) {
    const peer = await server.next();
    void act(peer.read(), scripts[i % scripts.length] ?? []);
  }
}

const MAX_TURNS = 100_000;

/** That a client has left is heard of only when its request waits for nothing else any more, which takes its time. */
async function settled(): Promise<void> {
  for (let turns = 1; rig.account.opened !== rig.account.closed; turns++) {
    if (turns % 50 === 0) rig.clock.advance(1000);
    if (turns > MAX_TURNS) throw new Error("a client that has left keeps its place");
    await turn();
  }
}

/** Asks; resolves with what came until the end. Time passes as long as nothing happens. */
async function ask(request: string, cutAfter: number | null): Promise<string> {
  const client = (await Peer.connect(await rig.listen())).read();
  await client.send(request);
  let turns = 0;
  while (!client.ended && !client.socket.destroyed) {
    if (cutAfter !== null && turns === cutAfter) client.reset();
    if (++turns % 50 === 0) rig.clock.advance(1000);
    // Every timeout is long over: nothing will come any more.
    if (turns > MAX_TURNS) throw new Error(`neither answered nor cut: ${JSON.stringify(request)}`);
    await turn();
  }
  client.socket.destroy();
  return client.received.toString("latin1");
}

const ENGINES = [
  ["h2c", "net.Socket", undefined],
  ["h2c", "TCP handles", loadTcpBinding()],
  ["TLS", "net.Socket", undefined],
  ["TLS", "TCP handles", loadTcpBinding()],
] as const;

describe("a backend", () => {
  test.each(ENGINES)("may say anything: %s, %s", async (wire, _, binding) => {
    const http = { requestTimeoutMs: 20_000, backendIdleTimeoutMs: 20_000 };
    const backendTls = { caPem: authority.pem, serverName: "server.test", skipVerify: false, alpnProtocols: ["h2"] };
    const unit = { ...poolUnit([]), protocol: "HTTPS", backendTls } as const;
    const protocol =
      wire === "h2c" ? HTTP2_CLEARTEXT : new BackendProtocols((tls) => new PoolTls(tls)).of(unit as never)!;
    rig = new HttpRig({ http }, { protocol, transport: (clock) => createNodeTransport({ clock, binding }) });
    const { chainPem: cert, privateKeyPem: key } = certificate;
    server = await PeerServer.listen("127.0.0.1", wire === "TLS" ? { cert, key, ALPNProtocols: ["h2"] } : undefined);
    rig.balancer.add("backend", server.port);
    void serve();
    const asked = fc.array(fc.tuple(fc.constantFrom(...REQUESTS), fc.option(fc.nat(60), { freq: 4 })), {
      minLength: 1,
      maxLength: 5,
    });
    let answered = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 3 }), asked, async (all, requests) => {
        scripts = all;
        const answers = await Promise.all(requests.map(([request, cutAfter]) => ask(request, cutAfter)));
        for (const each of answers) expect(each).toMatch(/^(HTTP\/1\.1 \d{3} |$)/);
        for (const each of answers) expect(each).not.toMatch(/\r\nb: c\r\n/);
        answered += answers.filter((each) => each.includes("HTTP/1.1 200 ")).length;
        await settled();
        const released = rig.balancer.log.filter((line) => line.endsWith("released")).length;
        expect(released).toBe(rig.balancer.leases.length);
      }),
      { numRuns: RUNS },
    );
    expect(answered).toBeGreaterThan(0);
  });
});
