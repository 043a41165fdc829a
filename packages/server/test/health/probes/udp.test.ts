import dgram from "node:dgram";

import { afterEach, expect, test } from "@jest/globals";

import { probeUdp } from "../../../src/health/probes/udp.ts";
import { startProbe, verdictOf } from "../server-fixture.ts";

const sockets: dgram.Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

function listen(onMessage: (socket: dgram.Socket, from: dgram.RemoteInfo, bytes: Buffer) => void): Promise<number> {
  const socket = dgram.createSocket("udp4");
  sockets.push(socket);
  socket.on("message", (bytes, from) => onMessage(socket, from, bytes));
  return new Promise((resolve) => socket.bind(0, "127.0.0.1", () => resolve(socket.address().port)));
}

test("passes at once when the backend answers", async () => {
  const port = await listen((socket, from) => socket.send("pong", from.port, from.address));
  expect(await startProbe(probeUdp, port).result).toEqual({ passed: true, latencyMs: 0 });
});

test("fails when nothing listens on the port", async () => {
  expect(await verdictOf(probeUdp, 1)).toBe("nothing listens on UDP 127.0.0.1:PORT (port unreachable)");
});

test("begins with a header that is nobody's where the backend wants the PROXY protocol", async () => {
  const heard = Promise.withResolvers<Buffer>();
  const port = await listen((socket, from, bytes) => {
    heard.resolve(bytes);
    socket.send("pong", from.port, from.address);
  });
  expect(await verdictOf(probeUdp, port, { sendProxyProtocol: "V2" })).toBe("passed");
  expect((await heard.promise).toString("latin1")).toBe("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0\0");
});

test("silence passes when the time is up", async () => {
  const heard = Promise.withResolvers<void>();
  const { result, clock } = startProbe(probeUdp, await listen(() => heard.resolve()));
  await heard.promise;
  clock.jump(2000);
  expect(await result).toEqual({ passed: true, latencyMs: 2000 });
});

test("an answer from elsewhere counts for nothing", async () => {
  const stranger = dgram.createSocket("udp4");
  sockets.push(stranger);
  const sent = Promise.withResolvers<void>();
  const port = await listen((_, from) => stranger.send("pong", from.port, from.address, () => sent.resolve()));
  const { result, clock } = startProbe(probeUdp, port);
  await sent.promise;
  await clock.advance(2000);
  expect(await result).toEqual({ passed: true, latencyMs: 2000 });
});

test.each(["before", "after"])("cancelled %s its datagram left, it closes its socket", async (when) => {
  const heard = Promise.withResolvers<void>();
  const { result, clock, abort } = startProbe(probeUdp, await listen(() => heard.resolve()));
  if (when === "after") await heard.promise;
  abort();
  expect(await result).toMatchObject({ passed: false, inconclusive: true });
  expect(clock.pending).toBe(0);
});
