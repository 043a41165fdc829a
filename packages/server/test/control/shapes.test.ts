import type { FiberlbClient } from "@fiberlb/api";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { CERTIFICATE } from "./certificates.ts";
import { createTree, type Tree } from "./fixtures.ts";
import { curl, type Harness, startHarness, stateOf } from "./harness.ts";

let harness: Harness;
let client: FiberlbClient;
let tree: Tree;
beforeAll(async () => {
  harness = await startHarness();
  harness.startNode();
  client = harness.client({ project: "shapes" });
  tree = await createTree(client);
});
afterAll(() => harness.close());

const headers = { "x-project-id": "shapes" };
const ask = (rpc: string, body: object) => curl(harness.baseUrl, rpc, body, headers);
type Json = Record<string, Record<string, unknown>>;

describe("JSON, as curl sends and gets it", () => {
  test("Create answers the resource in a field named after it, with every effective value", async () => {
    const { status, body } = await ask("LoadBalancerService/CreateLoadBalancer", { name: "curled" });
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(["loadBalancer"]);
    expect(body["loadBalancer"]).toMatchObject({
      orgId: "default",
      projectId: "shapes",
      name: "curled",
      description: "",
      tags: {},
      adminStateUp: true,
      revision: "1",
      deleteProtection: false,
      ipFamily: "IP_FAMILY_IPV4",
      vipPool: "default",
      provisioningStatus: "PROVISIONING_STATUS_ACTIVE",
    });
  });

  test("List answers the plural and nextPageToken, Delete an empty object", async () => {
    const { body } = await ask("PoolService/ListPools", { loadBalancerId: tree.loadBalancer.id });
    expect(body).toMatchObject({ pools: [{ id: tree.pool.id, name: "app" }], nextPageToken: "" });
    const made = (await ask("PoolService/CreatePool", { loadBalancerId: tree.loadBalancer.id })).body as Json;
    expect(await ask("PoolService/DeletePool", { id: made["pool"]?.["id"] })).toEqual({ status: 200, body: {} });
  });

  test("Update takes the resource with its id, and the mask as one text", async () => {
    const { status, body } = await ask("BackendService/UpdateBackend", {
      backend: { id: tree.backend.id, weight: 5, maxConnections: 10, description: "not in the mask" },
      updateMask: "weight,maxConnections",
    });
    expect({ status, ...body }).toMatchObject({
      status: 200,
      backend: { weight: 5, maxConnections: 10, description: "", revision: "2" },
    });
  });

  test("a refusal is the Connect error with google.rpc.BadRequest", async () => {
    const { status, body } = await ask("PoolService/CreatePool", { loadBalancerId: "x", drainTimeoutS: 1_000_000 });
    expect(status).toBe(400);
    expect(body).toMatchObject({
      code: "invalid_argument",
      message: expect.stringMatching(/load_balancer_id must be an id .*drain_timeout_s must be 0 to 86400/),
      details: [{ type: "google.rpc.BadRequest", debug: { fieldViolations: [{ reason: "INVALID_FORMAT" }, {}] } }],
    });
  });

  test("enums are read in full, and unknown fields are refused", async () => {
    const full = { loadBalancerId: tree.loadBalancer.id, protocol: "LISTENER_PROTOCOL_UDP", port: 5353 };
    expect((await ask("ListenerService/CreateListener", full)).body).toMatchObject({
      listener: { protocol: "LISTENER_PROTOCOL_UDP", clientIdleTimeoutMs: 60_000 },
    });
    expect(await ask("ListenerService/CreateListener", { ...full, colour: "red" })).toMatchObject({ status: 400 });
  });
});

describe("zero means zero", () => {
  const zeros: [string, object, Record<string, unknown>][] = [
    ["Pool", { drainTimeoutS: 0, adminStateUp: false }, { drainTimeoutS: 0, adminStateUp: false }],
    ["Backend", { address: "10.0.0.1", port: 1, weight: 0, adminStateUp: false }, { weight: 0, adminStateUp: false }],
    [
      "Listener",
      {
        protocol: "LISTENER_PROTOCOL_HTTP",
        port: 8888,
        addRequestId: false,
        clientIdleTimeoutMs: 0,
        backendConnectTimeoutMs: 0,
        backendIdleTimeoutMs: 0,
        requestHeaderTimeoutMs: 0,
      },
      {
        addRequestId: false,
        clientIdleTimeoutMs: 0,
        backendConnectTimeoutMs: 0,
        backendIdleTimeoutMs: 0,
        requestHeaderTimeoutMs: 0,
      },
    ],
  ];

  test.each(zeros)("%s: created with 0 and false, read back over JSON and gRPC", async (name, fields, expected) => {
    const parents = { loadBalancerId: tree.loadBalancer.id, poolId: tree.pool.id };
    const parent = name === "Backend" ? { poolId: parents.poolId } : { loadBalancerId: parents.loadBalancerId };
    const field = name.toLowerCase();
    const made = (await ask(`${name}Service/Create${name}`, { ...parent, ...fields })).body as Json;
    expect(made[field]).toMatchObject(expected);
    const id = String(made[field]?.["id"]);
    const read = (await ask(`${name}Service/Get${name}`, { id })).body as Json;
    expect(read[field]).toMatchObject(expected);
    const service = {
      Pool: client.pools.getPool,
      Backend: client.backends.getBackend,
      Listener: client.listeners.getListener,
    };
    const overGrpc = (await service[name as keyof typeof service]({ id })) as unknown as Json;
    expect(overGrpc[field]).toMatchObject(expected);
  });

  test("absent means the default, null in JSON, too", async () => {
    const { body } = await ask("PoolService/CreatePool", { loadBalancerId: tree.loadBalancer.id, drainTimeoutS: null });
    expect(body).toMatchObject({ pool: { drainTimeoutS: 30, adminStateUp: true, slowStartS: 0 } });
  });

  test("the mask without a value goes back to the default", async () => {
    const made = (await ask("PoolService/CreatePool", { loadBalancerId: tree.loadBalancer.id, drainTimeoutS: 5 }))
      .body as Json;
    const id = made["pool"]?.["id"];
    const { body } = await ask("PoolService/UpdatePool", { pool: { id }, updateMask: "drainTimeoutS" });
    expect(body).toMatchObject({ pool: { drainTimeoutS: 30 } });
  });
});

describe("private keys", () => {
  test("are in no answer, and not readable in the store", async () => {
    const { status, body } = await ask("CertificateService/GetCertificate", { id: tree.certificate.id });
    expect(status).toBe(200);
    expect(body["certificate"]).toMatchObject({
      type: "CERTIFICATE_TYPE_SERVER",
      subject: expect.stringContaining("CN=web.example.test"),
      sans: ["web.example.test", "localhost", "127.0.0.1"],
      fingerprintSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(JSON.stringify(body)).not.toMatch(/private|PRIVATE|sealed/);
    const { kvs } = await harness.store.range({ start: "", end: "\0" });
    const secret = CERTIFICATE.keyPem.split("\n")[1] as string;
    const stored = kvs.map(({ value }) => Buffer.from(value).toString());
    expect(stored.some((text) => text.includes(tree.certificate.fingerprintSha256))).toBe(true);
    expect(stored.filter((text) => text.includes(secret) || text.includes("PRIVATE KEY"))).toEqual([]);
  });

  test("stand in no error and no log either", async () => {
    const secret = "-----BEGIN PRIVATE KEY-----topsecret";
    const certificate = { type: 1, certificatePem: CERTIFICATE.pem, privateKeyPem: secret };
    const { status, body } = await ask("CertificateService/CreateCertificate", certificate);
    expect({ status, message: body["message"] }).toEqual({
      status: 400,
      message: "private_key_pem must be an unencrypted private key in PEM form",
    });
    expect(JSON.stringify([body, harness.calls, harness.logged])).not.toContain("topsecret");
  });
});

describe("validate_only", () => {
  test("of every write answers what would be, and writes nothing", async () => {
    const { loadBalancer, pool, backend } = tree;
    const before = await stateOf(harness.store);
    const made = await client.loadBalancers.createLoadBalancer({
      name: "trial",
      validateOnly: true,
      requestId: "trial",
    });
    expect(made.loadBalancer).toMatchObject({ name: "trial", vipAddress: expect.stringMatching(/^127\.10\./) });
    await client.backends.createBackend({ poolId: pool.id, address: "10.9.9.9", port: 1, ttlS: 5, validateOnly: true });
    const updateMask = { paths: ["weight"] };
    const changed = await client.backends.updateBackend({
      backend: { id: backend.id, weight: 9 },
      updateMask,
      validateOnly: true,
    });
    expect(changed.backend).toMatchObject({ weight: 9 });
    await client.loadBalancers.deleteLoadBalancer({ id: loadBalancer.id, cascade: true, validateOnly: true });
    await client.vipPools.createVipPool({ name: "trial", cidrs: ["10.0.0.0/8"], validateOnly: true });
    expect(await stateOf(harness.store)).toBe(before);
  });

  test("refuses what the write would refuse", async () => {
    const { loadBalancer, pool, backend } = tree;
    const again = client.backends.createBackend({
      poolId: pool.id,
      address: "127.0.0.1",
      port: 9001,
      validateOnly: true,
    });
    await expect(again).rejects.toThrow(/127\.0\.0\.1:9001/);
    const deleting = client.loadBalancers.deleteLoadBalancer({ id: loadBalancer.id, validateOnly: true });
    await expect(deleting).rejects.toThrow(/use cascade/);
    const stale = { backend: { id: backend.id, weight: 1, revision: 99n }, updateMask: { paths: ["weight"] } };
    await expect(client.backends.updateBackend({ ...stale, validateOnly: true })).rejects.toThrow(
      /revision 99 was sent/,
    );
  });
});
