import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { parseProxyHeader, writeProxyHeader } from "../../../src/data/l4/proxy-protocol.ts";
import { HTTP2_CLEARTEXT } from "../../../src/data/l7/backend-protocol.ts";
import { MAX_IDLE_MS } from "../../../src/data/l7/upstreams.ts";
import type { Connection } from "../../../src/data/transport/transport.ts";
import { Peer, type PeerServer } from "../transport/peer.ts";
import { forget, get, HttpRig, OK, receives } from "./http-rig.ts";

let rig: HttpRig;
let server: PeerServer;
beforeEach(async () => {
  rig = new HttpRig();
  rig.balancer.sendProxyProtocol = "V1";
  server = await rig.backend();
});
afterEach(() => rig.close());

/** Sends a request and answers it, on the connection given or on a new one, which is the answer. */
async function served(client: Peer, path: string, known?: Peer): Promise<Peer> {
  await client.send(get(path));
  const backend = known ?? (await server.next());
  await receives(backend, new RegExp(`GET ${path} [^]*\r\n\r\n$`));
  await backend.send(OK);
  await receives(client, /ok$/);
  forget(client);
  return backend;
}

const headerOf = (client: Peer): string =>
  writeProxyHeader("V1", {
    source: { address: "127.0.0.1", port: client.socket.localPort ?? 0 },
    destination: { address: "192.0.2.80", port: 80 },
  }).toString();

describe("a pool that is told who its clients are", () => {
  it("has the requests of one client on one connection, which begins with its header", async () => {
    const client = await rig.client();
    const first = await served(client, "/1");
    await served(client, "/2", first);
    const text = first.received.toString("latin1");
    expect(text.startsWith(`${headerOf(client)}GET /1 `)).toBe(true);
    expect(text.split("PROXY ")).toHaveLength(2);
  });

  it("never has those of two clients on one", async () => {
    const [ada, bob] = [await rig.client(), await rig.client()];
    const ofAda = await served(ada, "/ada");
    const ofBob = await served(bob, "/bob");
    await served(ada, "/ada-again", ofAda);
    await served(bob, "/bob-again", ofBob);
    expect(server.peers).toHaveLength(2);
    expect(ofBob.received.toString("latin1").startsWith(headerOf(bob))).toBe(true);
  });

  it("loses the connection soon after its client has left it idle", async () => {
    const client = await rig.client();
    const backend = await served(client, "/");
    rig.clock.advance(2 * MAX_IDLE_MS);
    await backend.end();
    const next = await served(client, "/later");
    expect(next.received.toString("latin1").startsWith(headerOf(client))).toBe(true);
  });

  it("loses all of them when it is down", async () => {
    const [ada, bob] = [await rig.client(), await rig.client()];
    const [ofAda, ofBob] = [await served(ada, "/ada"), await served(bob, "/bob")];
    rig.upstreams.forget("backend");
    await Promise.all([ofAda.end(), ofBob.end()]);
  });

  it("has no connection of a pool that is not told", async () => {
    const client = await rig.client();
    rig.balancer.sendProxyProtocol = undefined;
    await served(client, "/plain");
    rig.balancer.sendProxyProtocol = "V2";
    const told = await served(client, "/told");
    expect(parseProxyHeader(told.received)).toMatchObject({ endpoints: { source: { address: "127.0.0.1" } } });
  });

  it("is told before HTTP/2, too", async () => {
    await rig.close();
    rig = new HttpRig({}, { protocol: HTTP2_CLEARTEXT });
    rig.balancer.sendProxyProtocol = "V1";
    server = await rig.backend();
    const client = await rig.client();
    await client.send(get());
    const backend = await server.next();
    await receives(backend, /PRI \* HTTP\/2\.0/);
    expect(backend.received.toString("latin1").startsWith(`${headerOf(client)}PRI * HTTP/2.0`)).toBe(true);
  });
});

it("a client that a proxy tells of is who backends hear of, in both ways", async () => {
  const proxied = {
    source: { address: "198.51.100.7", port: 40_000 },
    destination: { address: "203.0.113.1", port: 443 },
  };
  const listening = await rig.listenWith((client: Connection) => {
    client.proxied = proxied;
    rig.account.open(0);
    rig.proxy.serve(client, Buffer.from(get("/early")));
  });
  const client = (await Peer.connect(listening)).read();
  const backend = await server.next();
  const text = await receives(backend, /\r\n\r\n$/);
  expect(text.startsWith(writeProxyHeader("V1", proxied).toString())).toBe(true);
  expect(text).toMatch(/X-Forwarded-For: 198\.51\.100\.7\r\n/i);
  expect(rig.balancer.flows).toMatchObject([{ clientAddress: "198.51.100.7", clientPort: 40_000 }]);
  await backend.send(OK);
  await receives(client, /ok$/);
  client.socket.destroy();
});
