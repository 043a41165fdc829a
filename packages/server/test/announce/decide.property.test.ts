import assert from "node:assert/strict";

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import type { VipAbility } from "../../src/announce/ability.ts";
import { decide, NEW_VIP, type PeerAbility, type VipState, type WhenAllDown } from "../../src/announce/decide.ts";

/** One node as the others see it and as it sees them. */
class SimulatedNode {
  readonly name: string;
  canServe = false;
  canAnswer = true;
  isAlive = true;
  announces = false;
  /** What it has heard of the others; undefined until it has heard anything. */
  view: ReadonlyMap<string, PeerAbility> | undefined;
  #state: VipState = NEW_VIP;

  constructor(name: string) {
    this.name = name;
  }

  get record(): PeerAbility {
    const { canServe, servedUntilMs } = this.#state;
    return {
      node: this.name,
      canServe,
      canAnswer: this.canAnswer,
      announced: this.announces,
      ...(servedUntilMs !== undefined && { servedUntilMs }),
    };
  }

  get peers(): readonly PeerAbility[] {
    return [...(this.view?.values() ?? [])].filter(({ node }) => node !== this.name);
  }

  restart(): void {
    this.#state = NEW_VIP;
    this.announces = false;
    this.view = undefined;
    this.isAlive = true;
  }

  decide(whenAllDown: WhenAllDown, nowMs: number): void {
    const canServe = this.canServe && this.canAnswer;
    const own: VipAbility = {
      vip: "203.0.113.10",
      loadBalancerId: "lb",
      vipPool: "default",
      canServe,
      reason: canServe ? "" : "no healthy backend on this node",
      canAnswer: this.canAnswer,
      kernelOnly: false,
    };
    const { peers } = this;
    // Clocks of nodes differ.
    const epochMs = nowMs + this.name.length * 5000;
    const knowsPeers = this.view !== undefined;
    const { state, decision } = decide(this.#state, { own, peers, knowsPeers, whenAllDown, nowMs, epochMs });
    this.#state = state;
    this.announces = decision.announce;
  }
}

const NAMES = ["a", "bb", "cccc"];
const node = fc.nat(NAMES.length - 1);
const event = fc.oneof(
  fc.record({ kind: fc.constant("serve" as const), node, on: fc.boolean() }),
  fc.record({ kind: fc.constant("answer" as const), node, on: fc.boolean() }),
  fc.record({ kind: fc.constant("kill" as const), node }),
  fc.record({ kind: fc.constant("start" as const), node }),
  // Only this node hears what is so now; the others go on with what they knew.
  fc.record({ kind: fc.constant("hear" as const), node }),
  fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
);

class Cluster {
  readonly nodes = NAMES.map((name) => new SimulatedNode(name));
  readonly #whenAllDown: WhenAllDown;
  #nowMs = 0;

  constructor(whenAllDown: WhenAllDown) {
    this.#whenAllDown = whenAllDown;
  }

  get live(): readonly SimulatedNode[] {
    return this.nodes.filter(({ isAlive }) => isAlive);
  }

  apply(one: ReturnType<typeof event.generate>["value"]): void {
    if (one.kind === "wait") this.#nowMs += one.ms;
    else {
      const target = this.nodes[one.node] as SimulatedNode;
      if (one.kind === "serve") target.canServe = one.on;
      if (one.kind === "answer") target.canAnswer = one.on;
      if (one.kind === "kill") target.isAlive = false;
      if (one.kind === "start" && !target.isAlive) target.restart();
      if (one.kind === "hear") this.#tell(target);
    }
    this.decideAll();
  }

  /** Everybody decides by what it knows, and every decision is safe. */
  decideAll(): void {
    for (const one of this.live) {
      one.decide(this.#whenAllDown, this.#nowMs);
      const able = one.canServe && one.canAnswer;
      if (!one.canAnswer) assert(!one.announces, "announces where nobody would answer");
      if (!able && one.peers.some(({ canServe }) => canServe)) assert(!one.announces, "another can serve");
      if (!able && this.#whenAllDown === "withdraw") assert(!one.announces, "nobody asked for it");
    }
  }

  /** Everybody hears everything, until nothing changes any more; all within one moment. */
  settle(): void {
    for (let round = 0; round < 10; round++) {
      const before = this.live.map(({ announces }) => announces).join();
      for (const one of this.live) this.#tell(one);
      this.decideAll();
      if (round > 0 && this.live.map(({ announces }) => announces).join() === before) return;
    }
    throw new Error("the nodes do not come to rest");
  }

  #tell(target: SimulatedNode): void {
    target.view = new Map(this.live.map((one) => [one.name, one.record]));
  }
}

describe("whatever happens to three nodes", () => {
  const history = fc.array(event, { maxLength: 60 });

  test("somebody announces as long as somebody would answer, and only those who can serve while anybody can", () => {
    fc.assert(
      fc.property(history, (events) => {
        const cluster = new Cluster("announce");
        for (const one of events) cluster.apply(one);
        cluster.settle();
        const answering = cluster.live.filter(({ canAnswer }) => canAnswer);
        const serving = answering.filter(({ canServe }) => canServe);
        const announcing = cluster.live.filter(({ announces }) => announces);
        expect(announcing.length > 0).toBe(answering.length > 0);
        if (serving.length > 0) for (const one of announcing) expect(serving).toContain(one);
      }),
      { numRuns: 2000 },
    );
  });

  test("with whenAllDown withdraw, all that can serve announce once they have been steady", () => {
    fc.assert(
      fc.property(history, (events) => {
        const cluster = new Cluster("withdraw");
        for (const one of events) cluster.apply(one);
        cluster.settle();
        cluster.apply({ kind: "wait", ms: 30_000 });
        for (const one of cluster.live) expect(one.announces).toBe(one.canServe && one.canAnswer);
      }),
      { numRuns: 1000 },
    );
  });
});
