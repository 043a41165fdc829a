import { createSocket } from "node:dgram";

import { expect, test } from "@jest/globals";

import { knock } from "../../../../src/data/l4/nftables/knock.ts";
import { createDgramDatagrams } from "../../../../src/data/transport/dgram-datagrams.ts";
import { TransportError } from "../../../../src/data/transport/transport.ts";

test("sends an empty datagram to the discard service", () => {
  const calls: unknown[] = [];
  const socket = { send: (bytes: Uint8Array) => calls.push(bytes.length), close: () => calls.push("closed") };
  knock({ connect: (peer) => (calls.push(peer), socket) }, "10.0.0.1");
  expect(calls).toEqual([{ address: "10.0.0.1", port: 9 }, 0, "closed"]);
});

test("it leaves although the socket is closed at once", async () => {
  const receiver = createSocket("udp4");
  await new Promise<void>((resolve) => receiver.bind(0, "127.0.0.1", resolve));
  const received = new Promise<number>((resolve) => receiver.once("message", ({ length }) => resolve(length)));
  const datagrams = createDgramDatagrams();
  knock(
    { connect: ({ address }, handlers) => datagrams.connect({ address, port: receiver.address().port }, handlers) },
    "127.0.0.1",
  );
  expect(await received).toBe(0);
  receiver.close();
});

test("a system that has no socket left is no error", () => {
  const connect = (): never => {
    throw new TransportError("EMFILE", "no descriptors left");
  };
  expect(() => knock({ connect }, "10.0.0.1")).not.toThrow();
});
