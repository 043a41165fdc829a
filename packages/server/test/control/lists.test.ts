import type { FiberlbClient, Pool } from "@fiberlb/api";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { createBackend, createLoadBalancer, createPool } from "./fixtures.ts";
import { type Harness, startHarness } from "./harness.ts";
import { expectInvalid } from "./refusals.ts";

const BACKENDS = 23;
let harness: Harness;
let client: FiberlbClient;
let pool: Pool;
/** In order of creation. */
const ids: string[] = [];

beforeAll(async () => {
  harness = await startHarness();
  client = harness.client();
  const { id } = await createLoadBalancer(client, { name: "web" });
  pool = await createPool(client, id, { name: "app" });
  const other = await createPool(client, id, { name: "other" });
  for (let index = 0; index < BACKENDS; index++) {
    const tags = { parity: index % 2 === 0 ? "even" : "odd", all: "yes" };
    const fields = { name: `b${index}`, port: 1000 + index, tags };
    ids.push((await createBackend(client, pool.id, fields)).id);
  }
  await createBackend(client, other.id, { name: "b0" });
});
afterAll(() => harness.close());

/** Follows the page tokens to the end. */
async function pages(request: object): Promise<string[][]> {
  const found: string[][] = [];
  for (let pageToken = ""; ;) {
    const page = await client.backends.listBackends({ ...request, pageToken });
    found.push(page.backends.map(({ id }) => id));
    pageToken = page.nextPageToken;
    if (pageToken === "") return found;
  }
}

describe("pages", () => {
  test.each([1, 7, 22, 23, 24, 1000])("of %i hold everything once, in order of creation", async (pageSize) => {
    const found = await pages({ poolId: pool.id, pageSize });
    expect(found.flat()).toEqual(ids);
    expect(found.slice(0, -1).every((page) => page.length === pageSize)).toBe(true);
    expect(found).toHaveLength(Math.ceil(BACKENDS / pageSize));
  });

  test("of a whole project, without a parent", async () => {
    const found = (await pages({ pageSize: 10 })).flat();
    expect(found.slice(0, BACKENDS)).toEqual(ids);
    expect(found).toHaveLength(BACKENDS + 1);
  });

  test("stay right while things come and go", async () => {
    const first = await client.backends.listBackends({ poolId: pool.id, pageSize: 5 });
    const extra = await createBackend(client, pool.id, { name: "extra", port: 5000 });
    const second = await client.backends.listBackends({
      poolId: pool.id,
      pageSize: 1000,
      pageToken: first.nextPageToken,
    });
    expect([...first.backends, ...second.backends].map(({ id }) => id)).toEqual([...ids, extra.id]);
    await client.backends.deleteBackend({ id: extra.id });
  });

  test("refuse tokens that are none, those of another list, and sizes beyond 1000", async () => {
    const { nextPageToken } = await client.backends.listBackends({ poolId: pool.id, pageSize: 5 });
    await expectInvalid(client.backends.listBackends({ poolId: pool.id, pageToken: "abc" }), ["page_token"]);
    await expectInvalid(client.backends.listBackends({ name: "b1", pageToken: nextPageToken }), ["page_token"]);
    await expectInvalid(client.pools.listPools({ pageToken: nextPageToken }), ["page_token"]);
    await expectInvalid(client.backends.listBackends({ pageSize: 1001 }), ["page_size"]);
  });
});

describe("filters", () => {
  test("by name, below a parent and in the project", async () => {
    expect((await pages({ poolId: pool.id, name: "b7" })).flat()).toEqual([ids[7]]);
    expect((await pages({ name: "b0" })).flat()).toHaveLength(2);
    expect((await pages({ name: "nobody" })).flat()).toEqual([]);
  });

  test("by tags, of which all must be there", async () => {
    const even = ids.filter((_, index) => index % 2 === 0);
    expect((await pages({ tags: { parity: "even" }, pageSize: 3 })).flat()).toEqual(even);
    expect((await pages({ tags: { parity: "even", all: "no" } })).flat()).toEqual([]);
    expect((await pages({ name: "b1", tags: { parity: "odd" } })).flat()).toEqual([ids[1]]);
  });

  test("by name of load balancers", async () => {
    const { loadBalancers } = await client.loadBalancers.listLoadBalancers({ name: "web" });
    expect(loadBalancers.map(({ name }) => name)).toEqual(["web"]);
  });
});

test("300 load balancers are listed with their statuses", async () => {
  const crowd = harness.client({ project: "crowd" });
  await Promise.all(Array.from({ length: 300 }, (_, index) => createLoadBalancer(crowd, { name: `lb-${index}` })));
  const { loadBalancers } = await crowd.loadBalancers.listLoadBalancers({ pageSize: 1000 });
  expect(loadBalancers).toHaveLength(300);
  expect(new Set(loadBalancers.map(({ vipAddress }) => vipAddress)).size).toBe(300);
  expect(loadBalancers.every(({ statusReason }) => statusReason === "no data plane node")).toBe(true);
});
