import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";

import { ipHash } from "../../../src/data/select/ip-hash.ts";
import { candidates, flow, repeat, tally } from "./candidates.ts";

const address = fc.oneof(fc.ipV4(), fc.ipV6());

describe("IP hash", () => {
  it("sends a client to one backend, whatever its port, on every worker", () => {
    fc.assert(
      fc.property(address, fc.nat(65_535), fc.nat(65_535), (clientAddress, one, other) => {
        const some = candidates(1, 2, 3, 4);
        const first = ipHash().pick(some, flow(0, { clientAddress, clientPort: one }));
        const second = ipHash().pick(some, flow(0, { clientAddress, clientPort: other }));
        expect(second).toBe(first);
      }),
    );
  });

  it("takes an IPv4-mapped address for the IPv4 address that it is", () => {
    const some = candidates(...Array.from({ length: 50 }, () => 1));
    const pick = (clientAddress: string): number => ipHash().pick(some, flow(0, { clientAddress }));
    expect(pick("::ffff:192.0.2.7")).toBe(pick("192.0.2.7"));
  });

  it("moves only the clients of a backend that goes", () => {
    const all = candidates(1, 1, 1, 1, 1);
    const without = all.filter(({ backend }) => backend.id !== "c");
    const [before, after] = [ipHash(), ipHash()];
    for (let client = 0; client < 2000; client++) {
      const was = all[before.pick(all, flow(client))]!.backend.id;
      const is = without[after.pick(without, flow(client))]!.backend.id;
      if (was !== "c") expect(is).toBe(was);
    }
  });

  it("spreads clients by weight", () => {
    const some = candidates(3, 2, 1);
    const selector = ipHash();
    const counts = tally(
      3,
      repeat(12_000, (client) => selector.pick(some, flow(client))),
    );
    [6000, 4000, 2000].forEach((share, index) => {
      expect(Math.abs((counts[index] as number) - share)).toBeLessThan(300);
    });
  });

  it("picks something for a client that is gone already", () => {
    expect([0, 1]).toContain(ipHash().pick(candidates(1, 1), flow(0, { clientAddress: "" })));
  });
});
