import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";

import { afterEach, beforeEach, expect, it } from "@jest/globals";

import type { TlsClient } from "../../../../src/data/transport/transport.ts";
import type { BackendTlsUnit, CertificateUnit } from "../../../../src/snapshot/snapshot.ts";
import { FakeClock } from "../../../fake-clock.ts";
import { Recorder } from "../recorder.ts";
import { Certificates, poolTls } from "./handshake-rig.ts";
import { type CreateTransport, Rig } from "./rig.ts";

/** TLS as the client: which servers are believed, and what they are told. */
export function backendsContract(create: CreateTransport): void {
  const certificates = Certificates.get();
  const { authority, main, expired, selfSigned } = certificates;
  let rig: Rig;
  let servers: net.Server[];
  beforeEach(() => void ((rig = new Rig(create)), (servers = [])));
  afterEach(async () => {
    await rig.close();
    for (const server of servers) server.close();
  });

  async function listen(server: net.Server): Promise<number> {
    servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as net.AddressInfo).port;
  }

  function serve({ chainPem, privateKeyPem }: CertificateUnit, options: tls.TlsOptions = {}): Promise<number> {
    const server = tls.createServer({ cert: chainPem, key: privateKeyPem, ...options }, (socket) => {
      socket.on("error", () => {});
      const certificate = socket.getPeerX509Certificate()?.subject;
      socket.end(JSON.stringify([socket.servername || null, socket.alpnProtocol || null, certificate ?? null]));
    });
    server.on("tlsClientError", (_error, socket) => socket.destroy());
    return listen(server);
  }

  function connect(port: number, client: TlsClient, on = rig): Recorder {
    const recorder = new Recorder();
    const connection = on.transport.connect({ address: "127.0.0.1", port, timeoutMs: 8000, tls: client }, recorder);
    recorder.react = (event) => event === "end" && connection.close();
    return recorder;
  }

  const refusals: readonly [string, CertificateUnit, string, Partial<BackendTlsUnit>, string][] = [
    ["another name", main, "other.test", {}, "ERR_TLS_CERT_ALTNAME_INVALID"],
    ["another address", main, "127.0.0.2", {}, "ERR_TLS_CERT_ALTNAME_INVALID"],
    ["a certificate that has expired", expired, "main.test", {}, "CERT_HAS_EXPIRED"],
    ["an authority that is not the pool's", selfSigned, "main.test", {}, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    [
      "an authority that is not the system's",
      main,
      "main.test",
      { caPem: undefined! },
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    ],
  ];

  it.each(refusals)("does not believe %s, unless told to", async (_name, certificate, host, unit, code) => {
    const port = await serve(certificate);
    const doubting = connect(port, poolTls(unit).clientOf(host));
    await doubting.heard("close");
    expect(doubting.events).toEqual(["close"]);
    expect(doubting.error).toMatchObject({ name: "TransportError", code });
    expect(doubting.error?.message).toMatch(
      new RegExp(`^Cannot speak TLS with 127\\.0\\.0\\.1:${port}: .*\\(${code}\\)$`),
    );
    expect(doubting.error?.message).not.toContain("Node.js");
    const trusting = connect(port, poolTls({ ...unit, skipVerify: true }).clientOf(host));
    await trusting.heard("close");
    expect(trusting.events).toEqual(["connect", "data", "end", "close"]);
  });

  it.each([
    ["a name", "main.test", "main.test"],
    ["no address, which it verifies nevertheless", "127.0.0.1", null],
  ] as const)("sends %s", async (_name, host, sent) => {
    const recorder = connect(await serve(main), poolTls().clientOf(host));
    await recorder.heard("close");
    expect(recorder.error).toBeUndefined();
    expect(JSON.parse(recorder.received.toString())).toEqual([sent, null, null]);
  });

  it("shows its certificate to a backend that asks, and agrees on a protocol", async () => {
    const port = await serve(main, { requestCert: true, ca: authority.pem, ALPNProtocols: ["http/1.1", "h2"] });
    const pool = poolTls({
      clientCertificate: certificates.client,
      alpnProtocols: ["h2", "http/1.1"],
      serverName: "main.test",
    });
    const recorder = new Recorder();
    const connection = rig.transport.connect(
      { address: "127.0.0.1", port, timeoutMs: 8000, tls: pool.clientOf("10.0.0.1") },
      recorder,
    );
    await recorder.heard("end");
    expect(JSON.parse(recorder.received.toString())).toEqual([
      "main.test",
      "http/1.1",
      expect.stringContaining("CN=ada"),
    ]);
    expect(connection.tls).toMatchObject({ alpnProtocol: "http/1.1", serverName: undefined, version: "TLSv1.3" });
    connection.close();
    await recorder.heard("close");
  });

  it("says that a server speaks no TLS", async () => {
    const port = await listen(
      net.createServer((socket) => void socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n")),
    );
    const recorder = connect(port, poolTls().clientOf("main.test"));
    await recorder.heard("close");
    expect(recorder.events).toEqual(["close"]);
    expect(recorder.error?.code).toMatch(/^ERR_SSL_/);
  });

  it("says that nobody listens, as without TLS", async () => {
    const port = await listen(net.createServer());
    await new Promise((resolve) => void servers.pop()!.close(resolve));
    const recorder = connect(port, poolTls().clientOf("main.test"));
    await recorder.heard("close");
    expect(recorder.error).toMatchObject({ code: "ECONNREFUSED" });
    expect(recorder.error?.message).toContain(`Cannot connect to 127.0.0.1:${port}: `);
  });

  it.each(["closes", "resets"] as const)("says that a server %s in the middle of the handshake", async (how) => {
    const server = net.createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => (how === "closes" ? socket.end() : socket.resetAndDestroy()));
    });
    const recorder = connect(await listen(server), poolTls().clientOf("main.test"));
    await recorder.heard("close");
    expect(recorder.events).toEqual(["close"]);
    expect(recorder.error).toMatchObject({ code: "ECONNRESET" });
    expect(recorder.error?.message).toContain("Cannot speak TLS with 127.0.0.1:");
  });

  it("gives up on a server that is silent", async () => {
    const clock = new FakeClock();
    const timed = new Rig(create, { clock });
    const accepted = Promise.withResolvers<void>();
    const port = await listen(net.createServer((socket) => socket.once("data", () => accepted.resolve())));
    const recorder = connect(port, poolTls().clientOf("main.test"), timed);
    await accepted.promise;
    clock.advance(8000);
    await recorder.heard("close");
    expect(recorder.error).toMatchObject({ code: "ETIMEDOUT" });
    await timed.close();
  });

  it.each(["close", "reset"] as const)("can be ended by %s in the middle of the handshake", async (how) => {
    const accepted = Promise.withResolvers<void>();
    const port = await listen(
      net.createServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", () => accepted.resolve());
      }),
    );
    const recorder = new Recorder();
    const trusting = poolTls().clientOf("main.test");
    const connection = rig.transport.connect({ address: "127.0.0.1", port, timeoutMs: 8000, tls: trusting }, recorder);
    await accepted.promise;
    connection[how]();
    await recorder.heard("close");
    expect(recorder.events).toEqual(["close"]);
    expect(recorder.error).toBeUndefined();
  });
}
