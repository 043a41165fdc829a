import { once } from "node:events";
import net from "node:net";

import { afterEach, beforeEach, expect, it } from "@jest/globals";

import { Http2UpstreamSession } from "../../../src/data/l7/http2-upstream-session.ts";
import { FakeClock } from "../../fake-clock.ts";
import type { Peer } from "../transport/peer.ts";
import { PeerServer } from "../transport/peer.ts";
import { frame, settings } from "./http2/raw-http2.ts";

let server: PeerServer;
beforeEach(async () => void (server = await PeerServer.listen()));
afterEach(() => server.close());

it("takes nothing and asks nothing between its end and the news of it", async () => {
  const clock = new FakeClock();
  const { port } = server;
  const socket = net.connect({ host: "127.0.0.1", port });
  await once(socket, "connect");
  const ready = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  const owner = { sessionReady: () => ready.resolve(), sessionFreed() {}, sessionLeft: () => left.resolve() };
  const between = Promise.withResolvers<readonly [isLost: boolean, room: number]>();
  // Heard before node:http2 hears it, which says only then that the session is closed.
  socket.once("close", () => {
    clock.advance(60_000);
    between.resolve([session.isLost, session.room]);
    session.suspect();
  });
  const session: Http2UpstreamSession = new Http2UpstreamSession(socket, {
    clock,
    address: "127.0.0.1",
    port,
    timeoutMs: 1000,
    owner,
  });
  const peer: Peer = (await server.next()).read();
  await peer.send(settings());
  await ready.promise;
  expect(session.room).toBeGreaterThan(0);
  // DATA on no stream.
  await peer.send(frame(0, { payload: Buffer.from("?") }));
  expect(await between.promise).toEqual([false, 0]);
  await left.promise;
  expect(session.isLost).toBe(true);
});
