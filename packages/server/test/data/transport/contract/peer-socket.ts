import { randomBytes } from "node:crypto";

import { afterEach, beforeEach, expect, it } from "@jest/globals";

import { type CreateDatagrams, DatagramRig, LARGEST_IPV4, LOOPBACK, Other } from "./datagram-rig.ts";

let rig: DatagramRig;

/** A socket that speaks with one peer. */
export function peerSocketContract(create: CreateDatagrams): void {
  beforeEach(() => {
    rig = new DatagramRig(create);
  });
  afterEach(() => rig.close());

  it.each(LOOPBACK)("can be sent on at once, and hears the answer, on %s", async (address) => {
    const server = await rig.other(address);
    const { socket, datagrams } = rig.connect({ address, port: server.port });
    socket.send(Buffer.from("question"));
    const [question] = await server.heard.count(1);
    expect(question!.bytes.toString()).toBe("question");
    server.socket.send("answer", question!.from.port, address);
    expect((await datagrams.count(1)).map(String)).toEqual(["answer"]);
  });

  it("takes and sends datagrams whole: empty ones, and the largest", async () => {
    const server = await rig.other();
    const { socket, datagrams } = rig.connect({ address: "127.0.0.1", port: server.port });
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
    const [server, stranger] = await Promise.all([rig.other(), rig.other()]);
    const { socket, datagrams } = rig.connect({ address: "127.0.0.1", port: server.port });
    socket.send(Buffer.from("x"));
    const { from } = (await server.heard.count(1))[0]!;
    stranger.socket.send("forged", from.port, "127.0.0.1");
    await new Promise((resolve) => setImmediate(resolve));
    server.socket.send("genuine", from.port, "127.0.0.1");
    expect((await datagrams.count(1)).map(String)).toEqual(["genuine"]);
  });

  it("has a port of its own", async () => {
    const server = await rig.other();
    const sockets = Array.from({ length: 20 }, () => rig.connect({ address: "127.0.0.1", port: server.port }));
    for (const { socket } of sockets) socket.send(Buffer.from("x"));
    const heard = await server.heard.count(20);
    expect(new Set(heard.map(({ from }) => from.port)).size).toBe(20);
  });

  it("says that nothing listens at its peer's, after the call, and reaches it once something does", async () => {
    const port = await Other.closedPort();
    const { socket, unreachable, losses } = rig.connect({ address: "127.0.0.1", port });
    socket.send(Buffer.from("lost"));
    expect(unreachable.all).toEqual([]);
    expect((await unreachable.count(1))[0]).toMatchObject({ name: "TransportError", code: "ECONNREFUSED" });
    expect(unreachable.all[0]!.message).toContain(`127.0.0.1:${port}`);
    const server = await rig.other("127.0.0.1", port);
    socket.send(Buffer.from("there"));
    expect((await server.heard.count(1))[0]!.bytes.toString()).toBe("there");
    expect(losses.all).toEqual([]);
  });

  it("says that there is no way to its peer", async () => {
    // A broadcast address needs a right that nobody asked for: refused by `connect` itself.
    const { socket, unreachable } = rig.connect({ address: "255.255.255.255", port: 9 });
    socket.send(Buffer.from("lost"));
    expect((await unreachable.count(1))[0]).toMatchObject({ code: "EACCES" });
  });

  it("says what it could not send, which is not its peer's fault, and goes on", async () => {
    const server = await rig.other();
    const { socket, losses, unreachable } = rig.connect({ address: "127.0.0.1", port: server.port });
    socket.send(Buffer.alloc(LARGEST_IPV4 + 1));
    expect(losses.all).toEqual([]);
    expect((await losses.count(1))[0]).toMatchObject({ code: "EMSGSIZE" });
    socket.send(Buffer.from("on"));
    expect((await server.heard.count(1))[0]!.bytes.toString()).toBe("on");
    expect(unreachable.all).toEqual([]);
  });

  it("hears nothing after it was closed", async () => {
    const server = await rig.other();
    const { socket, datagrams, losses, unreachable } = rig.connect({ address: "127.0.0.1", port: server.port });
    socket.send(Buffer.from("x"));
    const { from } = (await server.heard.count(1))[0]!;
    server.socket.send("late", from.port, "127.0.0.1");
    socket.send(Buffer.alloc(LARGEST_IPV4 + 1));
    socket.close();
    socket.close();
    socket.send(Buffer.from("later"));
    // The port is free: somebody else can have it.
    const next = await rig.other("127.0.0.1", from.port);
    next.socket.send("x", from.port, "127.0.0.1");
    await next.heard.count(1);
    expect([...datagrams.all, ...losses.all, ...unreachable.all]).toEqual([]);
    expect(server.heard.all).toHaveLength(1);
  });
}
