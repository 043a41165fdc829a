import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { curl, type Harness, startHarness } from "./harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

test("crud", async () => {
  const client = harness.client();
  harness.startNode();
  const { loadBalancer } = await client.loadBalancers.createLoadBalancer({ name: "web" });
  const lb = loadBalancer!;
  console.log(lb);
  const { pool } = await client.pools.createPool({ loadBalancerId: lb.id, name: "app", algorithm: 6 });
  const { listener } = await client.listeners.createListener({
    loadBalancerId: lb.id,
    protocol: 1,
    port: 80,
    defaultPoolId: pool!.id,
  });
  const { backend } = await client.backends.createBackend({
    poolId: pool!.id,
    address: "127.0.0.1",
    port: 9001,
    weight: 0,
  });
  console.log(pool, listener, backend);
  console.log(
    JSON.stringify(await curl(harness.baseUrl, "LoadBalancerService/GetLoadBalancerStatus", { id: lb.id }), null, 1),
  );
  console.log(
    JSON.stringify(await curl(harness.baseUrl, "BackendService/ListBackends", { poolId: pool!.id }), null, 1),
  );
  console.log(
    JSON.stringify(await curl(harness.baseUrl, "LoadBalancerService/DeleteLoadBalancer", { id: lb.id }), null, 1),
  );
  console.log(
    JSON.stringify(
      await curl(harness.baseUrl, "LoadBalancerService/DeleteLoadBalancer", { id: lb.id, cascade: true }),
      null,
      1,
    ),
  );
  console.log((await harness.store.range({ start: "", end: "\0" })).kvs.map(({ key }) => key));
  expect(harness.logged).toEqual([]);
});
