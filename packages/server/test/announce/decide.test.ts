import { describe, expect, test } from "@jest/globals";

import type { VipAbility } from "../../src/announce/ability.ts";
import { decide, type DecisionInput, NEW_VIP, type PeerAbility, type VipState } from "../../src/announce/decide.ts";

const ABLE: VipAbility = {
  vip: "203.0.113.10",
  loadBalancerId: "lb",
  vipPool: "default",
  canServe: true,
  reason: "",
  canAnswer: true,
  kernelOnly: false,
};
const UNABLE: VipAbility = { ...ABLE, canServe: false, reason: "no healthy backend on this node" };
const DRAINING: VipAbility = { ...UNABLE, canAnswer: false, reason: "node draining" };

function peer(part: Partial<PeerAbility> = {}): PeerAbility {
  return { node: "other", canServe: true, canAnswer: true, announced: true, ...part };
}

function input(part: Partial<DecisionInput> = {}): DecisionInput {
  return { own: ABLE, peers: [], knowsPeers: true, whenAllDown: "announce", nowMs: 0, epochMs: 1_000_000, ...part };
}

/** Decides for each input in turn. */
function run(...inputs: readonly Partial<DecisionInput>[]) {
  let state: VipState = NEW_VIP;
  return inputs.map((part) => {
    const out = decide(state, input(part));
    state = out.state;
    return out.decision;
  });
}

const last = <T>(list: readonly T[]): T => list.at(-1) as T;

describe("decide", () => {
  test("announces at once what this node can serve, whatever is known of others", () => {
    expect(run({ knowsPeers: false })).toEqual([{ announce: true, reason: "" }]);
    expect(run({ peers: [peer()] })).toEqual([{ announce: true, reason: "" }]);
  });

  test("withdraws at once what another node can serve and this one can't", () => {
    const decision = last(run({ peers: [peer()] }, { own: UNABLE, peers: [peer()], nowMs: 1 }));
    expect(decision).toEqual({ announce: false, reason: "no healthy backend on this node" });
  });

  test("goes on announcing what no node can serve", () => {
    const decision = last(run({}, { own: UNABLE, peers: [peer({ canServe: false })] }));
    expect(decision).toEqual({
      announce: true,
      reason: "no healthy backend on this node, nor on any other: announced so that clients get an answer",
    });
  });

  test("with whenAllDown withdraw it doesn't", () => {
    const decision = last(run({}, { own: UNABLE, whenAllDown: "withdraw" }));
    expect(decision).toEqual({ announce: false, reason: "no healthy backend on this node" });
  });

  test("leaves what no node can serve to the nodes that could last", () => {
    const lastServed = peer({ canServe: false, servedUntilMs: 1_060_000 });
    const decision = last(run({}, { own: UNABLE, epochMs: 1_000_000, peers: [lastServed] }));
    expect(decision.announce).toBe(false);
    expect(decision.reason).toContain("nodes that served it last announce it");
    const together = peer({ canServe: false, servedUntilMs: 1_009_000 });
    expect(last(run({}, { own: UNABLE, epochMs: 1_000_000, peers: [together] })).announce).toBe(true);
  });

  test("takes the place of nodes that could serve last and don't answer any more", () => {
    const gone = peer({ canServe: false, canAnswer: false, servedUntilMs: 1_060_000 });
    expect(last(run({}, { own: UNABLE, peers: [gone] })).announce).toBe(true);
  });

  test("announces what no node ever could serve", () => {
    expect(last(run({ own: UNABLE, peers: [peer({ canServe: false })] })).announce).toBe(true);
  });

  test("does not announce what it can't serve before it knows of the others", () => {
    const decision = last(run({ own: UNABLE, knowsPeers: false }));
    expect(decision.announce).toBe(false);
    expect(decision.reason).toContain("not known yet");
  });

  test("never announces where nobody would answer", () => {
    expect(run({}, { own: DRAINING })).toEqual([
      { announce: true, reason: "" },
      { announce: false, reason: "node draining" },
    ]);
  });
});

describe("damping", () => {
  /** Lost and back at once, every 100 ms, as often as told. */
  const flaps = (times: number, part: Partial<DecisionInput> = {}): Partial<DecisionInput>[] =>
    Array.from({ length: times }, (_, index) => [
      { ...part, own: UNABLE, nowMs: index * 100 },
      { ...part, nowMs: index * 100 + 1 },
    ]).flat();

  const others = { peers: [peer()] };

  test("costs nothing after the first loss", () => {
    expect(last(run(others, ...flaps(1, others)))).toEqual({ announce: true, reason: "" });
  });

  test.each([
    [2, 1000],
    [3, 2000],
    [4, 4000],
    [7, 30_000],
    [100, 30_000],
  ])("after %i losses keeps a VIP back for %i ms", (times, holdMs) => {
    const decisions = run(others, ...flaps(times, others));
    expect(last(decisions)).toEqual({
      announce: false,
      reason: "flapping: announced again once it has stayed up for a while",
      againInMs: holdMs,
    });
    const backMs = (times - 1) * 100 + 1;
    const later = run(others, ...flaps(times, others), { ...others, nowMs: backMs + holdMs - 1 });
    expect(last(later)).toMatchObject({ announce: false, againInMs: 1 });
    const over = run(others, ...flaps(times, others), { ...others, nowMs: backMs + holdMs });
    expect(last(over)).toEqual({ announce: true, reason: "" });
  });

  test("forgets what is long ago", () => {
    const decisions = run(
      others,
      ...flaps(5, others),
      { ...others, own: UNABLE, nowMs: 100_000 },
      { ...others, nowMs: 100_001 },
    );
    expect(last(decisions)).toEqual({ announce: true, reason: "" });
  });

  test("never leaves a VIP to nobody, unless that is what is asked for", () => {
    expect(last(run({}, ...flaps(5))).announce).toBe(true);
    const idle = { peers: [peer({ announced: false })] };
    expect(last(run(idle, ...flaps(5, idle))).announce).toBe(true);
    const withdraw = { whenAllDown: "withdraw" as const };
    expect(last(run(withdraw, ...flaps(5, withdraw))).announce).toBe(false);
  });

  test("does not take back what is announced already", () => {
    const alone = { peers: [peer({ canServe: false, announced: false })] };
    const decisions = run(alone, ...flaps(5, alone), { ...others, nowMs: 402 });
    expect(last(decisions)).toEqual({ announce: true, reason: "" });
  });
});
