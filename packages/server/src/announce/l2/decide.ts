/**
 * What a node does about one VIP of the link: claim it, hold it, give it back, or leave it to others. Pure.
 */
import type { WhenAllDown } from "../decide.ts";
import { rankNodes } from "./rendezvous.ts";

/** What stands in the store about a VIP's owner. */
export interface Ownership {
  readonly node: string;
  /** Claimed under this process's own lease. */
  readonly isMine: boolean;
  /** Given back: the address is off that node's link, anybody may claim it at once. */
  readonly isReleased: boolean;
}

/** What nodes can do for a VIP. */
export interface Candidates {
  /** Nodes that can serve it, and since when; monotonic. */
  readonly serving: ReadonlyMap<string, number>;
  /** Nodes that cannot, but where clients get a 503 or a reset instead of no answer. */
  readonly answering: readonly string[];
}

/** What a decision goes by. */
export interface VipFacts {
  readonly vip: string;
  /** This node's name. */
  readonly self: string;
  /** Of all nodes that live, this one included when it is one. */
  readonly candidates: Candidates;
  /** Why this node can't have it; empty when it can. */
  readonly ownReason: string;
  readonly owner: Ownership | undefined;
  /** When it was seen first that nobody has it; monotonic. */
  readonly freeSinceMs: number;
  /** Since when this node has it, monotonic; means something only while it has. */
  readonly heldSinceMs: number;
  readonly nowMs: number;
}

/** How VIPs are shared out. */
export interface SharingRules {
  /** A node of a higher rank gets a VIP back after it was able to serve it for so long; 0: never. */
  readonly preemptAfterMs: number;
  readonly whenAllDown: WhenAllDown;
  /** The store is this process's alone: whoever else stands there is a process that is no more. */
  readonly isStoreExclusive: boolean;
}

/** What to do. */
export type Decision =
  | { readonly kind: "claim" }
  /** Keep it, and look again after `againInMs`. */
  | { readonly kind: "hold"; readonly againInMs?: number }
  | { readonly kind: "release"; readonly reason: string }
  /** Not now, for this reason; look again after `againInMs`. */
  | { readonly kind: "leave"; readonly reason: string; readonly againInMs?: number };

/**
 * A node waits so long for each that ranks before it: one that is dead but not yet known to be must not keep a VIP from
 * everybody, and those that live should not race.
 */
export const TURN_MS = 100;

/** Decides about one VIP. */
export function decide(facts: VipFacts, rules: SharingRules): Decision {
  const ranked = rank(facts, rules.whenAllDown);
  const { owner } = facts;
  if (owner?.isMine === true && !owner.isReleased) return keepOrRelease(facts, ranked, rules);
  if (owner !== undefined && !owner.isReleased && !rules.isStoreExclusive) return leaveToOwner(facts, owner);
  return claimOrLeave(facts, ranked);
}

/** Who should have it, best first. While nobody can serve it, those that at least answer. */
function rank({ vip, self, candidates, owner }: VipFacts, whenAllDown: WhenAllDown): readonly string[] {
  // A node that has given it back does not want it, whatever it said last of itself.
  const wants = (node: string): boolean => node === self || owner?.isReleased !== true || node !== owner.node;
  const serving = [...candidates.serving.keys()].filter(wants);
  if (serving.length > 0) return rankNodes(vip, serving);
  return whenAllDown === "announce" ? rankNodes(vip, candidates.answering.filter(wants)) : [];
}

function keepOrRelease(facts: VipFacts, ranked: readonly string[], { preemptAfterMs }: SharingRules): Decision {
  const { self, ownReason, candidates, heldSinceMs, nowMs } = facts;
  if (!ranked.includes(self)) return { kind: "release", reason: ownReason || "other nodes can serve it" };
  const [first = self] = ranked;
  const ableSinceMs = candidates.serving.get(first);
  if (first === self || ableSinceMs === undefined || preemptAfterMs === 0) return { kind: "hold" };
  // Not again at once, if the other one did not take it: it may be dead without being known to be.
  const againInMs = Math.max(ableSinceMs, heldSinceMs) + preemptAfterMs - nowMs;
  if (againInMs > 0) return { kind: "hold", againInMs };
  return { kind: "release", reason: `node ${first} ranks before this one and can serve it again` };
}

function leaveToOwner({ self, ownReason }: VipFacts, { node }: Ownership): Decision {
  const former = "a former process of this node holds it until its lease ends";
  return { kind: "leave", reason: ownReason || (node === self ? former : `node ${node} holds it`) };
}

function claimOrLeave(facts: VipFacts, ranked: readonly string[]): Decision {
  const { self, ownReason, freeSinceMs, nowMs } = facts;
  const place = ranked.indexOf(self);
  if (place === -1) return { kind: "leave", reason: ownReason || "other nodes can serve it" };
  const againInMs = freeSinceMs + place * TURN_MS - nowMs;
  if (againInMs <= 0) return { kind: "claim" };
  return { kind: "leave", reason: `node ${ranked[0]} ranks before this one`, againInMs };
}
