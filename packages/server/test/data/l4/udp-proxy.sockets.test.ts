import { afterEach, beforeEach, expect, it, jest } from "@jest/globals";

import { FlowBudget } from "../../../src/data/l4/flow-budget.ts";
import { UdpProxy } from "../../../src/data/l4/udp-proxy.ts";
import type { BoundSocket } from "../../../src/data/transport/datagram.ts";
import { createNodeDatagrams } from "../../../src/data/transport/node-datagrams.ts";
import { FakeClock } from "../../fake-clock.ts";
import { openUdpClient, startUdpServer, type UdpServer } from "../udp-peers.ts";
import { listenerUnit } from "../units.ts";
import { AccountLog, ScriptedBalancer } from "./proxy-rig.ts";

jest.setTimeout(60_000);

const MOST = 20;

let server: UdpServer;
let account: AccountLog;
let budget: FlowBudget;
let proxy: UdpProxy;
let socket: BoundSocket;

beforeEach(async () => {
  server = await startUdpServer("a");
  account = new AccountLog();
  budget = new FlowBudget(MOST);
  const transport = createNodeDatagrams();
  const balancer = new ScriptedBalancer();
  balancer.add("a", server.port);
  proxy = new UdpProxy({
    listener: listenerUnit({ protocol: "UDP" }),
    vip: "127.0.0.1",
    transport,
    clock: new FakeClock(),
    account,
    budget,
    balancer: () => balancer,
  });
  const handlers = { onDatagram: proxy.receive.bind(proxy), onLoss: () => proxy.onLoss() };
  socket = await transport.bind({ address: "127.0.0.1", port: 0, reusePort: true }, handlers);
});
afterEach(async () => {
  proxy.closeAll();
  await socket.close();
  await server.close();
});

it("a flood of clients beyond the bound: everybody is answered, no more than the bound is kept, nothing leaks", async () => {
  const clients = await Promise.all(Array.from({ length: 300 }, () => openUdpClient(socket.address, socket.port)));
  for (const client of clients) {
    expect(await client.ask("?")).toBe("a");
    expect(budget.total).toBeLessThanOrEqual(MOST);
  }
  expect(proxy.active).toBe(MOST);
  expect(account.rejected.filter((reason) => reason === "flow-limit").length).toBe(account.opened - MOST);
  // The first one lost its flow long ago, and has another one with its next datagram.
  expect(await clients[0]!.ask("again")).toBe("a");
  for (const client of clients) client.close();
  proxy.closeAll();
  expect(account.opened).toBe(account.closed);
  expect(budget.total).toBe(0);
});
