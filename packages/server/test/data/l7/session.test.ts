import { createHmac } from "node:crypto";

import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import {
  decideSession,
  type Hmac,
  ownCookieName,
  PoolSessions,
  type SessionResponse,
  signSession,
} from "../../../src/data/l7/session.ts";
import type { SessionUnit } from "../../../src/snapshot/snapshot.ts";

const hmacOf =
  (key: string): Hmac =>
  (bytes) =>
    createHmac("sha256", key).update(bytes).digest();
const hmac = hmacOf("key");

const lb: SessionUnit = { type: "LB_COOKIE", cookieName: "FIBERLB", timeoutS: 0 };
const app: SessionUnit = { type: "APP_COOKIE", cookieName: "sid", timeoutS: 0 };

const sessions = (session: SessionUnit, { poolId = "pool", backendIds = ["b1", "b2"], keys = ["key"] } = {}) =>
  new PoolSessions({ poolId, session, backendIds, hmacs: keys.map(hmacOf) as [Hmac, ...Hmac[]] });

const response = (given: Partial<SessionResponse> = {}): SessionResponse => ({
  backendId: "b1",
  setCookies: [],
  secure: false,
  requestBackendId: undefined,
  nowMs: Date.parse("2026-06-01T00:00:00Z"),
  ...given,
});

/** The cookie as a client sends it back. */
const sentBack = (setCookie: string | undefined): string => (setCookie ?? "").split(";")[0]!;

describe("signSession", () => {
  it("is the same for the same backend and key, and different for every other", () => {
    const subject = { poolId: "pool", backendId: "b1" };
    const value = signSession(subject, hmac);
    expect(value).toMatch(/^[\w-]{24}$/);
    expect(signSession(subject, hmac)).toBe(value);
    const others = [
      signSession({ ...subject, backendId: "b2" }, hmac),
      signSession({ ...subject, poolId: "other" }, hmac),
      signSession(subject, hmacOf("other")),
    ];
    expect(new Set([value, ...others]).size).toBe(4);
  });

  it("tells nothing of the backend", () => {
    const value = signSession({ poolId: "pool", backendId: "10.0.0.1" }, hmac);
    expect(Buffer.from(value, "base64url").toString("latin1")).not.toContain("10.0.0.1");
  });

  it("refuses a hash that is too short", () => {
    expect(() => signSession({ poolId: "p", backendId: "b" }, () => new Uint8Array(8))).toThrow(/has 8 bytes, not 18/);
  });
});

describe("LB_COOKIE", () => {
  it("brings a client back to its backend", () => {
    const here = sessions(lb);
    for (const backendId of ["b1", "b2"]) {
      const cookie = sentBack(here.setCookieFor(response({ backendId })));
      expect(sessions(lb).backendOf([`other=1; ${cookie}`])).toBe(backendId);
    }
  });

  it("is set once, and again when the client moved", () => {
    const here = sessions(lb);
    expect(here.setCookieFor(response())).toMatch(/^FIBERLB=[\w-]{24}; Path=\/; HttpOnly; SameSite=Lax$/);
    expect(here.setCookieFor(response({ requestBackendId: "b1" }))).toBeUndefined();
    expect(here.setCookieFor(response({ requestBackendId: "b2" }))).toBeDefined();
  });

  it("is set with every response when it has a lifetime", () => {
    const here = sessions({ ...lb, timeoutS: 300 });
    expect(here.setCookieFor(response({ requestBackendId: "b1" }))).toContain("; Max-Age=300;");
  });

  it("is Secure over TLS", () => {
    expect(sessions(lb).setCookieFor(response({ secure: true }))).toMatch(/; Secure$/);
  });

  it("is understood after its key was rotated, and set with the new one", () => {
    const old = sentBack(sessions(lb, { keys: ["old"] }).setCookieFor(response()));
    const rotated = sessions(lb, { keys: ["new", "old"] });
    expect(rotated.backendOf([old])).toBe("b1");
    expect(sentBack(rotated.setCookieFor(response()))).not.toBe(old);
    expect(sessions(lb, { keys: ["new"] }).backendOf([old])).toBeUndefined();
  });

  it("is of no use in another pool, nor when its backend is gone", () => {
    const cookie = sentBack(sessions(lb).setCookieFor(response()));
    expect(sessions(lb, { poolId: "other" }).backendOf([cookie])).toBeUndefined();
    expect(sessions(lb, { backendIds: ["b2"] }).backendOf([cookie])).toBeUndefined();
    expect(sessions(lb, { backendIds: ["b2"] }).setCookieFor(response())).toBeUndefined();
  });

  it("that is broken does not hide a good one", () => {
    const cookie = sentBack(sessions(lb).setCookieFor(response()));
    expect(sessions(lb).backendOf([`FIBERLB=junk; ${cookie}`])).toBe("b1");
  });

  it("cannot be made up", () => {
    const here = sessions(lb);
    const good = sentBack(here.setCookieFor(response())).slice("FIBERLB=".length);
    fc.assert(
      fc.property(
        fc.string({ maxLength: 40 }),
        fc.nat(23),
        fc.constantFrom("a", "B", "3", "_", "-"),
        (text, at, character) => {
          fc.pre(good[at] !== character);
          expect(here.backendOf([`FIBERLB=${text}`])).toBeUndefined();
          expect(here.backendOf([`FIBERLB=${good.slice(0, at)}${character}${good.slice(at + 1)}`])).toBeUndefined();
        },
      ),
    );
  });
});

describe("APP_COOKIE", () => {
  const here = sessions(app);
  const begun = here.setCookieFor(response({ setCookies: ["lang=de", "sid=42; HttpOnly"] }));

  it("begins a session when the backend sets its cookie, with one of our own beside it", () => {
    expect(begun).toMatch(/^FIBERLB-sid=[\w-]{24}; Path=\/; HttpOnly; SameSite=Lax$/);
    expect(here.setCookieFor(response({ setCookies: ["lang=de"] }))).toBeUndefined();
    expect(here.setCookieFor(response())).toBeUndefined();
  });

  it("keeps a client while it has both cookies", () => {
    expect(here.backendOf([`sid=42; ${sentBack(begun)}`])).toBe("b1");
    expect(here.backendOf([sentBack(begun)])).toBeUndefined();
    expect(here.backendOf(["sid=42"])).toBeUndefined();
  });

  it("ends the session when the backend removes its cookie", () => {
    expect(here.setCookieFor(response({ setCookies: ["sid=; Max-Age=0"] }))).toContain("; Max-Age=0;");
    const expired = "sid=; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    expect(here.setCookieFor(response({ setCookies: [expired] }))).toContain("; Max-Age=0;");
  });

  it("goes by the last of several", () => {
    expect(here.setCookieFor(response({ setCookies: ["sid=; Max-Age=0", "sid=43"] }))).not.toContain("Max-Age");
  });

  it("lives as long as configured", () => {
    const timed = sessions({ ...app, timeoutS: 60 });
    expect(timed.setCookieFor(response({ setCookies: ["sid=1"] }))).toContain("; Max-Age=60;");
  });
});

it.each([
  [lb, "FIBERLB"],
  [{ ...lb, cookieName: "stick" }, "stick"],
  [app, "FIBERLB-sid"],
] as const)("names our cookie for %j", (session, name) => {
  expect(ownCookieName(session)).toBe(name);
  expect(sessions(session).cookieName).toBe(name);
});

describe("decideSession", () => {
  const fine = { health: "ONLINE", isLeaving: false, hasLeft: false, isFull: false } as const;
  it.each([
    ["keep", "is fine", fine],
    ["keep", "is not monitored", { ...fine, health: "NO_MONITOR" }],
    ["keep", "has no verdict so far", { ...fine, health: "UNKNOWN" }],
    ["keep", "drains", { ...fine, isLeaving: true }],
    ["detour", "is full", { ...fine, isFull: true }],
    ["end", "has drained", { ...fine, isLeaving: true, hasLeft: true }],
    ["end", "is down", { ...fine, health: "OFFLINE" }],
    ["end", "is down while it drains", { ...fine, health: "OFFLINE", isLeaving: true }],
    ["end", "is down and full", { ...fine, health: "OFFLINE", isFull: true }],
  ] as const)("%ss the session when the backend %s", (decision, _how, backend) => {
    expect(decideSession(backend)).toBe(decision);
  });
});
