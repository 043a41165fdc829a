import { readFileSync } from "node:fs";
import net from "node:net";

import { describe, expect, test } from "@jest/globals";

const thrownBy = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
};

class OwnError extends Error {}

describe("errors of Node in a test's realm", () => {
  test("are errors", () => {
    const error = thrownBy(() => readFileSync("/no/such/file"));
    expect(error instanceof Error).toBe(true);
    expect(error instanceof OwnError).toBe(false);
    expect(error instanceof TypeError).toBe(false);
  });

  test("are of their class", () => {
    const error = thrownBy(() => net.connect({ port: -1 }));
    expect(error instanceof RangeError).toBe(true);
    expect(error instanceof TypeError).toBe(false);
  });

  test("so are aborts", () => {
    expect(AbortSignal.abort().reason instanceof Error).toBe(true);
  });
});

describe("everything else stays", () => {
  test("own classes", () => {
    expect(new OwnError() instanceof OwnError).toBe(true);
    expect(new OwnError() instanceof Error).toBe(true);
    expect(new Error("x") instanceof OwnError).toBe(false);
    expect(new RangeError("x") instanceof TypeError).toBe(false);
  });

  test.each([undefined, null, 1, "Error", {}, { name: "Error", message: "x" }])("%p is no error", (value) => {
    expect((value as unknown) instanceof Error).toBe(false);
  });
});
