import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";

import { type Api, type ApiError, declare, type Declared, untilProvisioned } from "./api.ts";
import { EchoClient, type EchoServer, startEchoServer } from "./echo-server.ts";
import { EtcdMember, whyNoEtcd } from "./etcd-member.ts";
import { newFolder, type NodeProcess, startNode, writeConfig } from "./node-process.ts";
import { runFiberlb } from "./program.ts";
import { until } from "./until.ts";

jest.setTimeout(120_000);

(whyNoEtcd ? describe.skip : describe)(`nodes that share an etcd${whyNoEtcd && ` (skipped: ${whyNoEtcd})`}`, () => {
  let etcd: EtcdMember;
  let backend: EchoServer;
  let clusters = 0;
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
  const makeKey = (): string => {
    const file = join(makeFolder(), "key");
    writeFileSync(file, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600 });
    return file;
  };
  const newCluster = () => ({ prefix: `/cluster-${clusters++}/`, keyFile: makeKey() });
  type Cluster = ReturnType<typeof newCluster>;
  const configOf = (name: string, { prefix, keyFile }: Cluster, folder: string) => ({
    node: { name, dataDir: join(folder, "data") },
    store: { kind: "etcd", endpoints: [etcd.url], prefix },
    secrets: { keyFile },
    shutdown: { drainTimeoutMs: 30_000 },
    dataPlane: { workers: 1 },
  });
  const start = async (name: string, cluster: Cluster): Promise<NodeProcess> => {
    const folder = makeFolder();
    const node = await startNode({ folder, config: configOf(name, cluster, folder) });
    nodes.push(node);
    return node;
  };
  const names = async (api: Api): Promise<string[]> => {
    const { loadBalancers = [] } = await api.call("LoadBalancerService/ListLoadBalancers", {});
    return (loadBalancers as readonly { name: string }[]).map(({ name }) => name);
  };

  /** On one host only one of two nodes can have the listener. */
  const served = (target: Declared): Promise<string> =>
    until(
      "somebody serves",
      () =>
        EchoClient.open(target).then(
          ({ server }) => server,
          (error: Error) => error.message,
        ),
      (answer) => answer === "b1",
    );

  test("what one node is told, the other serves; away, the store takes no traffic with it, and back it goes on", async () => {
    const cluster = newCluster();
    const [a, b] = [await start("a", cluster), await start("b", cluster)];
    const web = await declare(a.api, { name: "web", port: 7001, backends: [{ port: backend.port }] });
    expect(await names(b.api)).toEqual(["web"]);
    expect(await served(web)).toBe("b1");
    const connection = await EchoClient.open(web);

    await etcd.kill();
    const refused = await a.api.call("LoadBalancerService/CreateLoadBalancer", { name: "lost" }).catch((e) => e);
    expect(refused as ApiError).toMatchObject({ code: "unavailable" });
    expect(await connection.echo("during")).toBe("during");
    expect((await EchoClient.open(web)).server).toBe("b1");

    await etcd.start();
    await until(
      "the API works again",
      () => a.api.call("LoadBalancerService/CreateLoadBalancer", { name: "after" }).catch((error) => error as Error),
      (answer) => !(answer instanceof Error),
    );
    const more = await declare(a.api, { name: "more", port: 7002, backends: [{ port: backend.port }] });
    expect(await served(more)).toBe("b1");
    expect(await connection.echo("after")).toBe("after");
    expect((await names(b.api)).toSorted()).toEqual(["after", "more", "web"]);
  });

  test("a node with another key is refused, and told whose key it should have", async () => {
    const cluster = newCluster();
    await start("first", cluster);
    const folder = makeFolder();
    const keyFile = makeKey();
    const configFile = writeConfig(folder, configOf("second", { ...cluster, keyFile }, folder));
    const { code, stderr } = await runFiberlb(["serve", "--config", configFile]);
    expect(code).toBe(1);
    expect(stderr.at(-1)).toMatch(
      /secrets\.keyFile .* holds key [0-9a-f]{16}, .* sealed with key [0-9a-f]{16} \(of node first\); copy that node's key file/,
    );
  });

  test("a second process with the same folder is refused", async () => {
    const cluster = newCluster();
    const node = await start("one", cluster);
    const { code, stderr } = await runFiberlb(["serve", "--config", node.configFile]);
    expect(code).toBe(1);
    expect(stderr.at(-1)).toMatch(/another process has .*control\.sock; stop it, take over from it/);
  });

  test("a process takes over from another without losing a connection", async () => {
    const cluster = newCluster();
    const old = await start("one", cluster);
    const web = await declare(old.api, { name: "web", port: 7003, backends: [{ port: backend.port }] });
    await untilProvisioned(old.api, web);
    const connection = await EchoClient.open(web);
    const next = await startNode({
      folder: old.folder,
      config: configOf("one", cluster, old.folder),
      serveArguments: ["--takeover"],
    });
    nodes.push(next);
    expect(await connection.echo("still")).toBe("still");
    expect((await EchoClient.open(web)).server).toBe("b1");
    expect(await names(next.api)).toEqual(["web"]);
    connection.end();
  });

  test("a single node's store is copied into the cluster, and back into a file", async () => {
    const folder = makeFolder();
    const single = await startNode({ folder, config: { shutdown: { drainTimeoutMs: 0 } } });
    nodes.push(single);
    for (const name of ["api", "web"]) await single.api.call("LoadBalancerService/CreateLoadBalancer", { name });
    single.program.signal("SIGTERM");
    await single.program.ended;
    const cluster = { ...newCluster(), keyFile: join(folder, "fiberlb.key") };
    const configFile = writeConfig(makeFolder(), configOf("one", cluster, makeFolder()));
    const copy = (from: string, to: string, ...flags: readonly string[]) =>
      runFiberlb(["store", "copy", "--from", from, "--to", to, "--config", configFile, ...flags]);
    const file = `sqlite:${join(folder, "fiberlb.db")}`;

    const copied = await copy(file, `etcd:${etcd.url}`);
    expect(copied).toMatchObject({ code: 0, stderr: [] });
    expect(copied.stdout[0]).toMatch(/^copied \d+ keys from sqlite:.*, and read them back: sha256 [0-9a-f]{64}$/);
    expect(await names((await start("one", cluster)).api)).toEqual(["api", "web"]);

    const again = await copy(file, `etcd:${etcd.url}`);
    expect(again).toMatchObject({
      code: 1,
      stderr: [expect.stringMatching(/not empty: it holds \d+ keys; .*--overwrite/)],
    });
    const back = await copy(`etcd:${etcd.url}`, `sqlite:${join(folder, "back.db")}`);
    expect(back).toMatchObject({ code: 0, stdout: [expect.any(String), expect.stringMatching(/keys under leases/)] });
    const missing = await copy(`sqlite:${join(folder, "missing.db")}`, `sqlite:${join(folder, "new.db")}`);
    expect(missing).toMatchObject({ code: 1, stderr: [expect.stringContaining("missing.db")] });
    const wrong = await copy("mysql:x", file);
    expect(wrong).toMatchObject({ code: 2, stderr: [expect.stringContaining('"mysql:x" names no store')] });
  });

  test("an etcd that is not there: one line, with the member and why", async () => {
    const folder = makeFolder();
    const config = configOf("one", newCluster(), folder);
    const store = { ...config.store, endpoints: ["http://127.0.0.1:1"] };
    const { code, stderr } = await runFiberlb(["serve", "--config", writeConfig(folder, { ...config, store })]);
    expect(code).toBe(1);
    expect(stderr.at(-1)).toMatch(/Cannot reach etcd .*http:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/);
  });
});
