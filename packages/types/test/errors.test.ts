import { describe, expect, it } from "@jest/globals";

import * as errors from "../src/index.ts";

describe("domain errors", () => {
  it.each([
    [errors.notFound("listener", "019a"), "not-found", "listener 019a does not exist"],
    [errors.alreadyExists("VIP 203.0.113.7"), "already-exists", "VIP 203.0.113.7 is in use"],
    [
      errors.failedPrecondition("delete", "load balancer web", "it has 2 listeners; use cascade"),
      "failed-precondition",
      "cannot delete load balancer web: it has 2 listeners; use cascade",
    ],
    [
      errors.aborted("pool app", { sent: 3, current: 5 }),
      "aborted",
      "pool app has changed: revision 3 was sent, 5 is current; read it again and repeat the change",
    ],
    [
      errors.exhausted("VIP pool default", "all 254 addresses are in use"),
      "exhausted",
      "VIP pool default is exhausted: all 254 addresses are in use",
    ],
    [errors.unauthenticated("the token has expired"), "unauthenticated", "the token has expired"],
    [
      errors.permissionDenied("list nodes", "role admin is needed"),
      "permission-denied",
      "not allowed to list nodes: role admin is needed",
    ],
    [errors.unavailable("the store"), "unavailable", "the store is not available; try again"],
  ] as const)("%s", (error, kind, message) => {
    expect(error).toBeInstanceOf(errors.DomainError);
    expect(error).toMatchObject({ name: "DomainError", kind, message });
  });

  it("invalid lists every violation, in the message and for programs", () => {
    const violations = [
      { field: "port", description: "is required", reason: "REQUIRED" },
      { field: "http.path", description: "must be short", reason: "TOO_LONG" },
    ] as const;
    expect(errors.invalid(violations)).toMatchObject({
      message: "port is required; http.path must be short",
      detail: { kind: "invalid", violations },
    });
  });

  it("keep the cause", () => {
    const cause = new Error("SQLITE_BUSY");
    expect(errors.unavailable("the store", { cause }).cause).toBe(cause);
  });
});

describe("show", () => {
  it.each([
    ["text", '"text"'],
    ["a\nb", '"a\\nb"'],
    ["x".repeat(61), `"${"x".repeat(56)}"…`],
    [7, "7"],
    [7n, "7"],
    [true, "true"],
    [null, "null"],
    [[1], "a list"],
    [{}, "an object"],
    [undefined, "undefined"],
  ])("%p as %s", (value, text) => {
    expect(errors.show(value)).toBe(text);
  });
});

describe("nearestName", () => {
  it.each([
    ["prot", "port"],
    ["PORT", "port"],
    ["ort", "port"],
    ["portt", "port"],
    ["protocl", "protocol"],
    ["x", undefined],
    ["completely", undefined],
  ])("%s → %p", (name, nearest) => {
    expect(errors.nearestName(name, ["port", "protocol", "tags"])).toBe(nearest);
  });
});
