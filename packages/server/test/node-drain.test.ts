import type { NodeDrain } from "@fiberlb/types";
import { afterEach, beforeEach, expect, test } from "@jest/globals";

import { silentLog } from "../src/log.ts";
import { DrainWatch } from "../src/node-drain.ts";
import type { DrainOrder } from "../src/repository/maintenance.ts";
import { FakeClock } from "./fake-clock.ts";

const since = "2026-01-01T00:00:00.000Z";
let clock: FakeClock;
let order: DrainOrder | undefined;
let tell: () => void;
let connections: number;
let announced: boolean[];
let told: boolean[];
let seen: (NodeDrain | undefined)[];
let watch: DrainWatch;

beforeEach(() => {
  clock = new FakeClock();
  [order, connections, announced, told, seen] = [undefined, 2, [true, false, true], [], []];
  tell = () => undefined;
});
afterEach(() => watch.stop());

function start(): void {
  watch = new DrainWatch({
    name: "lb-1",
    maintenance: {
      orderFor: (node) => (node === "lb-1" ? order : undefined),
      onChange: (listener) => {
        tell = listener;
        return () => (tell = () => undefined);
      },
    },
    announcers: [
      {
        setDraining: (draining) => void told.push(draining),
        state: () => announced.map((one) => ({ announced: one })),
      },
    ],
    countConnections: async () => connections,
    onChange: (drain) => void seen.push(drain),
    clock,
    log: silentLog,
  });
}

async function orders(next: DrainOrder | undefined): Promise<void> {
  order = next;
  tell();
  await settle();
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function pass(ms: number): Promise<void> {
  clock.advance(ms);
  await settle();
}

test("without an order nothing is withdrawn and nothing told", async () => {
  start();
  await orders(undefined);
  await pass(5000);
  expect([told, seen, watch.draining]).toEqual([[], [], false]);
});

test("an order has VIPs withdrawn, and tells how far it is until nothing is left", async () => {
  start();
  await orders({ since });
  expect([told, watch.draining]).toEqual([[true], true]);
  expect(seen).toEqual([{ since, vipsAnnounced: 2, connectionsActive: 2 }]);
  announced = [false, false, false];
  await pass(500);
  connections = 0;
  await pass(500);
  await pass(5000);
  expect(seen.slice(1)).toEqual([
    { since, vipsAnnounced: 0, connectionsActive: 2 },
    { since, vipsAnnounced: 0, connectionsActive: 0 },
  ]);
});

test("who comes to a drained node is seen: it is DRAINING until they have left", async () => {
  [connections, announced] = [0, []];
  start();
  await orders({ since });
  connections = 1;
  await pass(500);
  expect(seen.map((drain) => drain?.connectionsActive)).toEqual([0, 1]);
});

test("an order that stands when the node starts counts", async () => {
  order = { since };
  start();
  await settle();
  expect([told, seen.length]).toEqual([[true], 1]);
});

test("taken back, VIPs may be announced again, and nothing is counted any more", async () => {
  start();
  await orders({ since });
  await orders(undefined);
  expect([told, watch.draining, seen.at(-1)]).toEqual([[true, false], false, undefined]);
  connections = 5;
  await pass(5000);
  expect(seen).toHaveLength(2);
});

test("stopped, it looks no more", async () => {
  start();
  await orders({ since });
  watch.stop();
  connections = 7;
  await pass(5000);
  expect(seen).toHaveLength(1);
  expect(clock.pending).toBe(0);
});
