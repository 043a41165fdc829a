import { expect, test } from "@jest/globals";

import { type Attempt, attempt, type Release } from "../../../src/health/probes/attempt.ts";
import type { ProbeResult } from "../../../src/health/probes/probe.ts";
import { FakeClock } from "../fake-clock.ts";

const target = { address: "192.0.2.1", port: 80, host: "192.0.2.1" };

function begin(start: (running: Attempt) => Release, signal = new AbortController().signal) {
  const clock = new FakeClock();
  const result: Promise<ProbeResult> = attempt(target, { clock, timeoutMs: 1500, signal }, start);
  return { clock, result };
}

test.each([
  ["pass, then fail", (running: Attempt) => (running.pass(), running.fail("late")), { passed: true, latencyMs: 0 }],
  [
    "fail, then pass",
    (running: Attempt) => (running.fail("first"), running.pass()),
    { passed: false, reason: "first" },
  ],
])("only the first verdict counts: %s", async (_, speak, expected) => {
  expect(await begin((running) => (speak(running), () => {})).result).toEqual(expected);
});

test.each(["at once", "later"])("what was opened is released once, when the verdict comes %s", async (when) => {
  let releases = 0;
  let speak = (): void => {};
  const { result } = begin((running) => {
    speak = () => running.pass();
    if (when === "at once") speak();
    return () => (releases += 1);
  });
  speak();
  await result;
  speak();
  expect(releases).toBe(1);
});

test.each([
  ["connection", "no connection with 192.0.2.1:80 within 1500 ms"],
  ["TLS handshake", "no TLS handshake with 192.0.2.1:80 within 1500 ms"],
  ["answer", "no answer from 192.0.2.1:80 within 1500 ms"],
] as const)("time is up while waiting for: %s", async (phase, reason) => {
  const { result, clock } = begin((running) => {
    running.awaiting = phase;
    return () => {};
  });
  clock.jump(1500);
  expect(await result).toEqual({ passed: false, reason });
});

test("where silence passes, the end of time is a pass", async () => {
  const { result, clock } = begin((running) => {
    running.silencePasses = true;
    return () => {};
  });
  clock.jump(1500);
  expect(await result).toEqual({ passed: true, latencyMs: 1500 });
});

test("an answer that came during a stall of this process still counts", async () => {
  let speak = (): void => {};
  const { result, clock } = begin((running) => {
    speak = () => running.pass();
    return () => {};
  });
  // As in Node's event loop: the late timer first, then what the sockets hold.
  clock.after(1500, () => speak());
  clock.stall(1600);
  expect(await result).toMatchObject({ passed: true });
});

test.each([
  [250, { passed: false, reason: "no connection with 192.0.2.1:80 within 1500 ms" }],
  [
    251,
    {
      passed: false,
      reason: "cannot check from here: this process was too busy, its timer came 251 ms late",
      inconclusive: true,
    },
  ],
])("silence judged %d ms late", async (lateMs, expected) => {
  const { result, clock } = begin(() => () => {});
  clock.stall(1500 + lateMs);
  expect(await result).toEqual(expected);
});

test("a check cancelled before it began opens nothing", async () => {
  let opened = false;
  const { result, clock } = begin(() => {
    opened = true;
    return () => {};
  }, AbortSignal.abort());
  expect(await result).toMatchObject({ passed: false, inconclusive: true });
  expect([opened, clock.pending]).toEqual([false, 0]);
});

const errorWith = (code: string, message = `connect ${code} 192.0.2.1:80`): Error =>
  Object.assign(new Error(message), { code });

test.each([
  ["ECONNREFUSED", "connect ECONNREFUSED", "connection refused by 192.0.2.1:80"],
  ["ECONNRESET", "read ECONNRESET", "connection reset by 192.0.2.1:80 before the connection"],
  ["ECONNRESET", "socket hang up", "connection closed by 192.0.2.1:80 before the connection"],
  ["EHOSTUNREACH", "connect EHOSTUNREACH", "no way to 192.0.2.1:80: host unreachable"],
  ["ENETUNREACH", "connect ENETUNREACH", "no way to 192.0.2.1:80: network unreachable"],
  ["CERT_HAS_EXPIRED", "certificate has expired", "TLS: certificate has expired"],
  ["ERR_INVALID_ARG_VALUE", "bad", "check of 192.0.2.1:80 failed: bad"],
])("explains %s (%s)", async (code, message, reason) => {
  const { result } = begin((running) => (running.error(errorWith(code, message)), () => {}));
  expect(await result).toEqual({ passed: false, reason });
});

test("explains what is no error at all", async () => {
  const { result } = begin((running) => (running.error("odd"), () => {}));
  expect(await result).toEqual({ passed: false, reason: "check of 192.0.2.1:80 failed: odd" });
});

test.each(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"])("%s is this node's own shortage: inconclusive", async (code) => {
  const { result } = begin((running) => (running.error(errorWith(code)), () => {}));
  expect(await result).toMatchObject({ inconclusive: true, reason: expect.stringContaining(code) });
});
