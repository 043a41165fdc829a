import net from "node:net";

import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { probeTcp } from "../../../src/health/probes/tcp.ts";
import { Servers, startProbe, verdictOf } from "../server-fixture.ts";

let servers: Servers;
beforeEach(() => void (servers = new Servers()));
afterEach(() => servers.close());

test("passes when the backend accepts, and ends the connection without a byte or a reset", async () => {
  const heard: string[] = [];
  const server = net.createServer((socket) => {
    socket.on("data", () => heard.push("data"));
    socket.on("end", () => heard.push("end"));
    socket.on("error", () => heard.push("error"));
  });
  const port = await servers.listen(server);
  expect(await startProbe(probeTcp, port).result).toEqual({ passed: true, latencyMs: 0 });
  await servers.accepted;
  await servers.drained();
  expect(heard).toEqual(["end"]);
});

test("measures by its clock", async () => {
  const { result, clock } = startProbe(probeTcp, await servers.listen(net.createServer()));
  clock.jump(7);
  expect(await result).toEqual({ passed: true, latencyMs: 7 });
});

test("fails when nothing listens", async () => {
  expect(await verdictOf(probeTcp, 1)).toBe("connection refused by 127.0.0.1:PORT");
});

test("names IPv6 endpoints in brackets", async () => {
  const result = await startProbe(probeTcp, 9, { address: "::1" }).result;
  // A host without IPv6 has no local address to reach it from.
  expect(result).toMatchObject({ passed: false, reason: expect.stringMatching(/(refused by|reach) \[::1\]:9/) });
});

test("fails when the connection is not there in time, and gives it up", async () => {
  const port = await servers.listen(net.createServer());
  const { result, clock } = startProbe(probeTcp, port);
  clock.jump(2000);
  expect(await result).toEqual({ passed: false, reason: `no connection with 127.0.0.1:${port} within 2000 ms` });
  expect(clock.pending).toBe(0);
  await servers.drained();
});

test("a cancelled check is inconclusive and leaves no timer and no connection", async () => {
  const { result, clock, abort } = startProbe(probeTcp, await servers.listen(net.createServer()));
  abort();
  expect(await result).toEqual({ passed: false, reason: "check cancelled", inconclusive: true });
  expect(clock.pending).toBe(0);
  await servers.drained();
});

test("a target that cannot be is a failure, not an exception", async () => {
  expect(await verdictOf(probeTcp, 70_000)).toMatch(/^check of 127\.0\.0\.1:PORT failed: .*>= 0 and < 65536/);
});
