import type { RejectReason } from "../data-plane.ts";

/** What an exchange waits for, and for how long it has. */
export interface ExchangeWait {
  readonly phase: "response" | "body" | "tunnel";
  /** Monotonic milliseconds. */
  readonly nowMs: number;
  /** By when the response must have begun. */
  readonly deadlineMs: number;
  /** How long neither side has moved a byte. */
  readonly quietMs: number;
  /** 0 = never. */
  readonly backendIdleTimeoutMs: number;
  /** 0 = never. */
  readonly clientIdleTimeoutMs: number;
  /** The client has sent all of its request, or the backend does not take what it sends. */
  readonly isBackendsTurn: boolean;
  /** The client does not take the response. */
  readonly isBlocked: boolean;
}

/** The answer of an exchange that took too long, and whose fault it is. */
export interface ExchangeTimeout {
  readonly status: 408 | 504;
  readonly reason: RejectReason;
}

const OF_BACKEND: ExchangeTimeout = { status: 504, reason: "backend-timeout" };
const OF_CLIENT: ExchangeTimeout = { status: 408, reason: "client-timeout" };

/** Which timeout is over, if any: that of the side whose turn it is. Pure. */
export function expired(wait: ExchangeWait): ExchangeTimeout | undefined {
  const { phase, quietMs, backendIdleTimeoutMs, clientIdleTimeoutMs, isBackendsTurn, isBlocked } = wait;
  if (phase === "response" && wait.nowMs >= wait.deadlineMs) return OF_BACKEND;
  const isClientQuiet = clientIdleTimeoutMs > 0 && quietMs >= clientIdleTimeoutMs;
  if (phase === "tunnel") return isClientQuiet ? OF_CLIENT : undefined;
  const isBackendQuiet = backendIdleTimeoutMs > 0 && quietMs >= backendIdleTimeoutMs;
  if (isBackendsTurn && !isBlocked) return isBackendQuiet ? OF_BACKEND : undefined;
  return isClientQuiet ? OF_CLIENT : undefined;
}
