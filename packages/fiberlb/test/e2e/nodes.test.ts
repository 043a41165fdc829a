import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";

import { declare, untilProvisioned } from "./api.ts";
import { EchoClient, type EchoServer, startEchoServer } from "./echo-server.ts";
import { EtcdMember, whyNoEtcd } from "./etcd-member.ts";
import { newFolder, type NodeProcess, startNode } from "./node-process.ts";
import { runFiberlb } from "./program.ts";
import { until } from "./until.ts";

jest.setTimeout(120_000);

(whyNoEtcd ? describe.skip : describe)(`nodes of an etcd cluster${whyNoEtcd && ` (skipped: ${whyNoEtcd})`}`, () => {
  let etcd: EtcdMember;
  let backend: EchoServer;
  const nodes: NodeProcess[] = [];
  const folders: string[] = [];
  beforeAll(async () => {
    etcd = await EtcdMember.start();
    backend = await startEchoServer("b1");
  });
  afterEach(async () => {
    await Promise.all(nodes.splice(0).map(({ program }) => program.kill()));
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });
  afterAll(async () => {
    await etcd.kill();
    await backend.close();
    rmSync(etcd.folder, { recursive: true });
  });

  const makeFolder = (): string => {
    const folder = newFolder();
    folders.push(folder);
    return folder;
  };
  let clusters = 0;
  const newCluster = () => {
    const keyFile = join(makeFolder(), "key");
    writeFileSync(keyFile, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600 });
    return { prefix: `/nodes-${clusters++}/`, keyFile };
  };
  type Cluster = ReturnType<typeof newCluster>;
  const configOf = (name: string, { prefix, keyFile }: Cluster, folder: string) => ({
    node: { name, dataDir: join(folder, "data") },
    store: { kind: "etcd", endpoints: [etcd.url], prefix },
    secrets: { keyFile },
    dataPlane: { workers: 1 },
  });
  const start = async (name: string, cluster: Cluster, folder = makeFolder()): Promise<NodeProcess> => {
    const node = await startNode({ folder, config: configOf(name, cluster, folder) });
    nodes.push(node);
    return node;
  };
  const namesOf = async ({ api }: NodeProcess): Promise<string> => {
    const { nodes: found = [] } = await api.call("NodeService/ListNodes", {});
    return (found as readonly { name: string }[]).map(({ name }) => name).join();
  };
  const untilNodes = (seenBy: NodeProcess, wanted: string) =>
    until(
      `the nodes are ${wanted}`,
      () => namesOf(seenBy),
      (names) => names === wanted,
    );
  const fiberlb = (node: NodeProcess, ...argv: readonly string[]) => runFiberlb(["--server", node.api.url, ...argv]);

  test("one of two is drained and put back, from the other, by the command line", async () => {
    const cluster = newCluster();
    const [a, b] = [await start("a", cluster), await start("b", cluster)];
    const listed = await fiberlb(a, "get", "nodes");
    expect(listed.stdout.map((line) => line.split(/ {2,}/)[0])).toEqual(["NAME", "a", "b"]);
    expect(await fiberlb(a, "drain", "b", "--timeout", "30")).toMatchObject({ code: 0 });
    expect((await fetch(`${b.adminUrl}/readyz`)).status).toBe(503);
    expect((await fetch(`${a.adminUrl}/readyz`)).status).toBe(200);
    expect((await fiberlb(a, "get", "node", "b")).stdout.at(-1)).toContain("DRAINED");
    expect(await fiberlb(a, "undrain", "b")).toMatchObject({ code: 0 });
    await until(
      "b is ready",
      async () => (await fetch(`${b.adminUrl}/readyz`)).status,
      (status) => status === 200,
    );
  });

  test("one that crashed and is started again is let in at once; one that stays away is gone when its lease ends", async () => {
    const cluster = newCluster();
    const [a, crashed] = [await start("a", cluster), await start("b", cluster)];
    await crashed.program.kill();
    // The dead one's lease lives; only whoever has its folder may be this node now.
    const b = await start("b", cluster, crashed.folder);
    await untilNodes(a, "a,b");
    const killedMs = Date.now();
    await b.program.kill();
    await untilNodes(a, "a");
    const goneMs = Date.now() - killedMs;
    process.stdout.write(`a node that was killed counted for another ${goneMs} ms\n`);
    // Its lease of 10 s, which etcd looks after twice a second, and the time to ask.
    expect(goneMs).toBeLessThanOrEqual(12_000);
  });

  test("started while etcd is away, a node forwards what it applied last, and goes on from there", async () => {
    const cluster = newCluster();
    const before = await start("a", cluster);
    const web = await declare(before.api, { name: "web", port: 7101, backends: [{ port: backend.port }] });
    await untilProvisioned(before.api, web);
    before.program.signal("SIGTERM");
    await before.program.ended;
    await etcd.kill();

    const again = await start("a", cluster, before.folder);
    expect((await EchoClient.open(web)).server).toBe("b1");
    const refused = await again.api.call("LoadBalancerService/ListLoadBalancers", {}).catch((error) => error);
    expect(refused).toMatchObject({ code: "unavailable" });
    expect(again.program.stderr.join("\n")).toContain("what was applied last is forwarded");
    expect((await fetch(`${again.adminUrl}/readyz`)).status).toBe(200);
    expect((await fetch(`${again.adminUrl}/readyz/api`)).status).toBe(503);

    await etcd.start();
    const more = await until(
      "the API works",
      () =>
        declare(again.api, { name: "more", port: 7102, backends: [{ port: backend.port }] }).catch(
          (error) => error as Error,
        ),
      (answer) => !(answer instanceof Error),
    );
    if (more instanceof Error) throw more;
    await untilProvisioned(again.api, more);
    expect((await EchoClient.open(more)).server).toBe("b1");
    expect((await EchoClient.open(web)).server).toBe("b1");
  });
});
