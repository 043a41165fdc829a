import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import type { Connection } from "../../../../src/data/transport/transport.ts";
import { Recorder } from "../recorder.ts";
import { Certificates, connectClient, listenerTls, poolTls } from "./handshake-rig.ts";
import { type CreateTransport, Rig } from "./rig.ts";

const PREFACE = Buffer.from("PROXY UNKNOWN\r\n");
const PROXIED = {
  source: { address: "198.51.100.7", port: 40_000 },
  destination: { address: "203.0.113.1", port: 443 },
};

/** What proxies say before a connection begins: to us, and by us. */
export function proxiedContract(create: CreateTransport): void {
  let rig: Rig;
  beforeEach(() => void (rig = new Rig(create)));
  afterEach(() => rig.close());

  describe("a preface", () => {
    it("comes before what is written, even before the connection stands", async () => {
      const server = await rig.server();
      const recorder = new Recorder();
      const { address, port } = server;
      const preface = Uint8Array.from(PREFACE);
      const connection = rig.transport.connect({ address, port, timeoutMs: 10_000, preface }, recorder);
      connection.write(Buffer.from("first "));
      await recorder.heard("connect");
      preface.fill(0);
      connection.write(Buffer.from("second"));
      const peer = await server.next();
      await peer.receivedAtLeast(PREFACE.length + 12);
      expect(peer.received.toString()).toBe(`${PREFACE.toString()}first second`);
      connection.reset();
    });

    it("goes out although nothing else is written", async () => {
      const server = await rig.server();
      const { address, port } = server;
      const connection = rig.transport.connect({ address, port, timeoutMs: 10_000, preface: PREFACE }, new Recorder());
      const peer = await server.next();
      await peer.receivedAtLeast(PREFACE.length);
      expect(peer.received).toEqual(PREFACE);
      connection.reset();
    });

    it("goes out in cleartext before TLS", async () => {
      const backend = await prefacedTlsServer();
      const recorder = new Recorder();
      const connection = rig.transport.connect(
        {
          address: "127.0.0.1",
          port: backend.port,
          timeoutMs: 10_000,
          preface: PREFACE,
          tls: poolTls().clientOf("main.test"),
        },
        recorder,
      );
      await recorder.heard("connect");
      connection.write(Buffer.from("hi"));
      await recorder.receivedAtLeast(2);
      expect(recorder.received.toString()).toBe("hi");
      expect(backend.preface()).toEqual(PREFACE);
      connection.close();
      await recorder.heard("close");
      await backend.close();
    });
  });

  describe("a client that a proxy tells of", () => {
    it("is who the connection is with", async () => {
      const { connection } = await rig.accepted();
      expect(connection.proxied).toBeUndefined();
      connection.proxied = PROXIED;
      expect(connection).toMatchObject({ remoteAddress: "198.51.100.7", remotePort: 40_000 });
      expect(connection.localAddress).toBe("127.0.0.1");
    });

    it("is the same in TLS", async () => {
      const { server } = listenerTls();
      const secured = Promise.withResolvers<Connection>();
      const listening = await rig.listen((accepted) => {
        accepted.proxied = PROXIED;
        const recorder = new Recorder();
        const connection = rig.transport.secure(accepted, { server, handshakeTimeoutMs: 10_000 }, recorder);
        recorder.react = (event) => void (event === "connect" && secured.resolve(connection));
      });
      const socket = await connectClient(listening.port);
      expect(await secured.promise).toMatchObject({ remoteAddress: "198.51.100.7", proxied: PROXIED });
      socket.destroy();
    });
  });
}

/** A server that reads {@link PREFACE}, speaks TLS from then on, and echoes. */
async function prefacedTlsServer(): Promise<{ port: number; preface(): Buffer; close(): Promise<unknown> }> {
  const { main } = Certificates.get();
  const secureContext = tls.createSecureContext({ cert: main.chainPem, key: main.privateKeyPem });
  let preface: Buffer = Buffer.alloc(0);
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("readable", function read() {
      const bytes = socket.read(PREFACE.length) as Buffer | null;
      if (bytes === null) return;
      preface = bytes;
      socket.off("readable", read);
      const secured = new tls.TLSSocket(socket, { isServer: true, secureContext });
      secured.on("error", () => undefined);
      secured.pipe(secured);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as net.AddressInfo).port,
    preface: () => preface,
    close: () => new Promise((resolve) => void server.close(resolve)),
  };
}
