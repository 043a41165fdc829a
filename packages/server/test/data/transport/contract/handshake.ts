import { once } from "node:events";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import type { TlsUnit } from "../../../../src/snapshot/snapshot.ts";
import { FakeClock } from "../../../fake-clock.ts";
import {
  Certificates,
  type ClientOptions,
  clientFailure,
  connectClient,
  listenerTls,
  recordingRelay,
  sendRaw,
  Serving,
} from "./handshake-rig.ts";
import { type CreateTransport, Rig } from "./rig.ts";

/** TLS as the server: who is shown which certificate, what is agreed on, who is refused and why. */
export function handshakeContract(create: CreateTransport): void {
  const certificates = Certificates.get();
  let rig: Rig;
  beforeEach(() => void (rig = new Rig(create)));
  afterEach(() => rig.close());

  async function serve(unit: Partial<TlsUnit> = {}): Promise<Serving> {
    const listener = listenerTls(unit);
    return Serving.start(rig, () => listener.server);
  }

  describe("server names", () => {
    it.each([
      ["main.test", "main"],
      ["a.wild.test", "exact"],
      ["b.wild.test", "wildcard"],
      ["B.Wild.TEST", "wildcard"],
      ["a.b.wild.test", "main"],
      ["wild.test", "main"],
      ["rsa.test", "rsa"],
      ["unknown.test", "main"],
      [undefined, "main"],
    ] as const)("%s is shown the certificate %s", async (servername, name) => {
      const { main, wildcard, exact, rsa } = certificates;
      const { listening, next } = await serve({ certificates: [main, wildcard, exact, rsa] });
      const socket = await connectClient(listening.port, servername === undefined ? {} : { servername });
      const { connection, recorder } = await next();
      await recorder.heard("connect");
      expect(socket.getPeerX509Certificate()?.toString()).toBe(certificates[name].chainPem);
      expect(connection.tls?.serverName).toBe(servername?.toLowerCase());
      socket.destroy();
    });
  });

  describe("what is agreed on", () => {
    it.each([
      [["h2", "http/1.1"], ["http/1.1", "h2"], "h2"],
      [["http/1.1"], ["h2", "http/1.1"], "http/1.1"],
      [["h2", "http/1.1"], [], undefined],
      [[], ["h2"], undefined],
    ] as const)("we speak %j, the client %j: %s", async (alpnProtocols, offered, agreed) => {
      const { listening, next } = await serve({ alpnProtocols, certificates: [certificates.main] });
      const socket = await connectClient(listening.port, offered.length === 0 ? {} : { ALPNProtocols: [...offered] });
      const { connection, recorder } = await next();
      await recorder.heard("connect");
      expect(connection.tls?.alpnProtocol).toBe(agreed);
      expect(socket.alpnProtocol).toBe(agreed ?? false);
      socket.destroy();
    });

    it.each([
      ["TLSv1.3", "TLS_AES_128_GCM_SHA256"],
      ["TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"],
    ] as const)("%s: our cipher comes first", async (version, cipher) => {
      const { listening, next } = await serve();
      const socket = await connectClient(listening.port, { minVersion: version, maxVersion: version });
      const { connection, recorder } = await next();
      await recorder.heard("connect");
      expect(connection.tls).toMatchObject({ version, cipher, isResumed: false, clientCertificate: undefined });
      socket.destroy();
    });

    it("sends what was written before the handshake after it, and reads what came with its end", async () => {
      const listener = listenerTls();
      const listening = await rig.listen((accepted) => {
        const served = rig.transport.secure(
          accepted,
          { server: listener.server, handshakeTimeoutMs: 9000 },
          {
            onData: (connection, bytes) => void connection.write(bytes),
            onEnd: (connection) => connection.close(),
            onDrain: () => undefined,
            onClose: () => undefined,
          },
        );
        served.write(Buffer.from("hello "));
      });
      const socket = await connectClient(listening.port);
      socket.end("world");
      let text = "";
      for await (const bytes of socket) text += String(bytes);
      expect(text).toBe("hello world");
    });

    it("takes the beginning of the hello that was read already", async () => {
      const listener = listenerTls();
      let served: string | undefined;
      const listening = await rig.listen((accepted) => {
        accepted.handlers = {
          onData(_accepted, received) {
            const options = { server: listener.server, handshakeTimeoutMs: 9000, received };
            rig.transport.secure(accepted, options, {
              onConnect: (connection) => void (served = connection.tls?.version),
              onData: (connection, bytes) => void connection.write(bytes),
              onEnd: (connection) => connection.close(),
              onDrain: () => undefined,
              onClose: () => undefined,
            });
            received.fill(0);
          },
          onEnd: () => undefined,
          onDrain: () => undefined,
          onClose: () => undefined,
        };
      });
      const socket = await connectClient(listening.port);
      socket.end("echo");
      let text = "";
      for await (const bytes of socket) text += String(bytes);
      expect([served, text]).toEqual(["TLSv1.3", "echo"]);
    });
  });

  describe("clients that are refused", () => {
    const { client, expiredClient, strangeClient, authority } = certificates;
    const required = { clientAuth: "REQUIRED", clientCaPem: authority.pem } as const;
    const optional = { clientAuth: "OPTIONAL", clientCaPem: authority.pem } as const;
    const refusals: readonly [string, Partial<TlsUnit>, ClientOptions, string, string][] = [
      [
        "TLS 1.1",
        {},
        { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" },
        "ERR_SSL_UNSUPPORTED_PROTOCOL",
        "unsupported protocol",
      ],
      [
        "TLS 1.2 where 1.3 is the least",
        { minVersion: "TLS_1_3" },
        { maxVersion: "TLSv1.2" },
        "ERR_SSL_UNSUPPORTED_PROTOCOL",
        "unsupported protocol",
      ],
      [
        "a cipher without forward secrecy",
        {},
        { maxVersion: "TLSv1.2", ciphers: "AES128-SHA" },
        "ERR_SSL_NO_SHARED_CIPHER",
        "no shared cipher",
      ],
      [
        "no protocol in common",
        { alpnProtocols: ["h2"] },
        { ALPNProtocols: ["http/1.1"] },
        "ERR_SSL_NO_APPLICATION_PROTOCOL",
        "no application protocol",
      ],
      ["no certificate, TLS 1.3", required, {}, "ERR_TLS_CLIENT_CERTIFICATE", "peer did not return a certificate"],
      [
        "no certificate, TLS 1.2",
        required,
        { maxVersion: "TLSv1.2" },
        "ERR_TLS_CLIENT_CERTIFICATE",
        "peer did not return a certificate",
      ],
      [
        "a certificate of somebody else",
        required,
        { certificate: strangeClient },
        "ERR_TLS_CLIENT_CERTIFICATE",
        "not valid: unable to verify the first certificate (UNABLE_TO_VERIFY_LEAF_SIGNATURE)",
      ],
      [
        "an expired certificate",
        required,
        { certificate: expiredClient },
        "ERR_TLS_CLIENT_CERTIFICATE",
        "CERT_HAS_EXPIRED",
      ],
      [
        "a certificate of somebody else although none is needed",
        optional,
        { certificate: strangeClient },
        "ERR_TLS_CLIENT_CERTIFICATE",
        "not valid: unable to verify the first certificate (UNABLE_TO_VERIFY_LEAF_SIGNATURE)",
      ],
      [
        "an expired certificate although none is needed",
        optional,
        { certificate: expiredClient },
        "ERR_TLS_CLIENT_CERTIFICATE",
        "CERT_HAS_EXPIRED",
      ],
    ];

    it.each(refusals)("%s", async (_name, unit, options, code, reason) => {
      const { listening, next } = await serve(unit);
      const failure = clientFailure(listening.port, options);
      const { recorder } = await next();
      await recorder.heard("close");
      expect(recorder.events).toEqual(["close"]);
      expect(recorder.error).toMatchObject({ name: "TransportError", code });
      expect(recorder.error?.message).toMatch(/^Cannot speak TLS with 127\.0\.0\.1:\d+: /);
      expect(recorder.error?.message).toContain(reason);
      expect(await failure).toMatch(/^(ERR_SSL_|ECONNRESET|EPIPE|closed)/);
    });

    it.each([
      ["garbage", Buffer.from("this is no hello, and never will be one"), "ERR_SSL_"],
      ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "ERR_SSL_HTTP_REQUEST"],
      ["zeros", Buffer.alloc(4096), "ERR_SSL_"],
    ])("%s instead of a hello", async (_name, bytes, code) => {
      const { listening, next } = await serve();
      const socket = await sendRaw(listening.port, bytes);
      const { recorder } = await next();
      await recorder.heard("close");
      expect(recorder.events).toEqual(["close"]);
      expect(recorder.error?.code).toContain(code);
      socket.destroy();
    });

    it("somebody who leaves in the middle of the hello", async () => {
      const { listening, next } = await serve();
      const socket = await sendRaw(listening.port, Buffer.from([22, 3, 1, 2, 0, 1, 0]));
      socket.end();
      const { recorder } = await next();
      await recorder.heard("close");
      expect(recorder.error).toMatchObject({ code: "ECONNRESET" });
      expect(recorder.error?.message).toContain("the peer closed the connection during the handshake");
    });

    it("somebody who says nothing for too long", async () => {
      const clock = new FakeClock();
      const timed = new Rig(create, { clock });
      const listener = listenerTls();
      const { listening, next } = await Serving.start(timed, () => listener.server, 3000);
      const socket = await sendRaw(listening.port, Buffer.from([22, 3]));
      const { recorder } = await next();
      clock.advance(2999);
      expect(recorder.events).toEqual([]);
      clock.advance(1);
      await recorder.heard("close");
      expect(recorder.error).toMatchObject({
        code: "ETIMEDOUT",
        message: `Cannot speak TLS with 127.0.0.1:${socket.localPort}: handshake not complete within 3000 ms (ETIMEDOUT)`,
      });
      socket.destroy();
      await timed.close();
    });

    it("forgets the timeout after the handshake", async () => {
      const clock = new FakeClock();
      const timed = new Rig(create, { clock });
      const listener = listenerTls();
      const { listening, next } = await Serving.start(timed, () => listener.server, 3000);
      const socket = await connectClient(listening.port);
      const { recorder } = await next();
      await recorder.heard("connect");
      clock.advance(3_600_000);
      socket.write("still here");
      await recorder.receivedAtLeast(10);
      socket.destroy();
      await timed.close();
    });

    it("shows what a valid client certificate says", async () => {
      const { listening, next } = await serve(optional);
      const socket = await connectClient(listening.port, { certificate: client });
      const { connection, recorder } = await next();
      await recorder.heard("connect");
      connection.close();
      await recorder.heard("close");
      socket.destroy();
      // After the end still: logs are written then.
      expect(connection.tls?.clientCertificate).toMatchObject({
        subject: { C: "JP", O: "Fiber, Inc.", OU: ["one", "two"], CN: "ada" },
        subjectText: "CN=ada,OU=two,OU=one,O=Fiber\\, Inc.,C=JP",
        issuerText: "CN=test authority",
        serialNumber: expect.stringMatching(/^[0-9A-F]{16,40}$/),
        fingerprintSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        notAfter: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/),
      });
    });

    it("lets clients without a certificate in where it is optional", async () => {
      const { listening, next } = await serve(optional);
      const socket = await connectClient(listening.port);
      const { connection, recorder } = await next();
      await recorder.heard("connect");
      expect(connection.tls?.clientCertificate).toBeUndefined();
      socket.destroy();
    });
  });

  it("refuses to renegotiate, and goes on", async () => {
    const { listening, next } = await serve();
    const socket = await connectClient(listening.port, { maxVersion: "TLSv1.2" });
    socket.on("error", () => {});
    const { recorder } = await next();
    await recorder.heard("connect");
    const refused = await new Promise<Error | null>((resolve) => {
      socket.on("error", resolve);
      socket.renegotiate({ rejectUnauthorized: false }, resolve);
    });
    expect(refused).toMatchObject({ code: "ERR_SSL_NO_RENEGOTIATION" });
    expect(recorder.events.filter((event) => event === "connect")).toHaveLength(1);
    socket.destroy();
    await recorder.heard("close");
  });

  it("says farewell before it closes", async () => {
    const { listening, next } = await serve();
    const relay = await recordingRelay(listening.port);
    const socket = await connectClient(relay.port, { maxVersion: "TLSv1.2" });
    const { connection, recorder } = await next();
    await recorder.heard("connect");
    connection.write(Buffer.from("last words"));
    connection.close();
    await recorder.heard("close");
    await once(socket.resume(), "close");
    // Application data, then the alert close_notify (RFC 5246 §7.2.1).
    expect(relay.types().slice(-2)).toEqual([23, 21]);
  });
}
