import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "@jest/globals";

import { explain, isOtherGeneration, isRefusal, wordsOf } from "../../src/gobgp/fault.ts";

const socket = { kind: "unix", path: "/run/gobgp.sock" } as const;
const url = { kind: "http", baseUrl: "http://10.0.0.1:50051" } as const;
const system = (code: string) =>
  new ConnectError(code, Code.Internal, undefined, undefined, Object.assign(new Error(code), { code }));

test("says what is wrong with a socket, and what to do", () => {
  expect(explain(system("ENOENT"), socket)).toContain("there is no socket /run/gobgp.sock: is gobgpd running");
  expect(explain(system("ECONNREFUSED"), socket)).toContain("a killed gobgpd left behind: remove the file");
  expect(explain(system("EACCES"), socket)).toContain("no permission to connect to /run/gobgp.sock");
});

test("says what is wrong with a connection", () => {
  expect(explain(system("ECONNREFUSED"), url)).toBe("nobody listens at http://10.0.0.1:50051");
  expect(explain(new ConnectError("slow", Code.DeadlineExceeded), url)).toBe("it does not answer");
  expect(explain(new ConnectError("read ECONNRESET", Code.Aborted), url)).toBe("the connection was lost");
  expect(explain(new ConnectError("closed", Code.Canceled), url)).toBe("the connection was lost");
  expect(explain(new ConnectError("server stopped", Code.Unknown), url)).toBe("server stopped");
  expect(explain(new Error("it tells no events"), url)).toBe("it tells no events");
});

test("tells the daemon's refusals from losses of the connection", () => {
  expect(isRefusal(new ConnectError("invalid nexthop", Code.Unknown))).toBe(true);
  expect(isRefusal(new ConnectError("bad", Code.InvalidArgument))).toBe(true);
  expect(isRefusal(new ConnectError("slow", Code.DeadlineExceeded))).toBe(false);
  expect(isRefusal(new Error("anything"))).toBe(false);
  expect(isOtherGeneration(new ConnectError("unknown service", Code.Unimplemented))).toBe(true);
  expect(wordsOf(new ConnectError("invalid nexthop", Code.Unknown))).toBe("invalid nexthop");
});
