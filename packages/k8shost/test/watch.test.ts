import { WatchEventType } from "@fiberlb/api/k8shost";
import { describe, expect, test } from "@jest/globals";

import { pod, refusal, startStage, STORES } from "./stage.ts";

/** Reads a watch until it has told enough. */
async function collect<E>(events: AsyncIterable<E>, isEnough: (all: readonly E[]) => boolean): Promise<E[]> {
  const all: E[] = [];
  for await (const event of events) {
    all.push(event);
    if (isEnough(all)) break;
  }
  return all;
}

const TYPE_NAMES = new Map<WatchEventType, string>(
  (["ADDED", "MODIFIED", "DELETED", "BOOKMARK"] as const).map((name) => [WatchEventType[name], name]),
);

const brief = ({
  type,
  pod: object,
}: {
  type: WatchEventType;
  pod?: { metadata?: { name: string } | undefined } | undefined;
}) => `${TYPE_NAMES.get(type)} ${object?.metadata?.name ?? ""}`.trim();

describe.each(STORES)("watches on a store of kind %s", (kind) => {
  test("from 0: everything there is, a bookmark, then changes; from a version: what came after it", async () => {
    await using stage = await startStage({ kind });
    const { pods } = stage.client();
    await pods.createPod({ pod: pod("a") });
    const { resourceVersion } = await pods.listPods({});
    const fromStart = pods.watchPods({})[Symbol.asyncIterator]();
    expect(brief((await fromStart.next()).value)).toBe("ADDED a");
    const bookmark = (await fromStart.next()).value;
    expect(brief(bookmark)).toBe("BOOKMARK");
    expect(bookmark.resourceVersion).toBe(resourceVersion);
    await fromStart.return?.();
    await pods.createPod({ pod: pod("b") });
    await pods.updatePod({ pod: { metadata: { name: "a", labels: { new: "yes" } } } });
    await pods.deletePod({ name: "b" });
    const objects = (all: readonly Parameters<typeof brief>[0][]) => all.filter((event) => event.pod !== undefined);
    const events = await collect(pods.watchPods({ resourceVersion }), (all) => objects(all).length === 3);
    expect(objects(events).map(brief)).toEqual(["ADDED b", "MODIFIED a", "DELETED b"]);
    const versions = events.map((event) => event.resourceVersion);
    expect(versions).toEqual(versions.toSorted((x, y) => Number(x - y)));
  });

  test("what begins to match is added, what no longer does is deleted", async () => {
    await using stage = await startStage({ kind });
    const { pods } = stage.client();
    await pods.createPod({ pod: pod("a", { labels: { app: "web" } }) });
    await pods.createPod({ pod: pod("b") });
    const { resourceVersion } = await pods.listPods({});
    const label = (name: string, app: string) =>
      pods.updatePod({
        pod: { metadata: { name, labels: { app } } },
        updateMask: { paths: ["metadata.labels"] },
      });
    await label("b", "web");
    await label("a", "mail");
    await label("b", "mail");
    const watch = pods.watchPods({ resourceVersion, labelSelector: { matchLabels: { app: "web" } } });
    const events = await collect(watch, (all) => all.filter((event) => event.pod !== undefined).length === 3);
    expect(events.filter((event) => event.pod !== undefined).map(brief)).toEqual(["ADDED b", "DELETED a", "DELETED b"]);
  });

  test("list, then watch under concurrent writes: no change is missing and none is there twice", async () => {
    await using stage = await startStage({ kind });
    const { pods } = stage.client();
    const writers = 4;
    const each = 40;
    const seen: string[] = [];
    const writes = Array.from({ length: writers }, async (_, writer) => {
      for (let index = 0; index < each; index++) {
        const { pod: created } = await pods.createPod({ pod: pod(`pod-${writer}-${index}`) });
        if (index % 4 === 0) await pods.deletePod({ name: created?.metadata?.name ?? "" });
      }
    });
    const { pods: listed, resourceVersion } = await pods.listPods({ pageSize: 1000 });
    const state = new Set(listed.map(({ metadata }) => metadata?.name));
    const done = Promise.all(writes).then(() => pods.listPods({ pageSize: 1000 }));
    let end: Awaited<typeof done> | undefined;
    void done.then((answer) => (end = answer));
    const last = async (): Promise<void> => {
      await done;
      await pods.createPod({ pod: pod("last") });
    };
    const closing = last();
    for await (const event of pods.watchPods({ resourceVersion })) {
      const name = event.pod?.metadata?.name;
      if (name === undefined) continue;
      if (name === "last") break;
      seen.push(`${brief(event)}@${event.resourceVersion}`);
      if (event.type === WatchEventType.DELETED) expect(state.delete(name)).toBe(true);
      else {
        expect(state.has(name)).toBe(false);
        state.add(name);
      }
    }
    await closing;
    expect(new Set(seen).size).toBe(seen.length);
    expect(state).toEqual(new Set(end?.pods.map(({ metadata }) => metadata?.name)));
    expect(state.size).toBe(writers * each * 0.75);
  });

  test("from a version that is no longer kept, or not reached yet: OUT_OF_RANGE with what to do", async () => {
    await using stage = await startStage({ kind });
    const { pods } = stage.client();
    await pods.createPod({ pod: pod("a") });
    const { resourceVersion } = await pods.listPods({});
    await pods.updatePod({ pod: { metadata: { name: "a", labels: { x: "1" } } } });
    await pods.updatePod({ pod: { metadata: { name: "a", labels: { x: "2" } } } });
    const { revision } = await stage.store.status();
    await stage.store.compact(revision);
    const watch = (from: bigint) => collect(pods.watchPods({ resourceVersion: from }), () => true);
    expect(await refusal(watch(resourceVersion))).toMatchObject({
      code: "OutOfRange",
      message: expect.stringMatching(/^resource_version \d+ is too old: .*: list again, or watch from 0/),
    });
    expect(await refusal(watch(BigInt(revision + 100)))).toMatchObject({
      code: "OutOfRange",
      message: expect.stringContaining(`the store is at ${revision}`),
    });
  });
});
