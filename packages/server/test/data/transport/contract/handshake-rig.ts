import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";

import { PoolTls } from "../../../../src/data/tls/tls-client.ts";
import { ListenerTls } from "../../../../src/data/tls/tls-server.ts";
import type { Connection, ListeningSocket, TlsServer } from "../../../../src/data/transport/transport.ts";
import type { BackendTlsUnit, CertificateUnit, TlsUnit } from "../../../../src/snapshot/snapshot.ts";
import { FakeClock } from "../../../fake-clock.ts";
import { TestAuthority } from "../../tls/authority.ts";
import { Recorder } from "../recorder.ts";
import type { Rig } from "./rig.ts";

/** Certificates of the handshake tests; made once, when they are first asked for. */
export class Certificates {
  static #made: Certificates | undefined;
  readonly authority = new TestAuthority();
  readonly stranger = new TestAuthority("nobody's authority");
  readonly main = this.authority.issue({ names: ["main.test", "127.0.0.1"] });
  readonly exact = this.authority.issue({ names: ["a.wild.test"] });
  readonly wildcard = this.authority.issue({ names: ["*.wild.test"] });
  readonly rsa = this.authority.issue({ names: ["rsa.test"], key: "rsa" });
  readonly expired = this.authority.issue({ names: ["main.test"], days: -1 });
  readonly selfSigned = this.stranger.issue({ names: ["main.test"] });
  readonly client = this.authority.issue({
    names: ["client.test"],
    subject: "/C=JP/O=Fiber, Inc./OU=one/OU=two/CN=ada",
  });
  readonly expiredClient = this.authority.issue({ names: ["client.test"], days: -1 });
  readonly strangeClient = this.stranger.issue({ names: ["client.test"] });

  static get(): Certificates {
    return (this.#made ??= new Certificates());
  }
}

export const secret = Buffer.alloc(32, 7);

/** How a listener speaks TLS, on a clock that stands still. */
export function listenerTls(
  unit: Partial<TlsUnit> = {},
  listenerId = "listener-1",
  clock = new FakeClock(),
): ListenerTls {
  const certificates = [Certificates.get().main];
  const all: TlsUnit = { certificates, minVersion: "TLS_1_2", clientAuth: "NONE", alpnProtocols: [], ...unit };
  return new ListenerTls({ listenerId, unit: all, secret, clock });
}

/** What a pool asks of its backends, by the tests' own authority. */
export function poolTls(unit: Partial<BackendTlsUnit> = {}): PoolTls {
  return new PoolTls({ caPem: Certificates.get().authority.pem, skipVerify: false, alpnProtocols: [], ...unit });
}

/** One accepted connection that speaks TLS, or tried to. */
export interface Served {
  readonly connection: Connection;
  readonly recorder: Recorder;
}

/** A TLS listener of the engine under test that hands out its connections in order. */
export class Serving {
  readonly listening: ListeningSocket;
  readonly #served: Served[];
  readonly #arrivals: (() => void)[];

  private constructor(listening: ListeningSocket, served: Served[], arrivals: (() => void)[]) {
    this.listening = listening;
    this.#served = served;
    this.#arrivals = arrivals;
  }

  static async start(rig: Rig, server: () => TlsServer, handshakeTimeoutMs = 10_000): Promise<Serving> {
    const served: Served[] = [];
    const arrivals: (() => void)[] = [];
    const listening = await rig.listen((accepted) => {
      const recorder = new Recorder();
      const connection = rig.transport.secure(accepted, { server: server(), handshakeTimeoutMs }, recorder);
      served.push({ connection, recorder });
      for (const arrival of arrivals.splice(0)) arrival();
    });
    return new Serving(listening, served, arrivals);
  }

  /** The next connection that nobody has asked for yet. */
  readonly next = async (): Promise<Served> => {
    while (this.#served.length === 0) await new Promise<void>((resolve) => void this.#arrivals.push(resolve));
    return this.#served.shift()!;
  };
}

/** A client of Node: what it shows, trusts and speaks. */
export type ClientOptions = tls.ConnectionOptions & { readonly certificate?: CertificateUnit };

function startClient(port: number, { certificate, ...more }: ClientOptions): tls.TLSSocket {
  return tls.connect({
    port,
    host: "127.0.0.1",
    ca: Certificates.get().authority.pem,
    checkServerIdentity: () => undefined,
    ...(certificate === undefined ? {} : { cert: certificate.chainPem, key: certificate.privateKeyPem }),
    ...more,
  });
}

/** Connects and shakes hands. */
export async function connectClient(port: number, options: ClientOptions = {}): Promise<tls.TLSSocket> {
  const socket = startClient(port, options);
  await once(socket, "secureConnect");
  return socket;
}

/** Connects, and answers with the ticket that the server gave: the `session` to resume. */
export async function ticketOf(port: number, options: ClientOptions = {}): Promise<Buffer> {
  const socket = startClient(port, options);
  const [ticket] = (await once(socket, "session")) as [Buffer];
  socket.destroy();
  return ticket;
}

/** Code of the error that ends a client, in its handshake or right after it; with TLS 1.3 there may be just an end. */
export async function clientFailure(port: number, options: ClientOptions = {}): Promise<string | undefined> {
  try {
    const socket = await connectClient(port, options);
    await once(socket.resume(), "close");
    return "closed";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

/** Sends bytes that are no TLS at all. */
export async function sendRaw(port: number, bytes: Uint8Array | string): Promise<net.Socket> {
  const socket = net.connect({ port, host: "127.0.0.1" });
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(bytes);
  return socket;
}

/** A TCP relay that notes the types of the TLS records that come back from the server. */
export async function recordingRelay(port: number): Promise<{ readonly port: number; readonly types: () => number[] }> {
  const chunks: Buffer[] = [];
  const relay = net.createServer({ allowHalfOpen: true }, (client) => {
    const server = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    for (const socket of [client, server]) socket.on("error", () => {});
    server.on("data", (bytes: Buffer) => chunks.push(bytes));
    client.pipe(server).pipe(client);
    relay.close();
  });
  relay.listen(0, "127.0.0.1");
  await once(relay, "listening");
  return { port: (relay.address() as net.AddressInfo).port, types: () => recordTypes(Buffer.concat(chunks)) };
}

function recordTypes(bytes: Buffer): number[] {
  const types: number[] = [];
  for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) types.push(bytes[at]!);
  return types;
}
