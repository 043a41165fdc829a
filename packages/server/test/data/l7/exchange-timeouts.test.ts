import { expect, it } from "@jest/globals";

import { expired, type ExchangeWait } from "../../../src/data/l7/exchange-timeouts.ts";

const waiting: ExchangeWait = {
  phase: "response",
  nowMs: 1000,
  deadlineMs: Infinity,
  quietMs: 0,
  backendIdleTimeoutMs: 60,
  clientIdleTimeoutMs: 50,
  isBackendsTurn: true,
  isBlocked: false,
};

it.each<[string, Partial<ExchangeWait>, number | undefined]>([
  ["nothing is over", {}, undefined],
  ["the response was to begin by now", { deadlineMs: 1000 }, 504],
  ["the response has begun in time", { deadlineMs: 1000, phase: "body" }, undefined],
  ["the backend is quiet", { quietMs: 60 }, 504],
  ["the backend is quiet, a moment before", { quietMs: 59 }, undefined],
  ["the backend may be quiet", { quietMs: 1e9, backendIdleTimeoutMs: 0 }, undefined],
  ["the backend is quiet in the middle of its response", { quietMs: 60, phase: "body" }, 504],
  ["the client does not send on", { quietMs: 50, isBackendsTurn: false }, 408],
  ["the client does not send on, a moment before", { quietMs: 49, isBackendsTurn: false }, undefined],
  ["the client does not take the response", { quietMs: 50, phase: "body", isBlocked: true }, 408],
  ["the client may be quiet", { quietMs: 1e9, isBackendsTurn: false, clientIdleTimeoutMs: 0 }, undefined],
  ["a tunnel is quiet", { quietMs: 50, phase: "tunnel" }, 408],
  ["a tunnel is past a deadline that was for the response", { deadlineMs: 1, phase: "tunnel" }, undefined],
])("%s", (_what, part, status) => expect(expired({ ...waiting, ...part })?.status).toBe(status));
