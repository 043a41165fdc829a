import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createK8shostClient, type K8shostClient, PodPhase, ServiceType } from "@fiberlb/api/k8shost";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";

import { type EchoServer, startEchoServer, tally } from "./echo-server.ts";
import { type NodeProcess, startNode } from "./node-process.ts";
import { FIBERLB, Program, runFiberlb } from "./program.ts";
import { until } from "./until.ts";

jest.setTimeout(60_000);

const PORT = 8080;

let node: NodeProcess;
let folder: string;
let host: Program;
let client: K8shostClient;
let pods: EchoServer[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fiberlb-k8shost-"));
  node = await startNode();
  pods = await Promise.all(["p1", "p2", "p3"].map((name) => startEchoServer(name)));
  await startHost();
});

afterAll(async () => {
  client.close();
  await host.kill();
  await node.program.kill();
  await Promise.all(pods.map((pod) => pod.close()));
  for (const path of [folder, node.folder]) rmSync(path, { recursive: true });
});

async function startHost(): Promise<void> {
  const store = `sqlite:${join(folder, "k8shost.db")}`;
  host = new Program([...FIBERLB, "k8shost", "--listen", "127.0.0.1:0", "--store", store, "--server", node.api.url]);
  const [, port] = /"listen":"127\.0\.0\.1:(\d+)"/.exec(await host.untilLine(/k8shost started/)) ?? [];
  client = createK8shostClient({ baseUrl: `http://127.0.0.1:${port}`, org: "acme", project: "shop" });
}

/** A Pod that is an echo server of this process; all have one address, so that each says its own port. */
async function runPod({ name, port }: EchoServer): Promise<void> {
  const container = { name: "echo", image: "echo", ports: [{ name: "echo", containerPort: port }] };
  await client.pods.createPod({
    pod: { metadata: { name, labels: { app: "web" } }, spec: { containers: [container] } },
  });
  await setReady(name, true);
}

const setReady = (name: string, isReady: boolean) =>
  client.pods.updatePod({
    pod: {
      metadata: { name },
      status: {
        phase: PodPhase.RUNNING,
        podIp: "127.0.0.1",
        conditions: [{ type: "Ready", status: isReady ? 1 : 2 }],
      },
    },
    updateMask: { paths: ["status"] },
  });

const vipOf = async (): Promise<string> =>
  (await client.services.getService({ name: "web" })).service?.status?.loadBalancer?.ingress[0]?.ip ?? "";

test("a Service over the API gets a VIP that its Pods serve, also over the host's death, and goes without a trace", async () => {
  await runPod(pods[0]!);
  await runPod(pods[1]!);
  const ports = [{ port: PORT, target: { case: "targetPortName" as const, value: "echo" } }];
  const spec = { type: ServiceType.LOAD_BALANCER, selector: { app: "web" }, ports };
  const startMs = performance.now();
  await client.services.createService({ service: { metadata: { name: "web" }, spec } });
  const vip = await until("an ingress address", vipOf, (ip) => ip !== "");
  console.log(`VIP in the status after ${Math.round(performance.now() - startMs)} ms`);
  const serving = async (): Promise<string> =>
    Object.keys(await tally({ host: vip, port: PORT }, 30))
      .toSorted()
      .join();
  await until("both Pods", serving, (names) => names === "p1,p2");
  await setReady("p1", false);
  await until("one Pod", serving, (names) => names === "p2");

  await host.kill();
  client.close();
  await startHost();
  await runPod(pods[2]!);
  await until("the new Pod", serving, (names) => names === "p2,p3");
  expect(await vipOf()).toBe(vip);

  await client.services.deleteService({ name: "web" });
  await until(
    "the Service to go",
    async () => (await client.services.listServices({})).services.length,
    (count) => count === 0,
  );
  const answer = await fetch(`${node.api.url}/fiberlb.v1.LoadBalancerService/ListLoadBalancers`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-org-id": "acme", "x-project-id": "shop" },
    body: "{}",
  });
  expect(await answer.json()).toMatchObject({ loadBalancers: [] });

  host.signal("SIGTERM");
  expect(await host.ended).toMatchObject({ code: 0 });
});

const refusals: readonly (readonly [
  args: readonly string[],
  code: number,
  message: RegExp,
  env?: Record<string, string>,
])[] = [
  [["--listen", "0.0.0.0:0", "--store", "memory"], 1, /Cannot listen on 0\.0\.0\.0: everybody .* use tokens/],
  [["--listen", "6443"], 2, /--listen 6443: must be host:port/],
  [["--store", "postgres:x"], 2, /"postgres:x" names no store/],
  [["--api-cert", "cert.pem"], 2, /--api-cert and --api-key belong together/],
  [["--tokens", "/nowhere"], 2, /cannot read \/nowhere/],
  [
    ["--tokens", "/nowhere"],
    2,
    /--tokens and IAM_SERVER_ADDR are both given: choose one/,
    { IAM_SERVER_ADDR: "iam:50051" },
  ],
];

test("what is wrong with the command line is told in one line", async () => {
  const ends = await Promise.all(
    refusals.map(([args, , , env]) => runFiberlb(["k8shost", ...args], { ...(env && { env }) })),
  );
  for (const [index, { code, stderr }] of ends.entries()) {
    const [, expectedCode, message] = refusals[index]!;
    expect(stderr).toEqual([expect.stringMatching(message)]);
    expect(code).toBe(expectedCode);
  }
});
