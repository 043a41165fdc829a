import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { closedPort } from "../transport/peer.ts";
import { ProxyRig } from "./proxy-rig.ts";

let rig: ProxyRig;

beforeEach(() => {
  rig = new ProxyRig();
});
afterEach(() => rig.close());

/** How a client ends that connects, be it before it knows that it was connected. */
async function endOfClient(): Promise<string | undefined> {
  try {
    const client = await rig.client();
    await client.read().closed;
    return client.errorCode;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

describe("what is said of a backend", () => {
  it("is success with its first byte", async () => {
    const joined = await rig.joined();
    await rig.roundTrip(joined);
    joined.backend.reset();
    await rig.ended();
    expect(new Set(rig.balancer.verdicts)).toEqual(new Set(["backend success", "backend failure"]));
    expect(rig.balancer.verdicts[0]).toBe("backend success");
  });

  it("is failure when it resets before a byte, or can't be connected to", async () => {
    const { client, backend } = await rig.joined();
    await client.send("?");
    await backend.receivedAtLeast(1);
    backend.reset();
    await rig.ended();
    expect(rig.balancer.verdicts).toEqual(["backend failure"]);
    rig.balancer.backends = [];
    rig.balancer.add("closed", await closedPort());
    expect(await endOfClient()).toBe("ECONNRESET");
    expect(rig.balancer.log).toContain("closed failed");
  });

  it("is success when it ends in order without a word", async () => {
    const { client, backend } = await rig.joined();
    await client.send("?");
    await backend.receivedAtLeast(1);
    backend.socket.end();
    await client.end();
    client.socket.end();
    await rig.ended();
    expect(rig.balancer.verdicts).toEqual(["backend success"]);
  });

  it("is nothing when its client breaks off", async () => {
    const { client, backend } = await rig.joined();
    await client.send("?");
    await backend.receivedAtLeast(1);
    client.reset();
    await rig.ended();
    expect(rig.balancer.verdicts).toEqual([]);
  });
});

describe("a connection that waits for a place", () => {
  beforeEach(() => {
    rig.balancer.refusal = "backend-limit";
    rig.balancer.waiting = [];
  });

  const waiting = (): Promise<void> => rig.account.until(() => rig.account.opened > 0);

  it("is joined to the backend that it gets", async () => {
    const client = await rig.client();
    await client.send("early");
    await waiting();
    const server = await rig.backend();
    const choice = rig.balancer.pick(rig.balancer.flows[0]!);
    rig.balancer.tellFirst(choice);
    const backend = await server.next();
    await backend.receivedAtLeast(5);
    expect(backend.received.toString()).toBe("early");
  });

  it("is reset when there is none in time", async () => {
    const client = await rig.client();
    await waiting();
    rig.balancer.tellFirst({ kind: "refusal", reason: "queue-timeout" });
    await client.read().closed;
    await rig.ended();
    expect(client.errorCode).toBe("ECONNRESET");
    expect(rig.account.rejected).toEqual(["queue-timeout"]);
  });

  it("is reset at once when too many wait", async () => {
    rig.balancer.waiting = undefined;
    expect(await endOfClient()).toBe("ECONNRESET");
    expect(rig.account.rejected).toEqual(["backend-limit"]);
  });

  it("leaves when the listener ends", async () => {
    const client = await rig.client();
    await waiting();
    expect(rig.balancer.waiting).toHaveLength(1);
    rig.proxy.closeAll("shutdown");
    expect(rig.balancer.waiting).toHaveLength(0);
    await client.read().closed;
    await rig.ended();
  });
});

it("turns away sources that connect too often, before anything else is done for them", async () => {
  const asked: string[] = [];
  rig.account.rates = { connections: { admits: (address) => asked.push(address) < 2 } };
  await rig.joined();
  expect(await endOfClient()).toBe("ECONNRESET");
  expect(rig.account).toMatchObject({ opened: 1, rejected: ["rate-limit"] });
  expect(asked).toEqual(["127.0.0.1", "127.0.0.1"]);
});
