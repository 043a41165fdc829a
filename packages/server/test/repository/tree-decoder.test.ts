import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

import { type RepositoryHarness, startRepository, TENANT } from "./harness.ts";

let harness: RepositoryHarness;
let loadBalancerId: string;
let backendIds: string[];
beforeEach(async () => {
  harness = await startRepository();
  ({ id: loadBalancerId } = (await harness.create("loadBalancer", { name: "web" })).location);
  const pool = await harness.create("pool", { loadBalancerId });
  const backends = ["10.0.0.1", "10.0.0.2"].map((address) =>
    harness.create("backend", { poolId: pool.location.id, address, port: 80 }),
  );
  backendIds = (await Promise.all(backends)).map(({ location }) => location.id);
});
afterEach(() => harness.stop());

const read = async (previous?: object) => {
  const tree = await harness.repository.readTree({ tenant: TENANT, loadBalancerId }, previous);
  if (tree === undefined) throw new Error("the load balancer is gone");
  return tree;
};

const setWeight = (id: string, weight: number) =>
  harness.repository.update({
    tenant: TENANT,
    kind: "backend",
    id,
    patch: { weight },
    mask: ["weight"],
    validateOnly: false,
  });

describe("a tree that is read again", () => {
  test("takes from the one before what has not changed", async () => {
    const before = await read();
    await setWeight(backendIds[0]!, 7);
    const after = await read(before);
    expect(after.backends.find(({ id }) => id === backendIds[0])?.weight).toBe(7);
    expect(after.backends.find(({ id }) => id === backendIds[1])).toBe(
      before.backends.find(({ id }) => id === backendIds[1]),
    );
    expect(after.pools[0]).toBe(before.pools[0]);
    expect(after.loadBalancer).toBe(before.loadBalancer);
  });

  test("is the same as one that is read afresh", async () => {
    let tree = await read();
    for (const [index, weight] of [3, 4, 0, 3].entries()) {
      await setWeight(backendIds[index % 2]!, weight);
      tree = await read(tree);
      expect(tree).toEqual(await read());
    }
  });

  test("no longer has what was deleted", async () => {
    const before = await read();
    const id = backendIds[0]!;
    await harness.repository.delete({ tenant: TENANT, kind: "backend", id, cascade: false, validateOnly: false });
    expect((await read(before)).backends.map((backend) => backend.id)).toEqual([backendIds[1]]);
  });

  test("decodes everything when what it is given is no tree", async () => {
    expect(await read({})).toEqual(await read());
  });
});
