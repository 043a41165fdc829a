import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { systemClock } from "../../src/clock.ts";
import type { DataPlane } from "../../src/data/data-plane.ts";
import { createDataPlane } from "../../src/data/pool.ts";
import { type NamedServer, freePort, startNamedServer, whoServes } from "./tcp-peers.ts";
import { backendUnit, listenerUnit, poolUnit, snapshot, unit } from "./units.ts";

describe("a data plane of two workers", () => {
  let servers: NamedServer[];
  let plane: DataPlane;

  beforeEach(async () => {
    servers = await Promise.all(["a", "b", "c"].map(startNamedServer));
    plane = createDataPlane({ workers: 2, clock: systemClock });
    await plane.start();
  });
  afterEach(async () => {
    await plane.stop({ drainTimeoutMs: 0 });
    await Promise.all(servers.map((server) => server.close()));
  });

  it("spreads 15 connections 5-5-5 in round robin, whichever worker accepts them", async () => {
    const port = await freePort();
    const backends = servers.map(({ name, port: at }) => backendUnit(name, { port: at }));
    const one = unit({ listeners: [listenerUnit({ port })], pools: [poolUnit(backends)] });
    expect(await plane.apply(snapshot(1, [one]))).toEqual({ revision: 1, problems: [] });
    for (let connection = 0; connection < 15; connection++) await whoServes(port);
    expect(servers.map(({ connections }) => connections)).toEqual([5, 5, 5]);
  });
});
