import { describe, expect, test } from "@jest/globals";

import { rankNodes } from "../../../src/announce/l2/rendezvous.ts";
import { type SimulatedNode, Simulation, type SimulationOptions } from "./simulation.ts";

const VIP = "192.0.2.1";
const RANKED = rankNodes(VIP, ["lb-1", "lb-2", "lb-3"]) as [string, string, string];

async function started(
  options: Partial<SimulationOptions> = {},
): Promise<{ simulation: Simulation; owner: SimulatedNode }> {
  const simulation = new Simulation({ seed: 7, vips: [VIP], ...options });
  await simulation.world.advance(2000);
  const [name, ...others] = simulation.owners();
  expect(others).toEqual([]);
  return { simulation, owner: simulation.node(name as string) };
}

/** Milliseconds until a node other than `not` has the VIP. */
async function takeover(simulation: Simulation, not: SimulatedNode): Promise<number> {
  const since = simulation.world.nowMs;
  while (simulation.world.nowMs - since < 20_000) {
    if (simulation.owners().some((owner) => owner !== not.name)) return simulation.world.nowMs - since;
    await simulation.world.advance(5);
  }
  throw new Error(`nobody but ${not.name} took the VIP within 20 s`);
}

describe("a VIP of three nodes on a link", () => {
  test("is on one of them, whose neighbours are told; the others say which", async () => {
    const { simulation, owner } = await started();
    expect(owner.told).toEqual([VIP]);
    expect(owner.announcer.state()).toMatchObject([{ vip: VIP, announced: true, reason: "" }]);
    for (const other of simulation.nodes.filter((node) => node !== owner))
      expect(other.announcer.state()).toMatchObject([{ announced: false, reason: `node ${owner.name} holds it` }]);
  });

  test("stays where it is while leases are renewed", async () => {
    const { simulation, owner } = await started({ preemptAfterMs: 0 });
    await simulation.world.advance(120_000);
    expect(simulation.owners()).toEqual([owner.name]);
    expect(owner.told).toEqual([VIP]);
  });

  test("moves to the node that ranks first once that was able to serve for long enough", async () => {
    const { simulation } = await started({ preemptAfterMs: 10_000 });
    await simulation.world.advance(11_000);
    expect(simulation.owners()).toEqual([RANKED[0]]);
    expect(simulation.overlaps).toEqual([]);
  });

  test("moves within four seconds when its owner is killed", async () => {
    const { simulation, owner } = await started();
    owner.kill();
    expect(await takeover(simulation, owner)).toBeLessThan(4000);
    expect(simulation.overlaps).toEqual([]);
  });

  test("moves within four seconds when its owner is stopped, which gives it up when it runs again", async () => {
    const { simulation, owner } = await started();
    owner.pause();
    expect(await takeover(simulation, owner)).toBeLessThan(4000);
    owner.resume();
    await simulation.world.advance(5000);
    expect(simulation.owners()).toHaveLength(1);
    expect(simulation.overlaps).toEqual([]);
  });

  test("moves within four seconds when its owner is cut off from the store, which gives it up by itself", async () => {
    const { simulation, owner } = await started();
    owner.isCut = true;
    expect(await takeover(simulation, owner)).toBeLessThan(4000);
    expect(owner.announcer.state()).toMatchObject([{ announced: false, reason: expect.stringContaining("lease") }]);
    expect(simulation.overlaps).toEqual([]);
  });

  test("moves at once when its owner drains, and comes back when all others do", async () => {
    const { simulation, owner } = await started();
    owner.announcer.setDraining(true);
    expect(await takeover(simulation, owner)).toBeLessThan(250);
    expect(owner.announcer.state()).toMatchObject([{ announced: false, reason: "node draining" }]);
    owner.announcer.setDraining(false);
    for (const other of simulation.nodes.filter((node) => node !== owner)) other.announcer.setDraining(true);
    await simulation.world.advance(500);
    expect(simulation.owners()).toEqual([owner.name]);
    expect(simulation.overlaps).toEqual([]);
  });

  test("moves when its owner loses its backends while others have theirs", async () => {
    const { simulation, owner } = await started();
    owner.can(VIP, false);
    expect(await takeover(simulation, owner)).toBeLessThan(250);
    expect(owner.announcer.state()).toMatchObject([{ reason: "no healthy backend on this node" }]);
  });

  test("stays when no node has backends, so that clients get an answer", async () => {
    const { simulation, owner } = await started();
    for (const node of simulation.nodes.filter((one) => one !== owner)) node.can(VIP, false);
    await simulation.world.advance(500);
    owner.can(VIP, false);
    await simulation.world.advance(5000);
    expect(simulation.owners()).toEqual([owner.name]);
  });

  test("moves when the interface of its owner goes down", async () => {
    const { simulation, owner } = await started();
    owner.linkReason = "interface eth0 is down";
    expect(await takeover(simulation, owner)).toBeLessThan(1000);
    expect(owner.announcer.state()).toMatchObject([{ reason: "interface eth0 is down" }]);
  });

  test("is nobody's while the store is away for all, and somebody's again when it is back", async () => {
    const { simulation, owner } = await started();
    for (const node of simulation.nodes) node.isCut = true;
    await simulation.world.advance(3500);
    expect(simulation.owners()).toEqual([]);
    expect(owner.announcer.state()).toMatchObject([{ announced: false }]);
    for (const node of simulation.nodes) node.isCut = false;
    await simulation.world.advance(6000);
    expect(simulation.owners()).toHaveLength(1);
    expect(simulation.overlaps).toEqual([]);
  });

  test("is given back by withdrawAll before it resolves, and taken by the next", async () => {
    const { simulation, owner } = await started();
    await Promise.all([owner.announcer.withdrawAll(), simulation.world.advance(7000)]);
    expect(owner.kernel.has(VIP)).toBe(false);
    expect(owner.announcer.state()).toMatchObject([{ announced: false }]);
    expect(simulation.owners()).toHaveLength(1);
    await Promise.all([owner.announcer.stop(), simulation.world.advance(5000)]);
    expect(simulation.overlaps).toEqual([]);
  });

  test("is not held on a claim that was given up, though this node never hears that the store knows", async () => {
    const { simulation, owner } = await started();
    owner.can(VIP, false);
    while (owner.kernel.has(VIP)) await simulation.world.advance(1);
    // The release arrives, its answer does not.
    owner.isDeafToTxns = true;
    owner.can(VIP, true);
    await simulation.world.advance(3000);
    expect(simulation.owners()).not.toContain(owner.name);
    expect(simulation.owners()).toHaveLength(1);
    expect(simulation.overlaps).toEqual([]);
  });

  test("leaves the store without a trace when its load balancer goes", async () => {
    const { simulation } = await started();
    expect(await simulation.owned()).toBe(1);
    for (const node of simulation.nodes) node.announcer.apply([]);
    await simulation.world.advance(1000);
    expect(simulation.owners()).toEqual([]);
    expect(await simulation.owned()).toBe(0);
    expect(simulation.nodes.map((node) => node.announcer.state())).toEqual([[], [], []]);
  });
});

test("a node alone with its store is taken over from at once, and its address stays meanwhile", async () => {
  const simulation = new Simulation({ seed: 5, vips: [VIP], nodes: 1, isStoreExclusive: true });
  await simulation.world.advance(2000);
  const [node] = simulation.nodes as [SimulatedNode];
  expect(node.kernel.has(VIP)).toBe(true);
  await Promise.all([node.announcer.stop(), simulation.world.advance(3000)]);
  expect(node.kernel.has(VIP)).toBe(true);
  node.boot([VIP], { isStoreExclusive: true });
  for (let steps = 0; steps < 100; steps += 1) {
    await simulation.world.advance(50);
    expect(node.kernel.has(VIP)).toBe(true);
  }
  expect(node.announcer.state()).toMatchObject([{ announced: true }]);
  await simulation.world.advance(60_000);
  expect(node.kernel.has(VIP)).toBe(true);
});

test("many VIPs are shared out among the nodes", async () => {
  const vips = Array.from({ length: 30 }, (_, at) => `192.0.2.${at + 1}`);
  const wanted = vips.map((vip) => rankNodes(vip, ["lb-1", "lb-2", "lb-3"])[0]);
  expect(new Set(wanted).size).toBe(3);
  const simulation = new Simulation({ seed: 3, vips, preemptAfterMs: 1000 });
  const owners = (): readonly string[] => vips.map((vip) => simulation.owners(vip).join());
  for (let steps = 0; steps < 60 && owners().join() !== wanted.join(); steps += 1) await simulation.world.advance(1000);
  expect(owners()).toEqual(wanted);
  expect(simulation.overlaps).toEqual([]);
});
