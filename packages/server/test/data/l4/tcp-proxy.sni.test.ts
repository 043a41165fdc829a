import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";

import { afterEach, describe, expect, it } from "@jest/globals";

import { writeProxyHeader } from "../../../src/data/l4/proxy-protocol.ts";
import { CLIENT_HELLO_TIMEOUT_MS } from "../../../src/data/l4/tcp-proxy.ts";
import type { PolicyUnit } from "../../../src/snapshot/snapshot.ts";
import type { Peer, PeerServer } from "../transport/peer.ts";
import { ProxyRig, ScriptedBalancer } from "./proxy-rig.ts";
import { poolPolicy, sni } from "./sni-policies.ts";

const REJECT: PolicyUnit = { ...poolPolicy("", sni({ value: "secret.example" })), action: { type: "REJECT" } };
const POLICIES = [
  REJECT,
  poolPolicy("shop", sni({ value: "shop.example" })),
  poolPolicy("wild", sni({ value: "*.example" })),
];

let rig: ProxyRig;
afterEach(() => rig.close());

/** A rig whose pools have one backend each, all of them the same server's. */
async function routed(policies = POLICIES): Promise<PeerServer> {
  rig = new ProxyRig({ sniPolicies: policies });
  const server = await rig.backend("default");
  for (const id of ["shop", "wild"]) {
    const balancer = new ScriptedBalancer();
    balancer.add(id, server.port);
    rig.pools.set(id, balancer);
  }
  return server;
}

/** What a TLS client sends first. */
async function helloOf(options: tls.ConnectionOptions): Promise<Buffer> {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const client = tls.connect({ port, host: "127.0.0.1", ...options });
  client.on("error", () => undefined);
  const [socket] = (await once(server, "connection")) as [net.Socket];
  const [hello] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}

/** The pool whose backend was asked for last. */
const chosen = (): string | undefined =>
  [["default", rig.balancer], ...rig.pools].find(
    ([, pool]) => (pool as ScriptedBalancer).flows.length > 0,
  )?.[0] as string;

async function refused(client: Peer): Promise<void> {
  client.read();
  await client.closed;
  expect(client.errorCode).toBe("ECONNRESET");
}

describe("the pool", () => {
  it.each([
    ["shop.example", "shop"],
    ["other.example", "wild"],
    ["deep.other.example", "default"],
    ["", "default"],
  ])("of a client that asks for %j is %s, and it gets the hello as it was", async (servername, pool) => {
    const server = await routed();
    const hello = await helloOf({ servername });
    const client = await rig.client();
    await client.send(hello);
    const backend = await server.next();
    await backend.receivedAtLeast(hello.length);
    expect(backend.received).toEqual(hello);
    expect(chosen()).toBe(pool);
    await rig.roundTrip({ client, backend });
    expect(rig.account.bytesIn).toBe(hello.length + 1);
  });

  it("of a hello that comes byte by byte is the same", async () => {
    const server = await routed();
    const hello = await helloOf({ servername: "shop.example" });
    const client = await rig.client();
    for (const byte of hello) await client.send(Uint8Array.of(byte));
    const backend = await server.next();
    await backend.receivedAtLeast(hello.length);
    expect(backend.received).toEqual(hello);
    expect(chosen()).toBe("shop");
  });

  it("of what is no TLS is the default one", async () => {
    const server = await routed();
    const client = await rig.client();
    await client.send("SSH-2.0-client\r\n");
    const backend = await server.next();
    await backend.receivedAtLeast(16);
    expect(chosen()).toBe("default");
  });

  it("of a hello behind a header of the PROXY protocol is the same, and the backend may be told, too", async () => {
    const server = await routed();
    rig.update({ sniPolicies: POLICIES, proxyProtocol: { trustedCidrs: ["127.0.0.0/8"] } });
    (rig.pools.get("shop") as ScriptedBalancer).sendProxyProtocol = "V2";
    const proxied = {
      source: { address: "198.51.100.7", port: 40_000 },
      destination: { address: "203.0.113.1", port: 443 },
    };
    const hello = await helloOf({ servername: "shop.example" });
    const client = await rig.client();
    await client.send(Buffer.concat([writeProxyHeader("V1", proxied), hello]));
    const backend = await server.next();
    await backend.receivedAtLeast(28 + hello.length);
    expect(backend.received).toEqual(Buffer.concat([writeProxyHeader("V2", proxied), hello]));
    expect(chosen()).toBe("shop");
  });

  it("is shared by weight", async () => {
    const shared: PolicyUnit = {
      ...poolPolicy("", sni({ value: "shop.example" })),
      action: {
        type: "REDIRECT_TO_POOL",
        pools: [
          { poolId: "shop", weight: 1 },
          { poolId: "wild", weight: 3 },
        ],
        setRequestHeaders: [],
      },
    };
    const server = await routed([shared]);
    rig.random = 0.3;
    const client = await rig.client();
    await client.send(await helloOf({ servername: "shop.example" }));
    await server.next();
    expect(chosen()).toBe("wild");
  });

  it("follows the configuration", async () => {
    const server = await routed([poolPolicy("wild", sni({ value: "shop.example" }))]);
    rig.update({ sniPolicies: POLICIES });
    const hello = await helloOf({ servername: "shop.example" });
    const client = await rig.client();
    await client.send(hello);
    await server.next();
    expect(chosen()).toBe("shop");
    rig.update({});
    await rig.client();
    await server.next();
    expect(rig.balancer.flows).toHaveLength(1);
  });
});

describe("reset", () => {
  it("is who asks for a name that a policy rejects", async () => {
    await routed();
    const client = await rig.client();
    await client.send(await helloOf({ servername: "secret.example" }));
    await refused(client);
    expect(rig.account).toMatchObject({ rejected: ["policy"], opened: 1, closed: 1 });
  });

  it("is a hello that two readers may read in two ways", async () => {
    await routed();
    const client = await rig.client();
    await client.send(Buffer.from([22, 3, 1, 0, 4, 1, 0, 0, 0]));
    await refused(client);
    expect(rig.account).toMatchObject({ rejected: ["bad-request"], closed: 1 });
  });

  it("is who does not say in time whom it wants", async () => {
    await routed();
    const client = await rig.client();
    await client.send(Buffer.from([22, 3]));
    await rig.account.until(() => rig.account.opened === 1);
    expect(rig.front.active).toBe(1);
    rig.clock.advance(CLIENT_HELLO_TIMEOUT_MS);
    await refused(client);
    expect(rig.account).toMatchObject({ rejected: ["client-timeout"], closed: 1 });
    expect(rig.front.active).toBe(0);
  });

  it("is who is led to a pool that is gone", async () => {
    await routed([poolPolicy("gone", sni({ value: "shop.example" }))]);
    rig.pool = undefined;
    const client = await rig.client();
    await client.send(await helloOf({ servername: "shop.example" }));
    await refused(client);
    expect(rig.account).toMatchObject({ rejected: ["no-pool"], closed: 1 });
  });
});
