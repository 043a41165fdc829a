import { beforeEach, describe, expect, it } from "@jest/globals";

import { FlowBudget } from "../../../src/data/l4/flow-budget.ts";
import { writeDatagramProxyHeader } from "../../../src/data/l4/proxy-protocol.ts";
import { UdpRig, VIP } from "./udp-rig.ts";

let rig: UdpRig;
beforeEach(() => {
  rig = new UdpRig();
  rig.balancer.add("a", 9001);
  rig.balancer.add("b", 9002);
});

describe("a flow", () => {
  it("has a socket of its own towards its backend, and keeps it", () => {
    rig.send("one");
    rig.send("two");
    rig.send("other", { port: 5001 });
    expect(rig.datagrams.peers.map(({ peer, sent }) => ({ ...peer, sent }))).toEqual([
      { address: "127.0.0.1", port: 9001, sent: ["one", "two"] },
      { address: "127.0.0.1", port: 9001, sent: ["other"] },
    ]);
    expect(rig.flows).toBe(2);
  });

  it("is told apart by address and by port", () => {
    rig.send("x", { address: "198.51.100.7", port: 1 });
    rig.send("x", { address: "198.51.100.8", port: 1 });
    rig.send("x", { address: "2001:db8::7", port: 1 });
    rig.send("x", { address: "198.51.100.7", port: 2 });
    expect(rig.flows).toBe(4);
  });

  it("is chosen for by what its first datagram says", () => {
    rig.send("x", { address: "2001:db8::7", port: 1234 });
    expect(rig.balancer.flows).toEqual([{ clientAddress: "2001:db8::7", clientPort: 1234, vip: VIP, vipPort: 53 }]);
  });

  it("answers its own client, through the listener's socket", () => {
    rig.send("x", { port: 1 });
    rig.send("x", { port: 2 });
    const [first, second] = rig.datagrams.peers;
    second!.reply("for 2");
    first!.reply("for 1");
    first!.reply("again");
    expect(rig.socket.sent).toEqual(["198.51.100.7 2 for 2", "198.51.100.7 1 for 1", "198.51.100.7 1 again"]);
  });

  it("is counted, with its bytes, at the listener and at the backend", () => {
    rig.send("12345");
    rig.peer.reply("123");
    rig.peer.reply("");
    rig.send("1");
    expect(rig.account).toMatchObject({ opened: 1, bytesIn: 6, bytesOut: 3 });
    expect(rig.balancer.bytes).toEqual({ in: 6, out: 3 });
    expect(rig.balancer.log).toEqual(["a connected"]);
  });

  it("of a link-local client is judged without its zone, and answered with it", () => {
    rig.update({ allowedCidrs: ["fe80::/10"] });
    rig.send("x", { address: "fe80::1%eth0" });
    rig.peer.reply("y");
    expect(rig.balancer.flows[0]?.clientAddress).toBe("fe80::1");
    expect(rig.socket.sent).toEqual(["fe80::1%eth0 5000 y"]);
  });
});

describe("the idle timeout", () => {
  it("ends a flow on which nothing moves, whoever spoke last", () => {
    rig.send("x");
    clockBy(59_000);
    rig.peer.reply("y");
    clockBy(59_000);
    expect(rig.flows).toBe(1);
    rig.send("z");
    clockBy(59_000);
    expect(rig.flows).toBe(1);
    clockBy(6000);
    expect(rig.flows).toBe(0);
    expect(rig.datagrams.open).toEqual([]);
    expect(rig.balancer.log).toEqual(["a connected", "a released"]);
    expect(rig.account.rejected).toEqual([]);
  });

  it("leaves nothing of 10,000 clients with one question each", () => {
    rig = new UdpRig({}, new FlowBudget(20_000));
    rig.balancer.add("a", 9001);
    for (let i = 0; i < 10_000; i++) {
      rig.send("?", { address: `198.51.${100 + (i >> 13)}.7`, port: 1 + (i & 8191) });
      rig.peer.reply("!");
    }
    expect(rig.flows).toBe(10_000);
    clockBy(64_000);
    expect(rig.flows).toBe(0);
    expect(rig.datagrams.open).toEqual([]);
    expect(rig.clock.pending).toBe(0);
  });

  it("follows the configuration at once", () => {
    rig.send("x");
    rig.update({ clientIdleTimeoutMs: 1000 });
    clockBy(1100);
    expect(rig.flows).toBe(0);
  });
});

const clockBy = (ms: number): void => rig.clock.advance(ms);

describe("who is let in", () => {
  it("allowed CIDRs: others are dropped before a backend is asked for", () => {
    rig.update({ allowedCidrs: ["203.0.113.0/24", "2001:db8::/32"] });
    rig.send("x");
    rig.send("x");
    expect(rig.account.rejected).toEqual(["acl", "acl"]);
    expect(rig.balancer.flows).toEqual([]);
    rig.send("x", { address: "203.0.113.9" });
    rig.send("x", { address: "2001:db8::9" });
    expect(rig.flows).toBe(2);
  });

  it("rates of sources: new flows above them are dropped, those that stand are not touched", () => {
    let left = 1;
    rig.account.rates = { connections: { admits: () => left-- > 0 } };
    rig.send("x", { address: "203.0.113.9" });
    rig.send("x", { address: "203.0.113.8" });
    rig.send("x", { address: "203.0.113.9" });
    expect(rig.flows).toBe(1);
    expect(rig.account.rejected).toEqual(["rate-limit"]);
  });

  it("a client that is not allowed any more loses its flow at once, others don't", () => {
    rig.send("x", { address: "203.0.113.9" });
    rig.send("x");
    rig.update({ allowedCidrs: ["203.0.113.0/24"] });
    expect(rig.flows).toBe(1);
    rig.send("y", { address: "203.0.113.9" });
    expect(rig.datagrams.open.map(({ sent }) => sent)).toEqual([["x", "y"]]);
  });

  it("the connection limit is one of flows: known ones go on, new ones are dropped until one has ended", () => {
    rig.update({ connectionLimit: 2 });
    for (const port of [1, 2, 3, 1, 3]) rig.send("x", { port });
    expect(rig.account.rejected).toEqual(["connection-limit", "connection-limit"]);
    expect(rig.flows).toBe(2);
    clockBy(70_000);
    rig.send("x", { port: 3 });
    expect(rig.flows).toBe(1);
  });

  it("without a pool every datagram is dropped", () => {
    rig.pool = undefined;
    rig.send("x");
    expect(rig.account.rejected).toEqual(["no-pool"]);
    expect(rig.flows).toBe(0);
  });

  it.each([
    ["no-backend", "no-backend"],
    ["no-healthy-backend", "no-backend"],
    ["backend-limit", "backend-limit"],
  ] as const)("%s drops the datagram, is counted as %s and leaves no flow", (refusal, reason) => {
    rig.balancer.backends = [];
    rig.balancer.refusal = refusal;
    rig.send("x");
    expect(rig.account.rejected).toEqual([reason]);
    expect(rig.flows).toBe(0);
    expect(rig.clock.pending).toBe(0);
    rig.balancer.add("a", 9001);
    rig.send("y");
    expect(rig.peer.sent).toEqual(["y"]);
  });
});

describe("a backend that cannot be reached", () => {
  it("is left: the next datagram goes to another one, the flow stays", () => {
    rig.send("lost");
    rig.peer.refuse();
    expect(rig.datagrams.open).toEqual([]);
    rig.send("next");
    expect(rig.peer).toMatchObject({ peer: { port: 9002 }, sent: ["next"] });
    rig.peer.reply("here");
    expect(rig.socket.sent).toEqual(["198.51.100.7 5000 here"]);
    expect(rig.balancer.log).toEqual(["a connected", "a failed", "a released", "b connected"]);
    expect(rig.flows).toBe(1);
  });

  it("is tried again when all others have failed too", () => {
    for (const port of [9001, 9002, 9001, 9002]) {
      rig.send("x");
      expect(rig.peer.peer.port).toBe(port);
      rig.peer.refuse();
    }
    expect(rig.account.rejected).toEqual([]);
  });

  it("and is the only one gets every datagram, for it may be back", () => {
    rig.balancer.backends.pop();
    for (let i = 0; i < 3; i++) {
      rig.send("x");
      expect(rig.peer.sent).toEqual(["x"]);
      rig.peer.refuse();
    }
    expect(rig.datagrams.peers).toHaveLength(3);
  });

  it("leaves a flow that ends with the idle timeout if its client gives up", () => {
    rig.send("x");
    rig.peer.refuse();
    clockBy(64_000);
    expect(rig.flows).toBe(0);
  });

  it("and has no address is passed over at once", () => {
    delete (rig.balancer.backends[0] as { address?: string }).address;
    rig.send("x");
    expect(rig.peer).toMatchObject({ peer: { port: 9002 }, sent: ["x"] });
  });

  it("like all others of its pool: the datagram is dropped after three of them", () => {
    rig.balancer.backends = [];
    for (const id of ["a", "b", "c", "d"]) rig.balancer.add(id, 1);
    for (const backend of rig.balancer.backends) delete (backend as { address?: string }).address;
    rig.send("x");
    expect(rig.account.rejected).toEqual(["connect-failed"]);
    expect(rig.flows).toBe(0);
  });
});

describe("a backend that is taken away", () => {
  it("ends its flows at once; their next datagrams begin anew", () => {
    rig.send("x");
    const { peer } = rig;
    rig.balancer.backends.shift();
    rig.balancer.revoke("backend-down");
    expect(rig.flows).toBe(0);
    peer.reply("late");
    expect(rig.socket.sent).toEqual([]);
    rig.send("y");
    expect(rig.peer).toMatchObject({ peer: { port: 9002 }, sent: ["y"] });
    expect(rig.account).toMatchObject({ opened: 2, closed: 1 });
  });
});

describe("as many flows as there may be", () => {
  beforeEach(() => {
    rig = new UdpRig({}, new FlowBudget(3));
    rig.balancer.add("a", 9001);
  });

  it("the one that was silent for the longest time gives way, and is counted", () => {
    for (const port of [1, 2, 3]) {
      rig.send("x", { port });
      clockBy(1);
    }
    rig.send("again", { port: 1 });
    rig.send("x", { port: 4 });
    expect(rig.flows).toBe(3);
    expect(rig.account.rejected).toEqual(["flow-limit"]);
    expect(rig.datagrams.peers.map(({ isOpen }) => isOpen)).toEqual([true, false, true, true]);
  });

  it("a flood stays within the bound, and what it ended begins anew with its next datagram", () => {
    for (let port = 1; port <= 10_000; port++) rig.send("x", { port });
    expect(rig.flows).toBe(3);
    expect(rig.datagrams.open).toHaveLength(3);
    expect(rig.account.rejected).toHaveLength(9997);
    rig.send("back", { port: 1 });
    expect(rig.peer.sent).toEqual(["back"]);
  });

  it("the bound is one for all listeners of a worker: the one with the most flows gives way", () => {
    const other = new UdpRig({}, rig.budget);
    other.balancer.add("a", 9001);
    for (const port of [1, 2, 3]) rig.send("x", { port });
    other.send("x");
    expect(rig.proxy.active).toBe(2);
    expect(other.proxy.active).toBe(1);
    expect(rig.account.rejected).toEqual(["flow-limit"]);
    expect(other.account.rejected).toEqual([]);
  });
});

describe("a system without another socket", () => {
  it("gets one back from the oldest flow", () => {
    rig.datagrams.mostPeers = 2;
    for (const port of [1, 2, 3]) rig.send(`from ${port}`, { port });
    expect(rig.datagrams.open.map(({ sent }) => sent)).toEqual([["from 2"], ["from 3"]]);
    expect(rig.account.rejected).toEqual(["flow-limit"]);
    expect(rig.flows).toBe(2);
  });

  it("and without a flow to end drops the datagram", () => {
    rig.datagrams.mostPeers = 0;
    rig.send("x");
    expect(rig.account.rejected).toEqual(["flow-limit"]);
    expect(rig.flows).toBe(0);
    expect(rig.balancer.log).toEqual(["a released"]);
  });

  it("loses a flow that has to ask again and is the only one", () => {
    rig.send("x");
    rig.peer.refuse();
    rig.datagrams.mostPeers = 0;
    rig.send("y");
    expect(rig.flows).toBe(0);
    expect(rig.datagrams.open).toEqual([]);
    expect(rig.balancer.log.filter((line) => line.endsWith("released"))).toHaveLength(2);
  });
});

describe("what the system does not send", () => {
  it("is counted, to backends and to clients, and harms no flow", () => {
    rig.send("x");
    rig.peer.lose();
    rig.socket.handlers.onLoss(undefined as never);
    expect(rig.account.rejected).toEqual(["send-failed", "send-failed"]);
    expect(rig.flows).toBe(1);
  });
});

describe("the end of the listener", () => {
  it.each(["drain", "closeAll"] as const)(
    "%s ends every flow: without the listener's socket none has an answer",
    (end) => {
      for (const port of [1, 2, 3]) rig.send("x", { port });
      rig.proxy[end]();
      expect(rig.flows).toBe(0);
      expect(rig.datagrams.open).toEqual([]);
      expect(rig.clock.pending).toBe(0);
    },
  );
});

describe("backends that want to be told of clients", () => {
  it("get a header of version 2 before every datagram, and answer without one", () => {
    rig.balancer.sendProxyProtocol = "V2";
    rig.send("one");
    rig.send("two");
    const header = writeDatagramProxyHeader({
      source: { address: "198.51.100.7", port: 5000 },
      destination: { address: VIP, port: 53 },
    }).toString();
    expect(rig.peer.sent).toEqual([`${header}one`, `${header}two`]);
    expect(rig.account.bytesIn).toBe(6);
  });
});
