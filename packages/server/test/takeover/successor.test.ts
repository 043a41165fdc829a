import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";

import { afterEach, beforeEach, expect, it } from "@jest/globals";

import { type ControlCommands, controlSocketPath, openControlSocket } from "../../src/control-socket.ts";
import { Channel, type FromPredecessor, type FromSuccessor, NO_INHERITANCE } from "../../src/takeover/messages.ts";
import { askToTakeOver, type Takeover } from "../../src/takeover/successor.ts";

let folder: string;
let path: string;
let revoked: string[];
let open: { close(): Promise<void> } | undefined;
let streams: Duplex[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fiberlb-takeover-"));
  path = controlSocketPath(folder);
  revoked = [];
  streams = [];
});
afterEach(async () => {
  for (const stream of streams) stream.destroy();
  await open?.close();
  open = undefined;
  rmSync(folder, { recursive: true });
});

const ask = () => askToTakeOver(path, { onRevoked: (reason) => revoked.push(reason) });
const released = { kind: "released", inheritance: NO_INHERITANCE } as const;

async function serve(commands: Partial<ControlCommands>): Promise<void> {
  open = await openControlSocket(path, { backup: () => Promise.resolve(), ...commands });
}

type Predecessor = Channel<FromSuccessor, FromPredecessor>;

/** A process that answers whoever asks with `first`; gives both ends of the conversation. */
async function takeOverFrom(first: FromPredecessor): Promise<{ takeover: Takeover; predecessor: Predecessor }> {
  const asked = Promise.withResolvers<Predecessor>();
  await serve({
    handOver(stream: Duplex) {
      streams.push(stream);
      const channel: Predecessor = new Channel(stream);
      channel.send(first);
      asked.resolve(channel);
    },
  });
  const takeover = await ask();
  if (takeover === undefined) throw new Error("nobody is there");
  return { takeover, predecessor: await asked.promise };
}

it("finds nobody to take over from", async () => {
  expect(await ask()).toBeUndefined();
});

it("is told what the other one knows, and waits until the other one leaves", async () => {
  const inheritance = { health: [["b", "ONLINE"]], addresses: [] } as const;
  const { takeover, predecessor } = await takeOverFrom({ kind: "released", inheritance });
  expect(takeover.inheritance).toEqual(inheritance);
  const ready = takeover.ready();
  expect(await predecessor.receive()).toEqual({ kind: "ready" });
  predecessor.send({ kind: "yours" });
  await ready;
  expect(revoked).toEqual([]);
});

it("goes on when the other one ends in the middle: everything is free then", async () => {
  const { takeover, predecessor } = await takeOverFrom(released);
  predecessor.close();
  await takeover.ready();
  expect(revoked).toEqual([]);
});

it("hears at once that the other one wants everything back, and cannot be ready any more", async () => {
  const { takeover, predecessor } = await takeOverFrom(released);
  predecessor.send({ kind: "revoked", reason: "it took too long" });
  await expect(takeover.ready()).rejects.toThrow("Cannot take over: it took too long");
  expect(revoked).toEqual(["it took too long"]);
});

it("tells why it does not take over", async () => {
  const { takeover, predecessor } = await takeOverFrom(released);
  takeover.fail("the port is in use");
  expect(await predecessor.receive()).toEqual({ kind: "failed", reason: "the port is in use" });
  expect(await predecessor.receive()).toBeUndefined();
});

it("fails when the other one cannot let go", async () => {
  await expect(takeOverFrom({ kind: "revoked", reason: "its log says why" })).rejects.toThrow(
    "Cannot take over: its log says why",
  );
});

it.each([
  [
    "says no",
    { refuseTakeover: () => "another one is taking over", handOver: () => undefined },
    "another one is taking",
  ],
  ["has nothing to hand over", {}, "this process hands nothing over"],
])("is refused by a process that %s", async (_, commands, message) => {
  await serve(commands);
  await expect(ask()).rejects.toThrow(`Cannot take over: ${message}`);
});

it("is told what to do about a release that hands nothing over", async () => {
  const server = createServer((_request, response) =>
    response.writeHead(404).end('{"error":"known here: POST /backup"}'),
  );
  await new Promise<void>((resolve) => server.listen(path, resolve));
  open = { close: () => new Promise((resolve) => server.close(() => resolve())) };
  await expect(ask()).rejects.toThrow("of a release that hands nothing over; stop it, then start this one");
});

it("the socket's place is free as soon as it is closed, while a hand-over goes on", async () => {
  const { predecessor, takeover } = await takeOverFrom(released);
  await open?.close();
  expect(existsSync(path)).toBe(false);
  takeover.fail("for a reason");
  expect(await predecessor.receive()).toEqual({ kind: "failed", reason: "for a reason" });
});
