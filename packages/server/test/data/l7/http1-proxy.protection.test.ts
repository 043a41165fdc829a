import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import type { Peer, PeerServer } from "../transport/peer.ts";
import { get, HttpRig, OK, receives } from "./http-rig.ts";

const NO_FLOW = { clientAddress: "", clientPort: 0, vip: "", vipPort: 0 };

let rig: HttpRig;
let client: Peer;

beforeEach(async () => {
  rig = new HttpRig({ http: { exposeReasonHeader: true, requestTimeoutMs: 5000 } });
});
afterEach(() => rig.close());

/** Sends a request; resolves with its backend's end when it is there. */
async function ask(server: PeerServer, request = get("/")): Promise<Peer> {
  client = await rig.client();
  await client.send(request);
  const backend = await server.next();
  await receives(backend, /\r\n\r\n/);
  return backend;
}

describe("what is said of a backend", () => {
  const answer = (status: number): string => `HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`;

  it.each([
    [200, "success"],
    [404, "success"],
    [500, "failure"],
    [503, "failure"],
  ])("of %d is %s", async (status, verdict) => {
    await (await ask(await rig.backend())).send(answer(status));
    await receives(client, /\r\n\r\n/);
    expect(rig.balancer.verdicts).toEqual([`backend ${verdict}`]);
  });

  it("of a broken response is failure", async () => {
    await (await ask(await rig.backend())).send("nonsense\r\n\r\n");
    await receives(client, /^HTTP\/1.1 502/);
    expect(rig.balancer.verdicts).toEqual(["backend failure"]);
  });

  it("of one that breaks off before it answers is failure, and the next one is asked", async () => {
    const server = await rig.backend("a");
    const next = await rig.backend("b");
    (await ask(server)).reset();
    await (await next.next()).send(OK);
    await receives(client, /^HTTP\/1.1 200/);
    expect(rig.balancer.verdicts).toEqual(["a failure", "b success"]);
  });

  it("of one that does not answer in time is failure", async () => {
    await ask(await rig.backend());
    rig.clock.advance(10_000);
    await receives(client, /^HTTP\/1.1 504/);
    expect(rig.balancer.verdicts).toEqual(["backend failure"]);
  });

  it("is nothing when its client breaks off", async () => {
    await ask(await rig.backend());
    client.reset();
    await rig.account.until(() => rig.account.closed > 0);
    expect(rig.balancer.verdicts).toEqual([]);
  });
});

describe("a request that waits for a place", () => {
  beforeEach(async () => {
    rig.balancer.refusal = "backend-limit";
    rig.balancer.waiting = [];
    client = await rig.client();
  });

  async function queued(request: string): Promise<void> {
    await client.send(request);
    await rig.account.until(() => rig.account.bytesIn >= request.length);
    expect(rig.balancer.waiting).toHaveLength(1);
  }

  /** The backend comes, and the first that waits has it. */
  async function served(): Promise<Peer> {
    const server = await rig.backend();
    rig.balancer.tellFirst(rig.balancer.pick(NO_FLOW));
    return server.next();
  }
  it("is served by the backend that it gets", async () => {
    await queued(get("/later"));
    const backend = await served();
    await receives(backend, /^GET \/later /);
    await backend.send(OK);
    await receives(client, /^HTTP\/1.1 200/);
  });

  it("brings its body, of which only the beginning had come", async () => {
    await queued("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhe");
    await client.send("re");
    const backend = await served();
    await receives(backend, /\r\n\r\nhere$/);
  });

  it("has its whole time for the answer, however long it waited", async () => {
    await queued(get("/"));
    rig.clock.advance(4900);
    const backend = await served();
    await receives(backend, /\r\n\r\n/);
    rig.clock.advance(3000);
    await backend.send(OK);
    await receives(client, /^HTTP\/1.1 200/);
  });

  it("uses a connection that is there already", async () => {
    const server = await rig.backend();
    await client.send(get("/first"));
    const backend = await server.next();
    await receives(backend, /\r\n\r\n/);
    await backend.send(OK);
    await receives(client, /^HTTP\/1.1 200/);
    const backends = rig.balancer.backends.splice(0);
    await client.send(get("/second"));
    await rig.account.until(() => rig.account.bytesIn >= 2 * get("/first").length);
    rig.balancer.backends = backends;
    rig.balancer.tellFirst(rig.balancer.pick(NO_FLOW));
    await receives(backend, /GET \/second /);
  });

  it("gets 503 and the reason when there is none in time", async () => {
    await queued(get("/"));
    rig.balancer.tellFirst({ kind: "refusal", reason: "queue-timeout" });
    const answer = await receives(client, /\r\n\r\n/);
    expect(answer).toMatch(/^HTTP\/1.1 503 [^]*X-FiberLB-Reason: queue-timeout\r\n/);
    expect(rig.account.rejected).toEqual(["queue-timeout"]);
  });

  it("leaves when its client does", async () => {
    await queued(get("/"));
    client.reset();
    await rig.account.until(() => rig.account.closed > 0);
    expect(rig.balancer.waiting).toHaveLength(0);
  });
});

describe("rates of a source", () => {
  it("of requests: 429, and when to ask again; the connection stays", async () => {
    let left = 1;
    rig.account.rates = { requests: { admits: () => left-- > 0 } };
    rig.update({ http: { exposeReasonHeader: true } });
    const backend = await ask(await rig.backend());
    await backend.send(OK);
    await receives(client, /^HTTP\/1.1 200/);
    await client.send(get("/more"));
    const answer = await receives(client, /429 [^]*address\n/);
    expect(answer).toMatch(/\r\nRetry-After: 1\r\n/);
    expect(answer).toMatch(/\r\nX-FiberLB-Reason: rate-limit\r\n/);
    left = 1;
    await client.send(get("/again"));
    await receives(backend, /GET \/again /);
    expect(rig.account.rejected).toEqual(["rate-limit"]);
  });

  it("of connections: reset", async () => {
    rig.account.rates = { connections: { admits: () => false } };
    // The reset may come before the client knows that it was connected.
    const end = rig.client().then(async (one) => (await one.closed, one.errorCode));
    expect(await end.catch((error: NodeJS.ErrnoException) => error.code)).toBe("ECONNRESET");
    expect(rig.account).toMatchObject({ opened: 0, rejected: ["rate-limit"] });
  });
});
