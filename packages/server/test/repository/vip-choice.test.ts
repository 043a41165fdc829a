import { describe, expect, test } from "@jest/globals";

import { countingStore } from "../control/counting-store.ts";
import { FakeClock } from "../fake-clock.ts";
import { startRepository, storeOn, TENANT, spec } from "./harness.ts";

const lastPart = (address: string): number => Number(address.split(".")[3]);

describe("creates of one process that run at once", () => {
  test("don't choose alike: none has to try twice", async () => {
    const clock = new FakeClock();
    const counting = countingStore(storeOn(clock));
    const harness = await startRepository({ store: counting.store, clock });
    counting.take();
    const created = await Promise.all(Array.from({ length: 30 }, () => harness.create("loadBalancer", {})));
    expect(counting.take().filter((call) => call === "txn")).toHaveLength(30);
    const vips = created.map(({ entity }) => lastPart(entity.vipAddress)).toSorted((a, b) => a - b);
    expect(vips).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
    await harness.stop();
  });
});

describe("an address", () => {
  const remove = (id: string) =>
    ({ tenant: TENANT, kind: "loadBalancer", id, cascade: false, validateOnly: false }) as const;

  test("rests after its load balancer, unless asked for, and is assigned again after the reuse delay", async () => {
    const harness = await startRepository({ vipReuseDelayMs: 60_000 });
    const first = await harness.create("loadBalancer", {});
    await harness.repository.delete(remove(first.location.id));
    const second = await harness.create("loadBalancer", {});
    expect(second.entity.vipAddress).toBe("192.0.2.2");
    const asked = await harness.create("loadBalancer", { vipAddress: "192.0.2.1" });
    await harness.repository.delete(remove(asked.location.id));
    harness.clock.advance(60_000);
    const third = await harness.create("loadBalancer", {});
    expect(third.entity.vipAddress).toBe("192.0.2.1");
    await harness.stop();
  });

  test("is free at once without a reuse delay", async () => {
    const harness = await startRepository({ vipReuseDelayMs: 0, cidrs: ["192.0.2.1-192.0.2.1"] });
    for (let round = 0; round < 3; round++) {
      const { location, entity } = await harness.create("loadBalancer", {});
      expect(entity.vipAddress).toBe("192.0.2.1");
      await harness.repository.delete(remove(location.id));
    }
    await harness.stop();
  });

  test("chosen by a create that is refused is not lost", async () => {
    const harness = await startRepository({ cidrs: ["192.0.2.1-192.0.2.2"] });
    await harness.create("loadBalancer", { name: "taken" });
    await expect(harness.create("loadBalancer", { name: "taken" })).rejects.toMatchObject({ kind: "already-exists" });
    const { entity } = await harness.create("loadBalancer", { name: "free" });
    expect(entity.vipAddress).toBe("192.0.2.2");
    await harness.stop();
  });

  test("of validate_only is taken by nobody", async () => {
    const harness = await startRepository();
    const trial = await harness.repository.create({
      tenant: TENANT,
      kind: "loadBalancer",
      spec: spec("loadBalancer", {}),
      validateOnly: true,
    });
    const { entity } = await harness.create("loadBalancer", {});
    expect(trial.stored.entity.vipAddress).toBe(entity.vipAddress);
    await harness.stop();
  });
});

test("the first node writes the configured pools, a later one with another file is told the difference", async () => {
  const harness = await startRepository();
  const configured = [
    spec("vipPool", { name: "default", cidrs: ["198.51.100.0/24"] }),
    spec("vipPool", { name: "extra", cidrs: ["203.0.113.0/24"] }),
  ];
  expect(await harness.repository.seedVipPools(configured)).toEqual([
    "VIP pool default differs: the file says 198.51.100.0/24, the store 192.0.2.0/24; the store's is used",
    "VIP pool extra of the configuration file is not in the store: ignored",
  ]);
  expect((await harness.repository.vipPools.list()).map(({ name }) => name)).toEqual(["default"]);
  await harness.stop();
});
