import { randomBytes } from "node:crypto";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { networkInterfaces } from "node:os";

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import type {
  BoundSocket,
  DatagramEndpoint,
  DatagramTransport,
  PeerSocket,
} from "../../../src/data/transport/datagram.ts";
import type { TransportError } from "../../../src/data/transport/transport.ts";

/** The most that one datagram of IPv4 carries: 65,535 bytes less two headers. */
const LARGEST_IPV4 = 65_507;

/** IPv6's too, where this host has it. */
const LOOPBACK = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === "::1"))
  ? ["127.0.0.1", "::1"]
  : ["127.0.0.1"];

/** What a handler heard, to be waited for. */
class Heard<T> {
  readonly all: T[] = [];
  #wake: () => void = () => undefined;

  readonly note = (what: T): void => {
    this.all.push(what);
    this.#wake();
  };

  async count(wanted: number): Promise<T[]> {
    while (this.all.length < wanted) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.all;
  }
}

/** A plain socket on the other side. */
class Other {
  readonly socket: Socket;
  readonly heard = new Heard<{ bytes: Buffer; from: RemoteInfo }>();

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on("message", (bytes, from) => this.heard.note({ bytes, from }));
  }

  static async open(address = "127.0.0.1", port = 0): Promise<Other> {
    const socket = createSocket({ type: address.includes(":") ? "udp6" : "udp4", recvBufferSize: 1 << 20 });
    socket.bind(port, address);
    await once(socket, "listening");
    return new Other(socket);
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** A port on which nothing listens. */
  static async closedPort(): Promise<number> {
    const other = await Other.open();
    const { port } = other;
    await other.close();
    return port;
  }

  async close(): Promise<void> {
    this.socket.close();
    await once(this.socket, "close");
  }
}

/** What `l4/` relies on. Every engine passes it whole; call it from the engine's own test file. */
export function datagramContract(engine: string, create: () => DatagramTransport): void {
  describe(engine, () => {
    let transport: DatagramTransport;
    let closing: (() => unknown)[];
    beforeEach(() => {
      transport = create();
      closing = [];
    });
    afterEach(async () => {
      for (const close of closing.reverse()) await close();
    });

    /** Closed after the test. */
    const kept = <T extends { close(): unknown }>(socket: T): T => {
      closing.push(() => Promise.resolve(socket.close()).catch(() => undefined));
      return socket;
    };
    const other = async (address?: string, port?: number): Promise<Other> => kept(await Other.open(address, port));
    const bind = async (place: Partial<DatagramEndpoint> & { reusePort?: boolean } = {}) => {
      const datagrams = new Heard<{ bytes: Buffer; from: DatagramEndpoint; to: BoundSocket }>();
      const losses = new Heard<TransportError>();
      const socket = await transport.bind(
        { address: "127.0.0.1", port: 0, reusePort: false, ...place },
        {
          onDatagram: (bytes, { address, port }, to) =>
            datagrams.note({ bytes: Buffer.from(bytes), from: { address, port }, to }),
          onLoss: losses.note,
        },
      );
      return { socket: kept(socket), datagrams, losses };
    };
    const connect = (peer: DatagramEndpoint) => {
      const datagrams = new Heard<Buffer>();
      const unreachable = new Heard<TransportError>();
      const losses = new Heard<TransportError>();
      const socket: PeerSocket = transport.connect(peer, {
        onDatagram: (bytes) => datagrams.note(Buffer.from(bytes)),
        onUnreachable: unreachable.note,
        onLoss: losses.note,
      });
      return { socket: kept(socket), datagrams, unreachable, losses };
    };

    describe("a bound socket", () => {
      it.each(LOOPBACK)("hears who sends what on %s, and answers from its own address", async (address) => {
        const { socket, datagrams } = await bind({ address });
        expect(socket.address).toBe(address);
        const client = await other(address);
        client.socket.send("question", socket.port, address);
        const [first] = await datagrams.count(1);
        expect(first).toEqual({ bytes: Buffer.from("question"), from: { address, port: client.port }, to: socket });
        socket.send(Buffer.from("answer"), first!.from);
        const [answer] = await client.heard.count(1);
        expect(answer!.bytes.toString()).toBe("answer");
        expect(answer!.from).toMatchObject({ address, port: socket.port });
      });

      it("takes and sends datagrams whole: empty ones, and the largest", async () => {
        const { socket, datagrams } = await bind();
        const client = await other();
        for (const [index, length] of [0, 1, 1500, LARGEST_IPV4].entries()) {
          const sent = randomBytes(length);
          client.socket.send(sent, socket.port, "127.0.0.1");
          const { bytes, from } = (await datagrams.count(index + 1))[index]!;
          expect(bytes.equals(sent)).toBe(true);
          socket.send(bytes, from);
          expect((await client.heard.count(index + 1))[index]!.bytes.equals(sent)).toBe(true);
        }
      });

      it("lets its sender reuse the bytes at once", async () => {
        const { socket } = await bind();
        const client = await other();
        const bytes = Buffer.from("first.");
        socket.send(bytes, { address: "127.0.0.1", port: client.port });
        bytes.write("second");
        socket.send(bytes, { address: "127.0.0.1", port: client.port });
        const heard = await client.heard.count(2);
        expect(heard.map((one) => one.bytes.toString())).toEqual(["first.", "second"]);
      });

      it("says what it could not send, after the call, and goes on", async () => {
        const { socket, losses } = await bind();
        const client = await other();
        socket.send(Buffer.alloc(LARGEST_IPV4 + 1), { address: "127.0.0.1", port: client.port });
        socket.send(Buffer.from("x"), { address: "127.0.0.1", port: 0 });
        expect(losses.all).toEqual([]);
        const codes = (await losses.count(2)).map(({ code }) => code);
        expect(codes.toSorted()).toEqual(["EINVAL", "EMSGSIZE"]);
        socket.send(Buffer.from("on"), { address: "127.0.0.1", port: client.port });
        expect((await client.heard.count(1))[0]!.bytes.toString()).toBe("on");
      });

      it("hears nothing of peers that are gone", async () => {
        const { socket, losses } = await bind();
        const client = await other();
        socket.send(Buffer.from("lost"), { address: "127.0.0.1", port: await Other.closedPort() });
        socket.send(Buffer.from("next"), { address: "127.0.0.1", port: client.port });
        await client.heard.count(1);
        expect(losses.all).toEqual([]);
      });

      it("does not take a port that somebody has, and says the system's code", async () => {
        const taken = await other();
        await expect(bind({ port: taken.port })).rejects.toMatchObject({ name: "TransportError", code: "EADDRINUSE" });
        await expect(bind({ port: taken.port, reusePort: true })).rejects.toMatchObject({ code: "EADDRINUSE" });
        await expect(bind({ address: "203.0.113.77" })).rejects.toMatchObject({ code: "EADDRNOTAVAIL" });
      });

      it("shares its port where it is told to, and each flow stays with one of them", async () => {
        const one = await bind({ reusePort: true });
        const two = await bind({ port: one.socket.port, reusePort: true });
        const clients = await Promise.all(Array.from({ length: 32 }, () => other()));
        for (const client of clients) {
          for (let i = 0; i < 3; i++) client.socket.send(String(client.port), one.socket.port, "127.0.0.1");
        }
        while (one.datagrams.all.length + two.datagrams.all.length < 96) {
          await new Promise((resolve) => setImmediate(resolve));
        }
        const portsOf = ({ datagrams }: typeof one): Set<number> => new Set(datagrams.all.map(({ from }) => from.port));
        expect(portsOf(one).isDisjointFrom(portsOf(two))).toBe(true);
        expect(portsOf(one).size).toBeGreaterThan(0);
        expect(portsOf(two).size).toBeGreaterThan(0);
      });

      it("gives its port back when it is closed, and hears nothing more", async () => {
        const { socket, datagrams, losses } = await bind();
        const { port } = socket;
        socket.send(Buffer.alloc(LARGEST_IPV4 + 1), { address: "127.0.0.1", port });
        await Promise.all([socket.close(), socket.close()]);
        socket.send(Buffer.from("late"), { address: "127.0.0.1", port });
        const next = await other("127.0.0.1", port);
        next.socket.send("x", port, "127.0.0.1");
        await next.heard.count(1);
        expect([...datagrams.all, ...losses.all]).toEqual([]);
      });
    });

    describe("a peer socket", () => {
      it.each(LOOPBACK)("can be sent on at once, and hears the answer, on %s", async (address) => {
        const server = await other(address);
        const { socket, datagrams } = connect({ address, port: server.port });
        socket.send(Buffer.from("question"));
        const [question] = await server.heard.count(1);
        expect(question!.bytes.toString()).toBe("question");
        server.socket.send("answer", question!.from.port, address);
        expect((await datagrams.count(1)).map(String)).toEqual(["answer"]);
      });

      it("takes and sends datagrams whole: empty ones, and the largest", async () => {
        const server = await other();
        const { socket, datagrams } = connect({ address: "127.0.0.1", port: server.port });
        for (const [index, length] of [0, 1, 1500, LARGEST_IPV4].entries()) {
          const sent = randomBytes(length);
          socket.send(sent);
          const { bytes, from } = (await server.heard.count(index + 1))[index]!;
          expect(bytes.equals(sent)).toBe(true);
          server.socket.send(bytes, from.port, from.address);
          expect((await datagrams.count(index + 1))[index]!.equals(sent)).toBe(true);
        }
      });

      it("hears nobody but its peer", async () => {
        const [server, stranger] = await Promise.all([other(), other()]);
        const { socket, datagrams } = connect({ address: "127.0.0.1", port: server.port });
        socket.send(Buffer.from("x"));
        const [{ from }] = (await server.heard.count(1)) as [{ from: RemoteInfo }];
        stranger.socket.send("forged", from.port, "127.0.0.1");
        await new Promise((resolve) => setImmediate(resolve));
        server.socket.send("genuine", from.port, "127.0.0.1");
        expect((await datagrams.count(1)).map(String)).toEqual(["genuine"]);
      });

      it("has a port of its own", async () => {
        const server = await other();
        const sockets = Array.from({ length: 20 }, () => connect({ address: "127.0.0.1", port: server.port }));
        for (const { socket } of sockets) socket.send(Buffer.from("x"));
        const heard = await server.heard.count(20);
        expect(new Set(heard.map(({ from }) => from.port)).size).toBe(20);
      });

      it("says that nothing listens at its peer's, after the call, and reaches it once something does", async () => {
        const port = await Other.closedPort();
        const { socket, unreachable, losses } = connect({ address: "127.0.0.1", port });
        socket.send(Buffer.from("lost"));
        expect(unreachable.all).toEqual([]);
        expect((await unreachable.count(1))[0]).toMatchObject({ name: "TransportError", code: "ECONNREFUSED" });
        expect(unreachable.all[0]!.message).toContain(`127.0.0.1:${port}`);
        const server = await other("127.0.0.1", port);
        socket.send(Buffer.from("there"));
        expect((await server.heard.count(1))[0]!.bytes.toString()).toBe("there");
        expect(losses.all).toEqual([]);
      });

      it("says that there is no way to its peer", async () => {
        // A broadcast address needs a right that nobody asked for: refused by `connect` itself.
        const { socket, unreachable } = connect({ address: "255.255.255.255", port: 9 });
        socket.send(Buffer.from("lost"));
        expect((await unreachable.count(1))[0]).toMatchObject({ code: "EACCES" });
      });

      it("says what it could not send, which is not its peer's fault, and goes on", async () => {
        const server = await other();
        const { socket, losses, unreachable } = connect({ address: "127.0.0.1", port: server.port });
        socket.send(Buffer.alloc(LARGEST_IPV4 + 1));
        expect(losses.all).toEqual([]);
        expect((await losses.count(1))[0]).toMatchObject({ code: "EMSGSIZE" });
        socket.send(Buffer.from("on"));
        expect((await server.heard.count(1))[0]!.bytes.toString()).toBe("on");
        expect(unreachable.all).toEqual([]);
      });

      it("hears nothing after it was closed", async () => {
        const server = await other();
        const { socket, datagrams, losses, unreachable } = connect({ address: "127.0.0.1", port: server.port });
        socket.send(Buffer.from("x"));
        const [{ from }] = (await server.heard.count(1)) as [{ from: RemoteInfo }];
        server.socket.send("late", from.port, "127.0.0.1");
        socket.send(Buffer.alloc(LARGEST_IPV4 + 1));
        socket.close();
        socket.close();
        socket.send(Buffer.from("later"));
        // The port is free: somebody else can have it.
        const next = await other("127.0.0.1", from.port);
        next.socket.send("x", from.port, "127.0.0.1");
        await next.heard.count(1);
        expect([...datagrams.all, ...losses.all, ...unreachable.all]).toEqual([]);
        expect(server.heard.all).toHaveLength(1);
      });
    });
  });
}
