import { describe, expect, it } from "@jest/globals";

import { RateTables } from "../../../src/data/rate/rate-tables.ts";
import { sourceRates } from "../../../src/data/rate/source-rates.ts";
import { FakeClock } from "../../fake-clock.ts";
import { HTTP } from "../l7/http-rig.ts";
import { listenerUnit } from "../units.ts";

const clock = new FakeClock();
const limited = (newConnectionsPerSPerSource: number) => listenerUnit({ newConnectionsPerSPerSource });

describe("a listener's rates", () => {
  it("cost nothing without a limit", () => {
    expect(new RateTables().assign(listenerUnit())).toBeUndefined();
    expect(sourceRates(listenerUnit(), {}, clock)).toEqual({});
  });

  it("of connections and of requests are apart", () => {
    const unit = listenerUnit({ newConnectionsPerSPerSource: 1, http: { ...HTTP, requestsPerSPerSource: 2 } });
    const { connections, requests } = sourceRates(unit, new RateTables().assign(unit)!, clock);
    expect([1, 2, 3].map(() => connections!.admits("10.0.0.1"))).toEqual([true, false, false]);
    expect([1, 2, 3].map(() => requests!.admits("10.0.0.1"))).toEqual([true, true, false]);
  });

  it("go on with a new configuration, and begin anew after a time without limit", () => {
    const tables = new RateTables();
    const memory = tables.assign(limited(5));
    expect(tables.assign(limited(6))?.connections).toBe(memory?.connections);
    expect(tables.assign(listenerUnit())).toBeUndefined();
    expect(tables.assign(limited(5))?.connections).not.toBe(memory?.connections);
  });
});
