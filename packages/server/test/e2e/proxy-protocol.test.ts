import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import tls from "node:tls";

import {
  BackendStatus,
  CertificateType,
  type FiberlbClient,
  HealthCheckType,
  ListenerProtocol,
  PoolProtocol,
  ProxyProtocolVersion,
} from "@fiberlb/api";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";

import { parseProxyHeader } from "../../src/data/l4/proxy-protocol.ts";
import { freePort, listen } from "../data/tcp-peers.ts";
import { TestAuthority } from "../data/tls/authority.ts";
import { openUdpClient, startUdpServer } from "../data/udp-peers.ts";
import { curl, whyNoCurl } from "./curl.ts";
import { type Declared, declare, untilApplied } from "./declare.ts";
import { startHaproxy, whyNoHaproxy } from "./haproxy.ts";
import { declareHttp } from "./policies.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { until } from "./until.ts";
import { type Seen, startWebServer, type WebServer } from "./web-server.ts";

jest.setTimeout(60_000);

const ACCEPTING = { acceptProxyProtocol: true, proxyProtocolTrustedCidrs: ["127.0.0.0/8"] };
const HEADER = "PROXY TCP4 198.51.100.7 203.0.113.1 40000 443\r\n";

let node: TestNode;
let client: FiberlbClient;
let web: WebServer;
beforeAll(async () => {
  web = await startWebServer("web");
  node = await startTestNode();
  ({ client } = node);
});
afterAll(async () => {
  await node?.stop();
  await web?.close();
});

const urlOf = ({ host, port }: Declared, scheme = "http"): string => `${scheme}://${host}:${port}/`;

/** What comes back for these bytes until the end; undefined when there is a reset. */
function exchange({ host, port }: { host: string; port: number }, bytes: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, host, () => socket.write(bytes));
    let text = "";
    socket.on("data", (chunk) => (text += String(chunk)));
    socket.on("error", () => resolve(undefined));
    socket.on("end", () => resolve(text));
  });
}

const GET = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const forwardedFor = (answer: string | undefined): unknown =>
  (JSON.parse(answer?.slice(answer.indexOf("{")).replace(/\}[^}]*$/, "}") ?? "null") as Seen | null)?.headers[
    "x-forwarded-for"
  ];

(whyNoCurl ? describe.skip : describe)(`curl behind a proxy${whyNoCurl && ` (skipped: ${whyNoCurl})`}`, () => {
  test("is who backends hear of, and is refused without a header", async () => {
    const lb = await declareHttp(client, { listener: ACCEPTING, backends: [{ port: web.port }] });
    const answer = await curl(["--haproxy-protocol", "--interface", "127.0.0.9", urlOf(lb)]);
    expect(answer).toMatchObject({ exitCode: 0, status: 200 });
    expect((JSON.parse(answer.body) as Seen).headers["x-forwarded-for"]).toBe("127.0.0.9");
    expect((await curl([urlOf(lb)])).status).toBe(0);
  });

  test.each(["--http1.1", "--http2"])("is so in TLS with %s", async (version) => {
    const { chainPem: certificatePem, privateKeyPem } = new TestAuthority().issue({ names: ["shop.example"] });
    const own = { type: CertificateType.SERVER, certificatePem, privateKeyPem };
    const { certificate } = await client.certificates.createCertificate(own);
    const listener = { ...ACCEPTING, protocol: ListenerProtocol.HTTPS, certificateIds: [certificate!.id] };
    const lb = await declareHttp(client, { listener, backends: [{ port: web.port }] });
    const asked = ["-k", version, "--haproxy-protocol", "--interface", "127.0.0.9", urlOf(lb, "https")];
    const answer = await curl(asked);
    expect(answer).toMatchObject({ exitCode: 0, status: 200 });
    expect((JSON.parse(answer.body) as Seen).headers["x-forwarded-for"]).toBe("127.0.0.9");
  });
});

test("a TLS listener takes the header before TLS and tells a TCP pool of it", async () => {
  const seen: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", (bytes: Buffer) => {
      seen.push(bytes);
      socket.end("bye");
    });
  });
  const port = await freePort("127.0.0.1");
  await listen(server, port);
  const { chainPem: certificatePem, privateKeyPem } = new TestAuthority().issue({ names: ["shop.example"] });
  const own = { type: CertificateType.SERVER, certificatePem, privateKeyPem };
  const { certificate } = await client.certificates.createCertificate(own);
  const lb = await declare(client, {
    pool: { sendProxyProtocol: ProxyProtocolVersion.V1 },
    listener: { ...ACCEPTING, protocol: ListenerProtocol.TLS, certificateIds: [certificate!.id] },
    backends: [{ port }],
  });
  const tcp = connect(lb.port, lb.host);
  await once(tcp, "connect");
  await new Promise<void>((resolve) => void tcp.write(HEADER, () => resolve()));
  const secured = tls.connect({ socket: tcp, rejectUnauthorized: false });
  await once(secured, "secureConnect");
  secured.write("hello");
  const [answer] = (await once(secured, "data")) as [Buffer];
  expect(answer.toString()).toBe("bye");
  // Header and bytes may come in one piece or in two.
  expect(`${HEADER}hello`.startsWith(seen[0]!.toString())).toBe(true);
  secured.destroy();
  server.close();
});

describe("a listener that accepts the PROXY protocol", () => {
  test("judges the client that the header names", async () => {
    const listener = { ...ACCEPTING, allowedCidrs: ["198.51.100.0/24", "2001:db8::/32"] };
    const lb = await declareHttp(client, { listener, backends: [{ port: web.port }] });
    expect(forwardedFor(await exchange(lb, HEADER + GET))).toBe("198.51.100.7");
    const ipv6 = "PROXY TCP6 2001:db8::7 2001:db8::1 40000 443\r\n";
    expect(forwardedFor(await exchange(lb, ipv6 + GET))).toBe("2001:db8::7");
    expect(await exchange(lb, HEADER.replace("198.51.100.7", "192.0.2.7") + GET)).toBeUndefined();
    expect(await exchange(lb, GET)).toBeUndefined();
  });

  test("believes trusted peers only, from one change of the configuration to the next", async () => {
    const listener = { ...ACCEPTING, proxyProtocolTrustedCidrs: ["127.0.0.9/32"] };
    const lb = await declareHttp(client, { listener, backends: [{ port: web.port }] });
    expect(await exchange(lb, HEADER + GET)).toBeUndefined();
    const { proxyProtocolTrustedCidrs } = ACCEPTING;
    await client.listeners.updateListener({
      listener: { id: lb.listenerId, proxyProtocolTrustedCidrs },
      updateMask: { paths: ["proxy_protocol_trusted_cidrs"] },
    });
    await untilApplied(client, lb.loadBalancerId);
    expect(forwardedFor(await exchange(lb, HEADER + GET))).toBe("198.51.100.7");
  });

  test("must say whom it trusts", async () => {
    const created = declare(client, { listener: { acceptProxyProtocol: true }, backends: [] });
    await expect(created).rejects.toThrow(/proxy_protocol_trusted_cidrs/);
  });
});

describe("a pool that is sent the PROXY protocol", () => {
  test.each(["V1", "V2"] as const)("over TCP, version %s", async (version) => {
    const sendProxyProtocol = ProxyProtocolVersion[version];
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", (bytes: Buffer) => {
        const header = parseProxyHeader(bytes);
        socket.end(JSON.stringify(header));
      });
    });
    const port = await freePort("127.0.0.1");
    await listen(server, port);
    const lb = await declare(client, { pool: { sendProxyProtocol }, listener: ACCEPTING, backends: [{ port }] });
    const header = JSON.parse((await exchange(lb, `${HEADER}hello`)) ?? "null") as object;
    expect(header).toMatchObject({
      kind: "header",
      endpoints: { source: { address: "198.51.100.7", port: 40_000 }, destination: { port: 443 } },
    });
    server.close();
  });

  test("over HTTP, its health checks included", async () => {
    const headers: unknown[] = [];
    const front = createServer((socket) => handOver(socket, headers));
    const port = await freePort("127.0.0.1");
    await listen(front, port);
    const lb = await declareHttp(client, {
      pool: { sendProxyProtocol: ProxyProtocolVersion.V2 },
      listener: ACCEPTING,
      backends: [{ port }],
    });
    const check = { type: HealthCheckType.HTTP, intervalMs: 250, timeoutMs: 250, rise: 1, fall: 3 };
    await client.healthChecks.createHealthCheck({ poolId: lb.poolId, ...check });
    const status = (): Promise<BackendStatus> =>
      client.backends.getBackend({ id: lb.backendIds[0]! }).then(({ backend }) => backend!.status);
    await until("the backend passes its checks", status, (now) => now === BackendStatus.ONLINE);
    expect(forwardedFor(await exchange(lb, HEADER + GET))).toBe("198.51.100.7");
    expect(headers).toContain("198.51.100.7");
    expect(headers).toContain("nobody");
    front.close();
  });

  /** Reads the header as a web server would that demands it, and hands the rest on. */
  function handOver(socket: Socket, headers: unknown[]): void {
    socket.on("error", () => undefined);
    socket.once("readable", () => {
      const bytes = (socket.read() as Buffer | null) ?? Buffer.alloc(0);
      const header = parseProxyHeader(bytes);
      if (header.kind !== "header") return void socket.destroy();
      headers.push(header.endpoints?.source.address ?? "nobody");
      if (header.length < bytes.length) socket.unshift(bytes.subarray(header.length));
      web.server.emit("connection", socket);
    });
  }

  test("over UDP, before every datagram", async () => {
    const server = await startUdpServer("u");
    const lb = await declare(client, {
      pool: { protocol: PoolProtocol.UDP, sendProxyProtocol: ProxyProtocolVersion.V2 },
      listener: { protocol: ListenerProtocol.UDP },
      backends: [{ port: server.port }],
    });
    const sender = await openUdpClient(lb.host, lb.port);
    for (const what of ["one", "two"]) {
      sender.send(what);
      const answer = await sender.next();
      const datagram = answer.subarray(2);
      expect(datagram.subarray(0, 14).toString("latin1")).toBe("\r\n\r\n\0\r\nQUIT\n\x21\x12");
      expect(datagram.readUInt16BE(24)).toBe(sender.port);
      expect(datagram.subarray(28).toString()).toBe(what);
    }
    sender.close();
    await server.close();
  });
});

(whyNoHaproxy ? describe.skip : describe)(`HAProxy${whyNoHaproxy && ` (skipped: ${whyNoHaproxy})`}`, () => {
  test.each(["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn", "send-proxy-v2 proxy-v2-options crc32c,unique-id"])(
    "before us with %s is believed",
    async (option) => {
      const lb = await declareHttp(client, { listener: ACCEPTING, backends: [{ port: web.port }] });
      const port = await freePort("127.0.0.1");
      const haproxy = await startHaproxy(
        `listen in\n  mode tcp\n  unique-id-format "%[uuid()]"\n  bind 127.0.0.1:${port}\n  server lb ${lb.host}:${lb.port} ${option}\n`,
        port,
      );
      const socket = connect({ port, host: "127.0.0.1", localAddress: "127.0.0.9" }, () => socket.write(GET));
      const [bytes] = (await once(socket, "data")) as [Buffer];
      expect(forwardedFor(bytes.toString())).toBe("127.0.0.9");
      socket.destroy();
      await haproxy.close();
    },
  );

  test.each(["V1", "V2"] as const)("behind us understands version %s", async (version) => {
    const port = await freePort("127.0.0.1");
    const haproxy = await startHaproxy(
      `frontend in\n  mode http\n  bind 127.0.0.1:${port} accept-proxy\n` +
        `  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[dst]:%[dst_port]"\n`,
      port,
    );
    const pool = { sendProxyProtocol: ProxyProtocolVersion[version] };
    const tcp = await declare(client, { pool, listener: ACCEPTING, backends: [{ port }] });
    expect(await exchange(tcp, HEADER + GET)).toMatch(/198\.51\.100\.7:40000 203\.0\.113\.1:443$/);
    const http = await declareHttp(client, { pool, listener: ACCEPTING, backends: [{ port }] });
    expect(await exchange(http, HEADER + GET)).toMatch(/198\.51\.100\.7:40000 203\.0\.113\.1:443$/);
    await haproxy.close();
  });
});
