import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { MAX_IDLE_SESSION_MS, MAX_SESSIONS } from "../../../src/data/l7/http2-upstreams.ts";
import type { Peer } from "../transport/peer.ts";
import { get, receives } from "./http-rig.ts";
import type { Http2Backend, SeenStream } from "./http2-backend.ts";
import { ask, Http2UpstreamRig, response } from "./http2-upstream-rig.ts";

let rig: Http2UpstreamRig;

beforeEach(() => {
  rig = new Http2UpstreamRig({ http: { exposeReasonHeader: true } });
});
afterEach(() => rig.close());

const ERROR = /\r\n\r\n\d{3} .*\n$/;
const OK = { "content-length": 2 };

/** So many clients, each with one request under way. */
async function busy(server: Http2Backend, count: number): Promise<{ clients: Peer[]; streams: SeenStream[] }> {
  const clients = await Promise.all(Array.from({ length: count }, () => rig.client()));
  for (const client of clients) await client.send(get());
  const streams: SeenStream[] = [];
  for (let i = 0; i < count; i++) streams.push(await server.next());
  return { clients, streams };
}

async function finish({ clients, streams }: { clients: Peer[]; streams: SeenStream[] }): Promise<void> {
  for (const seen of streams) seen.respond(OK, "ok");
  for (const client of clients) await response(client, /ok$/);
}

it("many first requests share one connection", async () => {
  const server = await rig.http2Backend();
  await finish(await busy(server, 50));
  expect(server.sessions).toHaveLength(1);
});

it("each request counts as a connection of its backend while it is under way", async () => {
  const server = await rig.http2Backend();
  const all = await busy(server, 3);
  expect(rig.balancer.log).toEqual(["backend connected", "backend connected", "backend connected"]);
  await finish(all);
  expect(rig.balancer.log.slice(3)).toEqual(["backend released", "backend released", "backend released"]);
});

describe("a backend that takes so many requests at once", () => {
  it("gets as many connections as are needed", async () => {
    const server = await rig.http2Backend("backend", { settings: { maxConcurrentStreams: 2 } });
    await finish(await busy(server, 5));
    expect(server.sessions).toHaveLength(3);
    await finish(await busy(server, 6));
    expect(server.sessions).toHaveLength(3);
  });

  it("gets no more than the most; further requests wait, first come first served", async () => {
    const server = await rig.http2Backend("backend", { settings: { maxConcurrentStreams: 1 } });
    const all = await busy(server, MAX_SESSIONS);
    const [late, later] = [await rig.client(), await rig.client()];
    await late.send(get("/late"));
    await rig.account.until(() => rig.account.bytesIn === (MAX_SESSIONS + 1) * get().length + 4);
    await later.send(get("/later"));
    await rig.account.until(() => rig.account.bytesIn === (MAX_SESSIONS + 2) * get().length + 9);
    expect(server.streams).toHaveLength(MAX_SESSIONS);
    for (const [client, path] of [
      [late, "/late"],
      [later, "/later"],
    ] as const) {
      all.streams.shift()!.respond(OK, "ok");
      await response(all.clients.shift()!, /ok$/);
      const seen = await server.next();
      expect(seen.headers[":path"]).toBe(path);
      seen.respond(OK, "ok");
      await response(client, /ok$/);
    }
    await finish(all);
    expect(server.sessions).toHaveLength(MAX_SESSIONS);
  });

  it("and has no place in time: another backend gets the request, and without one the client 503", async () => {
    const server = await rig.http2Backend("backend", { settings: { maxConcurrentStreams: 1 } });
    const all = await busy(server, MAX_SESSIONS);
    const late = await rig.client();
    await late.send(get("/late"));
    await rig.account.until(() => rig.balancer.leases.length === MAX_SESSIONS && rig.account.bytesIn > 0);
    await rig.account.until(() => rig.account.bytesIn === (MAX_SESSIONS + 1) * get().length + 4);
    rig.clock.advance(5000);
    expect(await receives(late, ERROR)).toMatch(/^HTTP\/1.1 503 [^]*connect-failed/);
    expect(rig.connectErrors.at(-1)).toMatch(/ETIMEDOUT Cannot connect to .*: no place within 5000 ms$/);
    await finish(all);
  });

  it("none at all: requests wait until it takes some", async () => {
    const server = await rig.http2Backend("backend", { settings: { maxConcurrentStreams: 0 } });
    const client = await rig.client();
    await client.send(get());
    await rig.account.until(() => rig.account.bytesIn > 0);
    server.onSession = (session) => session.settings({ maxConcurrentStreams: 10 });
    for (const session of server.sessions) session.settings({ maxConcurrentStreams: 10 });
    (await server.next()).respond(OK, "ok");
    await response(client, /ok$/);
  });
});

it("idle connections end after their time, not before", async () => {
  const server = await rig.http2Backend();
  await finish(await busy(server, 1));
  const [session] = server.sessions;
  const closed = new Promise<void>((resolve) => void session!.once("close", resolve));
  rig.clock.advance(MAX_IDLE_SESSION_MS - 1000);
  await finish(await busy(server, 1));
  expect(server.sessions).toHaveLength(1);
  rig.clock.advance(MAX_IDLE_SESSION_MS + 2000);
  await closed;
});

it("a backend whose address changes gets new connections, and the old ones finish what they carry", async () => {
  const server = await rig.http2Backend();
  const { clients, streams } = await busy(server, 1);
  const closed = new Promise<void>((resolve) => void server.sessions[0]!.once("close", resolve));
  rig.balancer.backends = [];
  const moved = await rig.http2Backend("backend");
  await finish(await busy(moved, 1));
  await finish({ clients, streams });
  await closed;
});

it("a pool that becomes another kind does not use the connections that it had", async () => {
  const server = await rig.http2Backend();
  await finish(await busy(server, 1));
  rig.protocol = { kind: "h2c" };
  rig.pool("pool");
  const closed = new Promise<void>((resolve) => void server.sessions[0]!.once("close", resolve));
  const client = await rig.client();
  (await ask(client, server, get())).respond(OK, "ok");
  await response(client, /ok$/);
  await closed;
  expect(server.sessions).toHaveLength(2);
});
