import { once } from "node:events";
import https from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";

import { afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";

import type { BackendProtocol } from "../../../src/data/l7/backend-protocol.ts";
import { BackendProtocols } from "../../../src/data/l7/backend-protocols.ts";
import { PoolTls } from "../../../src/data/tls/tls-client.ts";
import type { BackendTlsUnit, CertificateUnit, PoolUnit } from "../../../src/snapshot/snapshot.ts";
import { TestAuthority } from "../tls/authority.ts";
import type { Peer } from "../transport/peer.ts";
import { poolUnit } from "../units.ts";
import { get, HttpRig, receives } from "./http-rig.ts";
import { Http2Backend } from "./http2-backend.ts";
import { ask, response } from "./http2-upstream-rig.ts";

const ERROR = /\r\n\r\n\d{3} .*\n$/;
const NAME = "app.internal";

let authority: TestAuthority;
let certificate: CertificateUnit;
let clientCertificate: CertificateUnit;
let rig: HttpRig;

beforeAll(() => {
  authority = new TestAuthority();
  certificate = authority.issue({ names: [NAME] });
  clientCertificate = authority.issue({ names: ["fiberlb"] });
});
beforeEach(() => {
  rig = new HttpRig({ http: { exposeReasonHeader: true } });
});
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await rig.close();
  for (const close of closing.splice(0)) await close();
});

type Settings = Partial<BackendTlsUnit>;

const pool = (settings: Settings): PoolUnit => ({
  ...poolUnit([]),
  protocol: "HTTPS",
  backendTls: { caPem: authority.pem, serverName: NAME, skipVerify: false, alpnProtocols: ["http/1.1"], ...settings },
});

const protocolOf = (settings: Settings = {}): BackendProtocol =>
  new BackendProtocols((unit) => new PoolTls(unit)).of(pool(settings))!;

/** The rig's pool speaks TLS like that from now on. */
function speak(settings: Settings = {}): void {
  rig.protocol = protocolOf(settings);
  rig.pool("pool");
}

/** A backend on node:https that answers with what it sees. */
class HttpsBackend {
  readonly requests: string[] = [];
  readonly sockets: TLSSocket[] = [];
  readonly #server: https.Server;

  constructor({ chainPem: cert, privateKeyPem: key }: CertificateUnit, options: https.ServerOptions = {}) {
    this.#server = https.createServer({ cert, key, ...options }, (request, answer) => {
      const { servername, alpnProtocol } = request.socket as TLSSocket & { servername?: string };
      this.requests.push(`${request.method} ${request.url}`);
      answer.end(`${servername} ${alpnProtocol} end`);
    });
    this.#server.on("secureConnection", (socket: TLSSocket) => this.sockets.push(socket));
    this.#server.on("tlsClientError", () => {});
  }

  async listen(id = "backend"): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    rig.balancer.add(id, (this.#server.address() as AddressInfo).port);
    closing.push(async () => {
      const closed = once(this.#server, "close");
      this.#server.close();
      this.#server.closeAllConnections();
      await closed;
    });
    return this;
  }
}

async function http2Backend(options = {}): Promise<Http2Backend> {
  const { chainPem: cert, privateKeyPem: key } = certificate;
  const server = await Http2Backend.listenSecure({ cert, key, ...options });
  rig.balancer.add("backend", server.port);
  closing.push(() => server.close());
  return server;
}

async function exchange(client: Peer, path = "/"): Promise<string> {
  await client.send(get(path));
  return response(client, / end(\r\n0\r\n\r\n)?$/);
}

describe("HTTP/1.1 over TLS", () => {
  it("is verified, named by SNI, and kept for further requests", async () => {
    const server = await new HttpsBackend(certificate).listen();
    speak();
    const client = await rig.client();
    expect(await exchange(client)).toContain(`${NAME} http/1.1 end`);
    await exchange(client);
    expect(server.sockets).toHaveLength(1);
  });

  it("shows the pool's certificate", async () => {
    const server = await new HttpsBackend(certificate, {
      requestCert: true,
      rejectUnauthorized: true,
      ca: authority.pem,
    }).listen();
    speak({ clientCertificate });
    await exchange(await rig.client());
    expect(server.sockets[0]!.getPeerCertificate().subject.CN).toBe("fiberlb");
  });

  it("does not use connections that were made with other settings", async () => {
    const server = await new HttpsBackend(certificate).listen();
    speak({ skipVerify: true });
    const client = await rig.client();
    await exchange(client);
    const closed = once(server.sockets[0]!, "close");
    speak();
    await exchange(client);
    expect(server.sockets).toHaveLength(2);
    await closed;
  });
});

describe("a backend that is not what it should be gets no request", () => {
  const other = new TestAuthority("another authority");

  it.each([
    [
      "by an unknown authority",
      () => certificate,
      () => ({ caPem: other.pem }),
      /UNABLE_TO_VERIFY|UNABLE_TO_GET|SELF_SIGNED/,
    ],
    ["expired", () => authority.issue({ names: [NAME], days: -1 }), () => ({}), /CERT_HAS_EXPIRED/],
    ["with another name", () => authority.issue({ names: ["other.internal"] }), () => ({}), /ALTNAME_INVALID/],
  ] as const)("%s: 503, and the reason is told", async (_what, shown, settings, code) => {
    const server = await new HttpsBackend(shown()).listen();
    speak(settings());
    const client = await rig.client();
    await client.send(get());
    expect(await receives(client, ERROR)).toMatch(/^HTTP\/1.1 503 [^]*connect-failed/);
    expect(server.requests).toEqual([]);
    expect(rig.connectErrors).toHaveLength(1);
    expect(rig.connectErrors[0]).toMatch(code);
    expect(rig.balancer.log).toContain("backend failed");
  });

  it.each([["http/1.1"], ["h2", "http/1.1"], ["h2"]] as const)(
    "in cleartext (%s, %s): 503",
    async (...alpnProtocols) => {
      const server = await rig.backend("cleartext");
      speak({ alpnProtocols });
      const client = await rig.client();
      await client.send(get("/secret"));
      const peer = await server.next();
      await peer.receivedAtLeast(1);
      await peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      expect(await receives(client, ERROR)).toMatch(/^HTTP\/1.1 503 /);
      expect(peer.received.toString("latin1")).not.toContain("secret");
    },
  );

  it("and with skip_verify gets them all the same", async () => {
    await new HttpsBackend(authority.issue({ names: ["other.internal"], days: -1 })).listen();
    speak({ skipVerify: true });
    await exchange(await rig.client());
  });
});

describe("HTTP/2 by ALPN", () => {
  it("carries all first requests on one connection", async () => {
    const server = await http2Backend();
    speak({ alpnProtocols: ["h2", "http/1.1"] });
    const clients = await Promise.all(Array.from({ length: 20 }, () => rig.client()));
    for (const client of clients) await client.send(get());
    for (let i = 0; i < clients.length; i++) {
      const seen = await server.next();
      expect(seen.headers[":scheme"]).toBe("https");
      seen.respond({ "content-length": 2 }, "ok");
    }
    for (const client of clients) await response(client, /ok$/);
    expect(server.sessions).toHaveLength(1);
  });

  it("is not chosen by a backend that has HTTP/1.1 only: every request has a connection of its own", async () => {
    const server = await new HttpsBackend(certificate).listen();
    speak({ alpnProtocols: ["h2", "http/1.1"] });
    const clients = await Promise.all(Array.from({ length: 5 }, () => rig.client()));
    for (const client of clients) await client.send(get());
    for (const client of clients) expect(await response(client, / end/)).toContain("http/1.1 end");
    expect(server.sockets).toHaveLength(5);
    for (const client of clients) await exchange(client);
    expect(server.sockets).toHaveLength(5);
  });

  it("is not chosen by a backend that knows no ALPN", async () => {
    const server = await new HttpsBackend(certificate, { ALPNProtocols: [] }).listen();
    speak({ alpnProtocols: ["h2", "http/1.1"] });
    await exchange(await rig.client());
    expect(server.requests).toEqual(["GET /"]);
  });

  it("that is all a pool offers must be chosen: 503", async () => {
    const server = await new HttpsBackend(certificate, { ALPNProtocols: [] }).listen();
    speak({ alpnProtocols: ["h2"] });
    const client = await rig.client();
    await client.send(get());
    expect(await receives(client, ERROR)).toMatch(/^HTTP\/1.1 503 [^]*connect-failed/);
    expect(server.requests).toEqual([]);
    expect(rig.connectErrors[0]).toContain("did not choose HTTP/2");
  });

  it("survives the loss of its connection", async () => {
    const server = await http2Backend();
    speak({ alpnProtocols: ["h2"] });
    const client = await rig.client();
    (await ask(client, server, get())).respond({ "content-length": 2 }, "ok");
    await response(client, /ok$/);
    (await ask(client, server, get())).stream.session!.destroy();
    (await server.next()).respond({ "content-length": 2 }, "ok");
    await response(client, /ok$/);
    expect(server.sessions).toHaveLength(2);
  });
});

describe("the settings of a pool", () => {
  it("that come again as they were are the same protocol, changed ones another", () => {
    const protocols = new BackendProtocols((unit) => new PoolTls(unit));
    const before = protocols.of(pool({}));
    expect(protocols.of(pool({}))).toBe(before);
    expect(protocols.of(pool({ serverName: "other.internal" }))).not.toBe(before);
    const { backendTls: _, ...plain } = pool({});
    expect(protocols.of({ ...plain, protocol: "HTTP" })?.kind).toBe("http1");
    expect(protocols.of({ ...plain, protocol: "TCP" })).toBeUndefined();
  });

  it("that can't be used fail its requests alone, with the reason", async () => {
    await new HttpsBackend(certificate).listen();
    speak({ clientCertificate: { ...clientCertificate, privateKeyPem: certificate.privateKeyPem } });
    const client = await rig.client();
    await client.send(get());
    expect(await receives(client, ERROR)).toMatch(/^HTTP\/1.1 503 [^]*connect-failed/);
    expect(rig.connectErrors[0]).toMatch(/backend EPROTO Cannot connect to .*: Cannot use certificate certificate-2: /);
  });

  it("that are not at hand are not guessed", () => {
    const { backendTls: _, ...plain } = pool({});
    expect(new BackendProtocols((unit) => new PoolTls(unit)).of(plain)).toBeUndefined();
  });

  it("without an authority of its own are verified by the system's", () => {
    const plain = { ...pool({}), backendTls: { skipVerify: false, alpnProtocols: ["http/1.1"] } } as const;
    const protocol = new BackendProtocols((unit) => new PoolTls(unit)).of(plain);
    if (protocol?.kind !== "tls") throw new Error("not TLS");
    expect(protocol.tls.clientOf("host.internal")).toMatchObject({ serverName: "host.internal", skipVerify: false });
    expect([protocol.offersHttp1, protocol.offersHttp2]).toEqual([true, false]);
  });
});
