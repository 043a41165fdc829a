import { describe, expect, test } from "@jest/globals";

import {
  decide,
  type Decision,
  type Ownership,
  type SharingRules,
  TURN_MS,
  type VipFacts,
} from "../../../src/announce/l2/decide.ts";
import { rankNodes } from "../../../src/announce/l2/rendezvous.ts";

const VIP = "192.0.2.1";
const [FIRST, SECOND, THIRD] = rankNodes(VIP, ["lb-1", "lb-2", "lb-3"]) as [string, string, string];
const RULES: SharingRules = { preemptAfterMs: 60_000, whenAllDown: "announce", isStoreExclusive: false };
const NOW = 100_000;

interface Given {
  readonly self?: string;
  /** Nodes that can serve, since 50 s. */
  readonly serving?: readonly string[];
  readonly answering?: readonly string[];
  readonly ownReason?: string;
  readonly owner?: Ownership;
  readonly facts?: Partial<VipFacts>;
  readonly rules?: Partial<SharingRules>;
}

function decided({ self = FIRST, serving = [FIRST, SECOND, THIRD], answering = [], ...given }: Given): Decision {
  const facts: VipFacts = {
    vip: VIP,
    self,
    candidates: { serving: new Map(serving.map((node) => [node, NOW - 50_000])), answering },
    ownReason: given.ownReason ?? "",
    owner: given.owner,
    freeSinceMs: NOW,
    heldSinceMs: NOW - 50_000,
    nowMs: NOW,
    ...given.facts,
  };
  return decide(facts, { ...RULES, ...given.rules });
}

const mine: Ownership = { node: SECOND, isMine: true, isReleased: false };
const other = (node: string): Ownership => ({ node, isMine: false, isReleased: false });
const released = (node: string): Ownership => ({ node, isMine: false, isReleased: true });

describe("a VIP that nobody has", () => {
  test("is claimed at once by the node that ranks first", () => {
    expect(decided({ self: FIRST })).toEqual({ kind: "claim" });
  });

  test("is left to nodes of a higher rank for a moment each", () => {
    const reason = `node ${FIRST} ranks before this one`;
    expect(decided({ self: SECOND })).toEqual({ kind: "leave", reason, againInMs: TURN_MS });
    expect(decided({ self: THIRD })).toEqual({ kind: "leave", reason, againInMs: 2 * TURN_MS });
    expect(decided({ self: THIRD, facts: { freeSinceMs: NOW - 200 } })).toEqual({ kind: "claim" });
  });

  test("is not left to the node that gave it back", () => {
    expect(decided({ self: SECOND, owner: released(FIRST) })).toEqual({ kind: "claim" });
  });

  test("is not claimed by a node that can't serve it while others can", () => {
    const given = { self: THIRD, serving: [FIRST], answering: [THIRD], ownReason: "no healthy backend on this node" };
    expect(decided(given)).toEqual({ kind: "leave", reason: "no healthy backend on this node" });
  });

  test("is claimed by a node that answers when none can serve it, unless told to withdraw", () => {
    const given = { self: THIRD, serving: [], answering: [THIRD], ownReason: "no healthy backend on this node" };
    expect(decided(given)).toEqual({ kind: "claim" });
    expect(decided({ ...given, rules: { whenAllDown: "withdraw" } })).toMatchObject({ kind: "leave" });
  });
});

describe("a VIP of another node", () => {
  test("is left to it, with its name as the reason", () => {
    expect(decided({ self: FIRST, owner: other(SECOND) })).toEqual({
      kind: "leave",
      reason: `node ${SECOND} holds it`,
    });
  });

  test("has this node's own reason where there is one", () => {
    const given = { self: FIRST, owner: other(SECOND), ownReason: "node draining", serving: [SECOND] };
    expect(decided(given)).toEqual({ kind: "leave", reason: "node draining" });
  });

  test("that is this node under another lease is waited for", () => {
    expect(decided({ self: FIRST, owner: other(FIRST) })).toMatchObject({
      kind: "leave",
      reason: "a former process of this node holds it until its lease ends",
    });
  });

  test("is claimed in a store that only this process can have open", () => {
    expect(decided({ self: FIRST, owner: other(FIRST), rules: { isStoreExclusive: true } })).toEqual({ kind: "claim" });
  });
});

describe("a VIP of this node", () => {
  const own = { self: SECOND, owner: mine };

  test("is kept, and looked at again when a node of a higher rank will have been able for long enough", () => {
    expect(decided(own)).toEqual({ kind: "hold", againInMs: 10_000 });
    expect(decided({ ...own, serving: [SECOND, THIRD] })).toEqual({ kind: "hold" });
    expect(decided({ ...own, rules: { preemptAfterMs: 0 } })).toEqual({ kind: "hold" });
  });

  test("is given to a node of a higher rank that was able for long enough, if it was kept for as long", () => {
    const facts = { nowMs: NOW + 10_000 };
    const reason = `node ${FIRST} ranks before this one and can serve it again`;
    expect(decided({ ...own, facts })).toEqual({ kind: "release", reason });
    expect(decided({ ...own, facts: { ...facts, heldSinceMs: NOW } })).toEqual({ kind: "hold", againInMs: 50_000 });
  });

  test("is given up when this node can't serve it and another one can", () => {
    const given = { ...own, serving: [THIRD], answering: [SECOND], ownReason: "no healthy backend on this node" };
    expect(decided(given)).toEqual({ kind: "release", reason: "no healthy backend on this node" });
  });

  test("is kept when no node can serve it, so that clients get an answer", () => {
    const given = { ...own, serving: [], answering: [FIRST, SECOND], ownReason: "no healthy backend on this node" };
    expect(decided(given)).toEqual({ kind: "hold" });
    expect(decided({ ...given, rules: { whenAllDown: "withdraw" } })).toMatchObject({ kind: "release" });
  });

  test("is given up when this node does not even answer, though nobody else does", () => {
    const given = { ...own, serving: [], ownReason: "node draining" };
    expect(decided(given)).toEqual({ kind: "release", reason: "node draining" });
  });
});
