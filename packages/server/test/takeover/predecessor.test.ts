import { duplexPair } from "node:stream";

import { beforeEach, describe, expect, it } from "@jest/globals";

import { silentLog } from "../../src/log.ts";
import { Channel, type FromPredecessor, type FromSuccessor, NO_INHERITANCE } from "../../src/takeover/messages.ts";
import { type Estate, handOver, READY_DEADLINE_MS } from "../../src/takeover/predecessor.ts";
import { FakeClock } from "../fake-clock.ts";

let clock: FakeClock;
let steps: string[];
let estate: Estate;
let successor: Channel<FromPredecessor, FromSuccessor>;
let result: Promise<boolean>;

const step = (name: string) => async () => void steps.push(name);

beforeEach(() => {
  clock = new FakeClock();
  steps = [];
  const inheritance = { health: [["backend", "OFFLINE"]], addresses: [["db.test", "10.0.0.1"]] } as const;
  estate = {
    release: () => step("release")().then(() => inheritance),
    leave: step("leave"),
    takeBack: step("take back"),
  };
});

function begin(): void {
  const [mine, theirs] = duplexPair();
  successor = new Channel(theirs);
  result = handOver(new Channel(mine), { estate, clock, log: silentLog });
}

describe("a process that is taken over from", () => {
  it("lets go, tells what it knows, and leaves when the other one is ready", async () => {
    begin();
    expect(await successor.receive()).toEqual({
      kind: "released",
      inheritance: { health: [["backend", "OFFLINE"]], addresses: [["db.test", "10.0.0.1"]] },
    });
    expect(steps).toEqual(["release"]);
    successor.send({ kind: "ready" });
    expect(await successor.receive()).toEqual({ kind: "yours" });
    expect(await result).toBe(true);
    expect(steps).toEqual(["release", "leave"]);
    expect(clock.pending).toBe(0);
  });

  it("takes everything back when the other one has failed", async () => {
    begin();
    await successor.receive();
    successor.send({ kind: "failed", reason: "Cannot open the API port" });
    expect(await result).toBe(false);
    expect(steps).toEqual(["release", "take back"]);
    expect(clock.pending).toBe(0);
  });

  it("takes everything back when the other one dies", async () => {
    begin();
    await successor.receive();
    successor.close();
    expect(await result).toBe(false);
    expect(steps).toEqual(["release", "take back"]);
  });

  it("wants everything back from one that does not get ready", async () => {
    begin();
    await successor.receive();
    clock.advance(READY_DEADLINE_MS);
    expect(await successor.receive()).toEqual({ kind: "revoked", reason: "it was not ready after 120 s" });
    expect(await result).toBe(false);
    expect(steps).toEqual(["release", "take back"]);
  });

  it("takes everything back when it could not let go of all of it, and says so", async () => {
    estate = { ...estate, release: () => Promise.reject(new Error("the disk is on fire")) };
    begin();
    expect(await successor.receive()).toMatchObject({ kind: "revoked" });
    expect(await result).toBe(false);
    expect(steps).toEqual(["take back"]);
  });

  it("takes what it doesn't understand for the end of the other one", async () => {
    const [mine, theirs] = duplexPair();
    const done = handOver(new Channel(mine), { estate, clock, log: silentLog });
    theirs.write("GET / HTTP/1.1\r\n\r\n");
    expect(await done).toBe(false);
    expect(steps).toEqual(["release", "take back"]);
  });
});

it("nothing is known to the first process", () => {
  expect(NO_INHERITANCE).toEqual({ health: [], addresses: [] });
});
