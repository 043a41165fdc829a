import { createMemoryStore, put, remove, type Store, StoreError } from "@fiberlb/store";
import type { IpAddress } from "@fiberlb/types";
import { expect, test } from "@jest/globals";

import { OwnershipView } from "../../../src/announce/l2/ownership-view.ts";
import { encodeJson } from "../../../src/repository/codec.ts";
import { l2NodeKey, l2OwnerKey } from "../../../src/repository/keys.ts";
import { FakeClock } from "../../fake-clock.ts";

const [V1, V2] = ["192.0.2.1", "2001:db8::1"] as [IpAddress, IpAddress];
const owner = (vip: IpAddress, node: string, released = false) =>
  put(l2OwnerKey(vip), encodeJson({ node, ...(released && { released }) }));
const candidate = (node: string, serves: readonly string[], answers: readonly string[] = []) =>
  put(l2NodeKey(node), encodeJson({ serves, answers }));

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function follow(store: Store) {
  const clock = new FakeClock();
  const changes: (readonly string[] | undefined)[] = [];
  const errors: string[] = [];
  const view = new OwnershipView({
    store,
    clock,
    onChange: (vips) => void changes.push(vips),
    onError: (error) => void errors.push((error as Error).message),
  });
  view.start();
  await settled();
  return { clock, changes, errors, view };
}

test("what stands in the store is known, and followed with the VIPs that it concerns", async () => {
  const store = createMemoryStore();
  await store.txn({ success: [owner(V1, "lb-1"), candidate("lb-1", [V1]), candidate("lb-2", [V1], [V2])] });
  const { view, clock, changes } = await follow(store);
  expect([view.isLoaded, view.owner(V1)?.node, view.owner(V2)]).toEqual([true, "lb-1", undefined]);
  expect([[...view.servers(V1, "lb-2").keys()], view.answerers(V2, "lb-1")]).toEqual([["lb-1"], ["lb-2"]]);
  changes.length = 0;
  clock.advance(1000);
  await store.txn({ success: [owner(V1, "lb-1", true), candidate("lb-1", [V2])] });
  await settled();
  expect(changes).toEqual([[V1, V2]]);
  expect([view.owner(V1)?.isReleased, view.freeSinceMs(V1)]).toEqual([true, 1000]);
  // The mark goes with the lease of the node that released it; it was free before.
  clock.advance(500);
  await store.txn({ success: [remove(l2OwnerKey(V1))] });
  await settled();
  expect([view.owner(V1), view.freeSinceMs(V1)]).toEqual([undefined, 1000]);
  await view.stop();
  await store.close();
});

test("since when a node can serve a VIP survives its other changes", async () => {
  const store = createMemoryStore();
  const { view, clock } = await follow(store);
  await store.txn({ success: [candidate("lb-2", [V1])] });
  await settled();
  clock.advance(300);
  await store.txn({ success: [candidate("lb-2", [V1, V2])] });
  await settled();
  expect([view.servers(V1, "lb-1").get("lb-2"), view.servers(V2, "lb-1").get("lb-2")]).toEqual([0, 300]);
  await view.stop();
  await store.close();
});

test("an own claim is known before the watch tells of it, and an older word does not undo it", async () => {
  const store = createMemoryStore();
  const { view } = await follow(store);
  view.note(V1, { node: "lb-1", isReleased: false, lease: undefined, modRevision: 5 });
  view.note(V1, { node: "lb-2", isReleased: false, lease: undefined, modRevision: 4 });
  await store.txn({ success: [owner(V1, "lb-3")] });
  await settled();
  expect(view.owner(V1)?.node).toBe("lb-1");
  await view.stop();
  await store.close();
});

test("when history was lost everything is read afresh: what has gone meanwhile is gone", async () => {
  const store = createMemoryStore();
  await store.txn({ success: [owner(V1, "lb-1"), candidate("lb-1", [V1])] });
  let breaks = true;
  const flaky: Store = {
    ...bound(store),
    // oxlint-disable-next-line require-yield -- it fails before there is anything to deliver
    async *watch(options) {
      if (!breaks) return yield* store.watch(options);
      breaks = false;
      await store.txn({ success: [remove(l2OwnerKey(V1)), remove(l2NodeKey("lb-1")), owner(V2, "lb-2")] });
      throw new StoreError("COMPACTED", "history is gone");
    },
  };
  const { view, clock, errors } = await follow(flaky);
  expect(view.owner(V1)?.node).toBe("lb-1");
  clock.advance(500);
  await settled();
  expect([view.owner(V1), view.owner(V2)?.node, view.servers(V1, "lb-9").size]).toEqual([undefined, "lb-2", 0]);
  expect(errors).toEqual(["history is gone"]);
  await view.stop();
  await store.close();
});

/** Its methods, for a store that is like it but for one. */
function bound(store: Store): Omit<Store, "watch"> {
  return {
    get: store.get.bind(store),
    range: store.range.bind(store),
    txn: store.txn.bind(store),
    grantLease: store.grantLease.bind(store),
    keepAlive: store.keepAlive.bind(store),
    revokeLease: store.revokeLease.bind(store),
    leaseTimeToLive: store.leaseTimeToLive.bind(store),
    compact: store.compact.bind(store),
    status: store.status.bind(store),
    close: store.close.bind(store),
  };
}
