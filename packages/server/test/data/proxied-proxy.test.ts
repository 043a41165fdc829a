import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { parseProxyHeader, type ProxiedEndpoints, writeProxyHeader } from "../../src/data/l4/proxy-protocol.ts";
import { PROXY_HEADER_TIMEOUT_MS } from "../../src/data/proxied-proxy.ts";
import { ProxyRig } from "./l4/proxy-rig.ts";
import type { Peer } from "./transport/peer.ts";

const ENDPOINTS: ProxiedEndpoints = {
  source: { address: "198.51.100.7", port: 40_000 },
  destination: { address: "203.0.113.1", port: 443 },
};
const ACCEPTING = { proxyProtocol: { trustedCidrs: ["127.0.0.0/8"] } };
const LOCAL_V2 = Buffer.from("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "latin1");

let rig: ProxyRig;
beforeEach(() => void (rig = new ProxyRig(ACCEPTING)));
afterEach(() => rig.close());

/** Made anew, with another listener. */
async function withListener(part: ConstructorParameters<typeof ProxyRig>[0]): Promise<void> {
  await rig.close();
  rig = new ProxyRig(part);
}

async function joinedAfter(client: Peer, bytes: string | Uint8Array): Promise<Peer> {
  const server = await rig.backend();
  await client.send(bytes);
  return server.next();
}

describe("a header", () => {
  it.each(["V1", "V2"] as const)("of version %s says who the client is", async (version) => {
    const client = await rig.client();
    const backend = await joinedAfter(client, Buffer.concat([writeProxyHeader(version, ENDPOINTS), Buffer.from("hi")]));
    await backend.receivedAtLeast(2);
    expect(backend.received.toString()).toBe("hi");
    expect(rig.balancer.flows).toMatchObject([{ clientAddress: "198.51.100.7", clientPort: 40_000 }]);
    await rig.roundTrip({ client, backend });
    expect(rig.account).toMatchObject({ opened: 1, closed: 0, rejected: [] });
  });

  it.each([
    ["LOCAL", LOCAL_V2],
    ["UNKNOWN", Buffer.from("PROXY UNKNOWN\r\n")],
  ])("that is %s leaves the connection what it is", async (_what, header) => {
    const client = await rig.client();
    const backend = await joinedAfter(client, header);
    await rig.roundTrip({ client, backend });
    const { localAddress, localPort } = client.socket;
    expect(rig.balancer.flows).toMatchObject([{ clientAddress: localAddress, clientPort: localPort }]);
  });

  it("is waited for, and the backend only connected when it is whole", async () => {
    const client = await rig.client();
    const server = await rig.backend();
    const header = writeProxyHeader("V2", ENDPOINTS);
    await client.send(header.subarray(0, 20));
    await rig.account.until(() => rig.account.opened === 1);
    expect(server.peers).toEqual([]);
    await client.send(Buffer.concat([header.subarray(20), Buffer.from("body")]));
    const backend = await server.next();
    await backend.receivedAtLeast(4);
    expect(backend.received.toString()).toBe("body");
  });

  it("however it is cut, leaves everything behind it to the backend", async () => {
    const server = await rig.backend();
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("V1" as const, "V2" as const),
        fc.array(fc.nat(80), { maxLength: 4 }),
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        async (version, cuts, body) => {
          const all = Buffer.concat([writeProxyHeader(version, ENDPOINTS), body]);
          const client = await rig.client();
          client.read();
          let at = 0;
          for (const cut of cuts.toSorted((a, b) => a - b).filter((one) => one < all.length)) {
            await client.send(all.subarray(at, cut));
            at = cut;
          }
          await client.send(all.subarray(at));
          const backend = await server.next();
          await backend.receivedAtLeast(body.length);
          expect(backend.received).toEqual(Buffer.from(body));
          client.reset();
          await backend.closed;
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("refused, with a reset", () => {
  async function refused(client: Peer): Promise<void> {
    client.read();
    await client.closed;
    expect(client.errorCode).toBe("ECONNRESET");
  }

  /** A client that is turned away at once: connecting may fail already. */
  async function turnedAway(): Promise<void> {
    const client = await rig.client().catch((error: NodeJS.ErrnoException) => error);
    if (client instanceof Error) expect(client.code).toBe("ECONNRESET");
    else await refused(client);
  }

  it.each([
    ["something else", "GET / HTTP/1.1\r\n\r\n"],
    ["a broken header", "PROXY TCP4 1.2.3.4 5.6.7.8 1 999999\r\n"],
    ["a signature that is none", "\r\n\r\n\0\r\nQUIT\r"],
  ])("is %s", async (_what, bytes) => {
    await rig.backend();
    const client = await rig.client();
    await client.send(bytes);
    await refused(client);
    expect(rig.account).toMatchObject({ rejected: ["proxy-protocol"], opened: 1, closed: 1 });
    expect(rig.balancer.flows).toEqual([]);
  });

  it("is a peer that is not trusted, before a byte is read", async () => {
    await withListener({ proxyProtocol: { trustedCidrs: ["192.0.2.0/24"] } });
    await turnedAway();
    expect(rig.account).toMatchObject({ rejected: ["proxy-protocol"], opened: 0 });
  });

  it("is everybody while nobody is trusted", async () => {
    await withListener({ proxyProtocol: { trustedCidrs: [] } });
    await turnedAway();
    expect(rig.account.rejected).toEqual(["proxy-protocol"]);
  });

  it("is a client whose header does not come in time", async () => {
    const client = await rig.client();
    await client.send("PROXY TCP4 1.2");
    await rig.account.until(() => rig.account.opened === 1);
    rig.clock.advance(PROXY_HEADER_TIMEOUT_MS);
    await refused(client);
    expect(rig.account).toMatchObject({ rejected: ["proxy-protocol"], closed: 1 });
  });

  it("is a client that the header says is not allowed, whoever the peer is", async () => {
    await withListener({ ...ACCEPTING, allowedCidrs: ["192.0.2.0/24"] });
    const client = await rig.client();
    await client.send(writeProxyHeader("V1", ENDPOINTS));
    await refused(client);
    expect(rig.account).toMatchObject({ rejected: ["acl"], opened: 1, closed: 1 });
  });

  it("is one connection too many, headers that are awaited included", async () => {
    await withListener({ ...ACCEPTING, connectionLimit: 1 });
    await rig.client();
    await rig.account.until(() => rig.account.opened === 1);
    await turnedAway();
    expect(rig.account.rejected).toEqual(["connection-limit"]);
  });

  it("is who ends in the middle of its header", async () => {
    const client = await rig.client();
    client.socket.end("PROXY TCP4");
    await refused(client);
    expect(rig.account).toMatchObject({ rejected: ["proxy-protocol"], closed: 1 });
  });
});

it("does not count a probe that says nothing", async () => {
  const client = await rig.client();
  client.socket.end();
  client.read();
  await client.closed;
  await rig.ended();
  expect(rig.account.rejected).toEqual([]);
});

it("ends those whose header is awaited with all others", async () => {
  const client = await rig.client();
  await rig.account.until(() => rig.account.opened === 1);
  expect(rig.front.active).toBe(1);
  rig.front.closeAll("shutdown");
  client.read();
  await client.closed;
  expect(rig.front.active).toBe(0);
  expect(rig.account).toMatchObject({ rejected: [], closed: 1 });
});

it("begins and stops to accept as the listener says", async () => {
  await withListener({});
  const { client, backend } = await rig.joined();
  await rig.roundTrip({ client, backend });
  rig.update(ACCEPTING);
  const second = await rig.client();
  await second.send(writeProxyHeader("V1", ENDPOINTS));
  await rig.roundTrip({ client: second, backend: await rig.nextBackend() });
  expect(rig.balancer.flows[1]).toMatchObject({ clientAddress: "198.51.100.7" });
  rig.update({});
  await rig.roundTrip(await rig.joined());
});

describe("backends that want to be told", () => {
  it.each(["V1", "V2"] as const)("get a header of version %s before everything else", async (version) => {
    await withListener({});
    rig.balancer.sendProxyProtocol = version;
    const { client, backend } = await rig.joined();
    await client.send("hello");
    const expected = writeProxyHeader(version, {
      source: { address: "127.0.0.1", port: client.socket.localPort ?? 0 },
      destination: { address: "192.0.2.80", port: 443 },
    });
    await backend.receivedAtLeast(expected.length + 5);
    expect(backend.received).toEqual(Buffer.concat([expected, Buffer.from("hello")]));
  });

  it("are told what we were told", async () => {
    rig.balancer.sendProxyProtocol = "V2";
    const client = await rig.client();
    const backend = await joinedAfter(client, Buffer.concat([writeProxyHeader("V1", ENDPOINTS), Buffer.from("hello")]));
    await backend.receivedAtLeast(28 + 5);
    expect(parseProxyHeader(backend.received)).toMatchObject({ endpoints: ENDPOINTS, length: 28 });
    expect(backend.received.subarray(28).toString()).toBe("hello");
  });

  it("are told again when the first one can't be had", async () => {
    rig.balancer.sendProxyProtocol = "V1";
    rig.balancer.add("gone", 1);
    const client = await rig.client();
    const backend = await joinedAfter(client, Buffer.concat([writeProxyHeader("V1", ENDPOINTS), Buffer.from("hello")]));
    const header = writeProxyHeader("V1", ENDPOINTS);
    await backend.receivedAtLeast(header.length + 5);
    expect(backend.received.toString()).toBe(`${header.toString()}hello`);
    expect(rig.balancer.log).toContain("gone failed");
  });
});
