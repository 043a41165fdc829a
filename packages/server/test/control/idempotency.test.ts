import type { FiberlbClient } from "@fiberlb/api";
import { createMemoryStore, type Store } from "@fiberlb/store";
import { afterAll, beforeAll, expect, test } from "@jest/globals";

import { FakeClock } from "../fake-clock.ts";
import { createLoadBalancer, createPool } from "./fixtures.ts";
import { type Harness, stateOf, startHarness } from "./harness.ts";
import { expectInvalid } from "./refusals.ts";

const clock = new FakeClock();
const HOUR_MS = 3_600_000;
let store: Store;
let harness: Harness;
let client: FiberlbClient;
beforeAll(async () => {
  store = createMemoryStore({ clock: { now: () => clock.nowMs(), after: (ms, fn) => clock.after(ms, fn) } });
  harness = await startHarness({ store, clock });
  client = harness.client();
});
afterAll(async () => {
  await harness.close();
  await store.close();
});

test("the same request id answers what the first call answered, and creates nothing", async () => {
  const first = await createLoadBalancer(client, { name: "once", requestId: "r1" });
  const revision = await stateOf(store);
  expect(await createLoadBalancer(client, { name: "once", requestId: "r1" })).toEqual(first);
  expect(await stateOf(store)).toBe(revision);
  await client.loadBalancers.deleteLoadBalancer({ id: first.id });
  expect(await createLoadBalancer(client, { name: "once", requestId: "r1" })).toMatchObject({ id: first.id });
  expect((await client.loadBalancers.listLoadBalancers({ name: "once" })).loadBalancers).toEqual([]);
});

test("another body with the same id is refused, whatever the order of its maps", async () => {
  const tags = { a: "1", b: "2" };
  const first = await createLoadBalancer(client, { tags, requestId: "r2" });
  expect(await createLoadBalancer(client, { tags: { b: "2", a: "1" }, requestId: "r2" })).toEqual(first);
  const other = client.loadBalancers.createLoadBalancer({ tags: { a: "2" }, requestId: "r2" });
  await expectInvalid(other, ["request_id"]);
});

test("request ids belong to a tenant and a method", async () => {
  const mine = await createLoadBalancer(client, { requestId: "r3" });
  const theirs = await createLoadBalancer(harness.client({ org: "other" }), { requestId: "r3" });
  expect(theirs.id).not.toBe(mine.id);
  await createPool(client, mine.id, { requestId: "r3" });
});

test("racing calls with one id make one load balancer", async () => {
  const racing = Array.from({ length: 12 }, () => createLoadBalancer(client, { name: "raced", requestId: "r4" }));
  const ids = (await Promise.all(racing)).map(({ id }) => id);
  expect(new Set(ids).size).toBe(1);
});

test("a refused call is not remembered", async () => {
  const { id, name } = await createLoadBalancer(client, { name: "taken" });
  await expect(createLoadBalancer(client, { name, requestId: "r5" })).rejects.toThrow(/in use/);
  await client.loadBalancers.deleteLoadBalancer({ id });
  await createLoadBalancer(client, { name, requestId: "r5" });
});

test("ids are free again after 24 h, not a minute before", async () => {
  const first = await createLoadBalancer(client, { requestId: "r6" });
  clock.advance(24 * HOUR_MS - 60_000);
  expect(await createLoadBalancer(client, { requestId: "r6" })).toMatchObject({ id: first.id });
  clock.advance(60_000);
  const later = await createLoadBalancer(client, { requestId: "r6" });
  expect(later.id).not.toBe(first.id);
});

test("records leave the store by themselves", async () => {
  const records = async (): Promise<number> => {
    const { kvs } = await store.range({ start: "", end: "\0", keysOnly: true });
    return kvs.filter(({ key }) => key.includes("/request/")).length;
  };
  await createLoadBalancer(client, { requestId: "r7" });
  expect(await records()).toBeGreaterThan(0);
  clock.advance(26 * HOUR_MS);
  // The lease's end writes by itself; what was asked of the store before is done when this is.
  await store.get("/x");
  expect(await records()).toBe(0);
});

test("ids that are no ids are refused", async () => {
  await expectInvalid(client.loadBalancers.createLoadBalancer({ requestId: "two words" }), ["request_id"]);
  await expectInvalid(client.loadBalancers.createLoadBalancer({ requestId: "x".repeat(129) }), ["request_id"]);
});
