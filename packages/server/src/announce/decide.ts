/**
 * Whether this node announces a VIP: what it can do, what the others can do, and how steady it was lately. Pure.
 */
import type { VipAbility } from "./ability.ts";
import { type DampingState, heldForMs, noteLoss } from "./damping.ts";

/** What a node tells the others about one VIP. */
export interface PeerAbility {
  readonly node: string;
  readonly canServe: boolean;
  readonly canAnswer: boolean;
  readonly announced: boolean;
  /** When it stopped to be able to serve, milliseconds since 1970 by its own clock; absent: it can, or never could. */
  readonly servedUntilMs?: number;
}

/** What happens while no node can serve a VIP: clients get 503 or a reset from some, or find no route. */
export type WhenAllDown = "announce" | "withdraw";

/** What is remembered of a VIP between two decisions. */
export interface VipState {
  readonly canServe: boolean;
  readonly announced: boolean;
  /** See {@link PeerAbility.servedUntilMs}. */
  readonly servedUntilMs?: number;
  readonly damping: DampingState;
}

/** Before the first decision. */
export const NEW_VIP: VipState = { canServe: false, announced: false, damping: { lossesMs: [] } };

/** What a decision goes by. */
export interface DecisionInput {
  readonly own: VipAbility;
  /** Of the other nodes that live, as known last. */
  readonly peers: readonly PeerAbility[];
  /** Whether it was ever learnt what other nodes can do. */
  readonly knowsPeers: boolean;
  readonly whenAllDown: WhenAllDown;
  /** Monotonic. */
  readonly nowMs: number;
  /** Milliseconds since 1970. */
  readonly epochMs: number;
}

/** What is decided. */
export interface Decision {
  readonly announce: boolean;
  /** Why it is not announced, or why it is although this node can't serve it; empty otherwise. */
  readonly reason: string;
  /** Look again after so long, even if nothing happens. */
  readonly againInMs?: number;
}

/**
 * Nodes that stopped to be able to serve within so long before the last one count as having stopped together: checks of
 * one backend by several nodes fail at different times.
 */
export const TOGETHER_MS = 10_000;

/** Decides about one VIP. Deciding again with the same input and the state that came out changes nothing. */
export function decide(
  before: VipState,
  input: DecisionInput,
): { readonly state: VipState; readonly decision: Decision } {
  const state = observe(before, input);
  const decision = judge(state, input);
  return { state: { ...state, announced: decision.announce }, decision };
}

function observe(before: VipState, { own, nowMs, epochMs }: DecisionInput): VipState {
  const { announced, damping } = before;
  if (own.canServe) {
    const ableSinceMs = before.canServe ? (damping.ableSinceMs ?? nowMs) : nowMs;
    return { canServe: true, announced, damping: { ...damping, ableSinceMs } };
  }
  if (before.canServe) return { canServe: false, announced, servedUntilMs: epochMs, damping: noteLoss(damping, nowMs) };
  return { ...before, canServe: false };
}

function judge(state: VipState, input: DecisionInput): Decision {
  const { own, peers, whenAllDown, knowsPeers } = input;
  if (!own.canAnswer) return { announce: false, reason: own.reason };
  if (own.canServe) return damped(state, input);
  // Also when it was announced until now: a withdrawal waits for nothing.
  if (peers.some(({ canServe }) => canServe) || whenAllDown === "withdraw")
    return { announce: false, reason: own.reason };
  if (!knowsPeers) return { announce: false, reason: `${own.reason}; what other nodes can serve is not known yet` };
  if (!isOfLastSet(state, peers))
    return { announce: false, reason: `${own.reason}; nodes that served it last announce it` };
  return { announce: true, reason: `${own.reason}, nor on any other: announced so that clients get an answer` };
}

function damped(state: VipState, { peers, whenAllDown, nowMs }: DecisionInput): Decision {
  const heldMs = heldForMs(state.damping, nowMs);
  const isSpared = whenAllDown === "announce" && !peers.some((peer) => peer.canServe && peer.announced);
  // What is announced already, or would be by nobody, gains nothing by waiting.
  if (heldMs === 0 || state.announced || isSpared) return { announce: true, reason: "" };
  const reason = "flapping: announced again once it has stayed up for a while";
  return { announce: false, reason, againInMs: heldMs };
}

/** Whether this node is one of those that announced when nobody could serve any more, as far as they live and answer. */
function isOfLastSet({ servedUntilMs = Number.NEGATIVE_INFINITY }: VipState, peers: readonly PeerAbility[]): boolean {
  const others = peers
    .filter(({ canAnswer }) => canAnswer)
    .map((peer) => peer.servedUntilMs ?? Number.NEGATIVE_INFINITY);
  return servedUntilMs >= Math.max(...others, servedUntilMs) - TOGETHER_MS;
}
