import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "@jest/globals";

import { describeError, errorViolations, googleRpc } from "../src/index.ts";

const badRequest = new ConnectError("2 fields are wrong", Code.InvalidArgument, undefined, [
  {
    desc: googleRpc.BadRequestSchema,
    value: {
      fieldViolations: [
        { field: "port", description: "must be 1 to 65535, not 0", reason: "OUT_OF_RANGE" },
        { field: "http.path", description: "is required", reason: "REQUIRED" },
      ],
    },
  },
]);

describe("errorViolations", () => {
  it("reads google.rpc.BadRequest", () => {
    expect(errorViolations(badRequest)).toEqual([
      { field: "port", description: "must be 1 to 65535, not 0", reason: "OUT_OF_RANGE" },
      { field: "http.path", description: "is required", reason: "REQUIRED" },
    ]);
  });

  it.each([new ConnectError("no", Code.NotFound), new Error("no"), "no", undefined])("finds none in %p", (error) => {
    expect(errorViolations(error)).toEqual([]);
  });
});

describe("describeError", () => {
  it.each([
    [badRequest, "invalid argument: port must be 1 to 65535, not 0; http.path is required"],
    [new ConnectError("listener 7 does not exist", Code.NotFound), "not found: listener 7 does not exist"],
    [new ConnectError("", Code.DeadlineExceeded), "deadline exceeded"],
    [new ConnectError("two\n  lines", Code.Unavailable), "unavailable: two lines"],
    [new Error("plain"), "plain"],
    ["text", "text"],
  ])("%p is %j", (error, line) => {
    expect(describeError(error)).toBe(line);
  });
});
