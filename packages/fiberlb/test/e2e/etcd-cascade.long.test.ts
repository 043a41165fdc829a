import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { LIMITS, openEtcdStore, prefixRange, put, type Store } from "@fiberlb/store";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";

import { EtcdMember, whyNoEtcd } from "./etcd-member.ts";
import { newFolder, type NodeProcess, startNode } from "./node-process.ts";
import { until } from "./until.ts";

jest.setTimeout(20 * 60_000);

const CHILDREN = 10_000;

/** Writes all that there is of the backend at port 1 again and again, with other ids and ports: sooner than by the API. */
async function multiply(store: Store, id: string): Promise<void> {
  const { kvs } = await store.range(prefixRange("/lb/v1/t/"));
  const texts = kvs.map((kv) => ({ key: kv.key, value: Buffer.from(kv.value).toString() }));
  const parts = texts.filter(({ key, value }) => `${key} ${value}`.includes(id));
  const copy = (port: number) => {
    const otherId = id.slice(0, -5) + String(port).padStart(5, "0");
    // The end of the id is also in the name.
    const renamed = (text: string): string => text.replaceAll(id.slice(-12), otherId.slice(-12));
    return parts.map(({ key, value }) => {
      const otherKey = renamed(key).replace(/127\.0\.0\.1\/1$/, `127.0.0.1/${port}`);
      const otherValue = renamed(value).replace('"port":1,', `"port":${port},`);
      return put(otherKey, Buffer.from(otherValue));
    });
  };
  const perTransaction = Math.floor(LIMITS.txnOperations / parts.length);
  const ports = Array.from({ length: CHILDREN - 1 }, (_, index) => index + 2);
  for (let index = 0; index < ports.length; index += perTransaction)
    await store.txn({ success: ports.slice(index, index + perTransaction).flatMap(copy) });
}

(whyNoEtcd ? describe.skip : describe)(`many children in etcd${whyNoEtcd && ` (skipped: ${whyNoEtcd})`}`, () => {
  const folder = newFolder();
  let etcd: EtcdMember;
  let store: Store;
  let nodes: NodeProcess[];
  beforeAll(async () => {
    etcd = await EtcdMember.start();
    store = await openEtcdStore({ endpoints: [etcd.url], prefix: "/fiberlb/" });
    const keyFile = join(folder, "key");
    writeFileSync(keyFile, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600 });
    const start = (name: string) =>
      startNode({
        config: {
          node: { name, dataDir: join(folder, name) },
          store: { kind: "etcd", endpoints: [etcd.url] },
          secrets: { keyFile },
          dataPlane: { workers: 1 },
        },
      });
    nodes = [await start("a"), await start("b")];
  });
  afterAll(async () => {
    await Promise.all(nodes.map(({ program }) => program.kill()));
    await store.close();
    await etcd.kill();
    for (const one of [folder, etcd.folder, ...nodes.map((node) => node.folder)]) rmSync(one, { recursive: true });
  });

  const countChildren = async (): Promise<number> =>
    (await store.range({ ...prefixRange("/lb/v1/t/default/default/lb/"), countOnly: true })).count;

  test("are deleted in steps, also when the node dies in the middle", async () => {
    const [a, b] = nodes as [NodeProcess, NodeProcess];
    const { id } = await a.api.resource("LoadBalancerService/CreateLoadBalancer", { name: "large" });
    const pool = await a.api.resource("PoolService/CreatePool", { loadBalancerId: id });
    const first = { poolId: pool.id, address: "127.0.0.1", port: 1 };
    const { id: backendId } = await a.api.resource("BackendService/CreateBackend", first);
    await multiply(store, backendId);
    expect(await countChildren()).toBeGreaterThanOrEqual(CHILDREN);

    const deletedAt = performance.now();
    const deletion = a.api.call("LoadBalancerService/DeleteLoadBalancer", { id, cascade: true }).catch(() => undefined);
    await until("half of them are gone", countChildren, (count) => count < CHILDREN / 2);
    await a.program.kill();
    await deletion;
    expect(await countChildren()).toBeGreaterThan(0);
    await until("the other node has finished", countChildren, (count) => count === 0);
    console.log(
      `deleted after ${Math.round(performance.now() - deletedAt)} ms, the lease of the node that died included`,
    );
    await expect(b.api.call("LoadBalancerService/GetLoadBalancer", { id })).rejects.toMatchObject({
      code: "not_found",
    });
  });
});
