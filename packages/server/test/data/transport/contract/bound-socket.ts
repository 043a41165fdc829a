import { randomBytes } from "node:crypto";

import { afterEach, beforeEach, expect, it } from "@jest/globals";

import { type CreateDatagrams, DatagramRig, LARGEST_IPV4, LOOPBACK, Other } from "./datagram-rig.ts";

let rig: DatagramRig;

/** A socket that anybody may send to. */
export function boundSocketContract(create: CreateDatagrams): void {
  beforeEach(() => {
    rig = new DatagramRig(create);
  });
  afterEach(() => rig.close());

  it.each(LOOPBACK)("hears who sends what on %s, and answers from its own address", async (address) => {
    const { socket, datagrams } = await rig.bind({ address });
    expect(socket.address).toBe(address);
    const client = await rig.other(address);
    client.socket.send("question", socket.port, address);
    const [first] = await datagrams.count(1);
    expect(first).toEqual({ bytes: Buffer.from("question"), from: { address, port: client.port }, to: socket });
    socket.send(Buffer.from("answer"), first!.from);
    const [answer] = await client.heard.count(1);
    expect(answer!.bytes.toString()).toBe("answer");
    expect(answer!.from).toMatchObject({ address, port: socket.port });
  });

  it("takes and sends datagrams whole: empty ones, and the largest", async () => {
    const { socket, datagrams } = await rig.bind();
    const client = await rig.other();
    for (const [index, length] of [0, 1, 1500, LARGEST_IPV4].entries()) {
      const sent = randomBytes(length);
      client.socket.send(sent, socket.port, "127.0.0.1");
      const { bytes, from } = (await datagrams.count(index + 1))[index]!;
      expect(bytes.equals(sent)).toBe(true);
      socket.send(bytes, from);
      expect((await client.heard.count(index + 1))[index]!.bytes.equals(sent)).toBe(true);
    }
  });

  it("hands over bytes that stay as they are", async () => {
    const { socket, datagrams } = await rig.bind();
    const client = await rig.other();
    for (let i = 0; i < 100; i++) client.socket.send(`datagram ${i}`, socket.port, "127.0.0.1");
    const kept = (await datagrams.count(100)).map(({ bytes }) => Buffer.from(bytes).toString());
    expect(kept).toEqual(Array.from({ length: 100 }, (_, i) => `datagram ${i}`));
  });

  it("says what it could not send, after the call, and goes on", async () => {
    const { socket, losses } = await rig.bind();
    const client = await rig.other();
    socket.send(Buffer.alloc(LARGEST_IPV4 + 1), { address: "127.0.0.1", port: client.port });
    socket.send(Buffer.from("x"), { address: "127.0.0.1", port: 0 });
    expect(losses.all).toEqual([]);
    const codes = (await losses.count(2)).map(({ code }) => code);
    expect(codes.toSorted()).toEqual(["EINVAL", "EMSGSIZE"]);
    socket.send(Buffer.from("on"), { address: "127.0.0.1", port: client.port });
    expect((await client.heard.count(1))[0]!.bytes.toString()).toBe("on");
  });

  it("hears nothing of peers that are gone", async () => {
    const { socket, losses } = await rig.bind();
    const client = await rig.other();
    socket.send(Buffer.from("lost"), { address: "127.0.0.1", port: await Other.closedPort() });
    socket.send(Buffer.from("next"), { address: "127.0.0.1", port: client.port });
    await client.heard.count(1);
    expect(losses.all).toEqual([]);
  });

  it("does not take a port that somebody has, and says the system's code", async () => {
    const taken = await rig.other();
    await expect(rig.bind({ port: taken.port })).rejects.toMatchObject({ name: "TransportError", code: "EADDRINUSE" });
    await expect(rig.bind({ port: taken.port, reusePort: true })).rejects.toMatchObject({ code: "EADDRINUSE" });
    await expect(rig.bind({ address: "203.0.113.77" })).rejects.toMatchObject({ code: "EADDRNOTAVAIL" });
  });

  it("shares its port where it is told to, and each flow stays with one of them", async () => {
    const one = await rig.bind({ reusePort: true });
    const two = await rig.bind({ port: one.socket.port, reusePort: true });
    const clients = await Promise.all(Array.from({ length: 32 }, () => rig.other()));
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
    const { socket, datagrams, losses } = await rig.bind();
    const { port } = socket;
    socket.send(Buffer.alloc(LARGEST_IPV4 + 1), { address: "127.0.0.1", port });
    await Promise.all([socket.close(), socket.close()]);
    socket.send(Buffer.from("late"), { address: "127.0.0.1", port });
    const next = await rig.other("127.0.0.1", port);
    next.socket.send("x", port, "127.0.0.1");
    await next.heard.count(1);
    expect([...datagrams.all, ...losses.all]).toEqual([]);
  });
}
