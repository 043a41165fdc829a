import { Code } from "@connectrpc/connect";
import { CertificateType, errorViolations, type FiberlbClient } from "@fiberlb/api";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import fc from "fast-check";

import { CERTIFICATE } from "./certificates.ts";
import { type FaultyKind, FAULTS, faultyFields } from "./faults.ts";
import { createTree, type Tree } from "./fixtures.ts";
import { type Harness, stateOf, startHarness } from "./harness.ts";
import { refusalOf } from "./refusals.ts";

/** Of each service: half of them creates, half updates. */
const REQUESTS = 300;

let harness: Harness;
let client: FiberlbClient;
let tree: Tree;
let ids: Record<FaultyKind, string>;
beforeAll(async () => {
  harness = await startHarness();
  client = harness.client();
  tree = await createTree(client);
  const { vipPools } = await client.vipPools.listVipPools({});
  const entries = Object.entries(tree).map(([kind, { id }]) => [kind, id]);
  ids = { ...Object.fromEntries(entries), vipPool: vipPools[0]?.id } as Record<FaultyKind, string>;
});
afterAll(() => harness.close());

type Rpc = (request: object) => Promise<unknown>;

interface Service {
  readonly create: Rpc;
  readonly update: Rpc;
  /** What a valid Create holds. */
  readonly valid: object;
}

function serviceOf(kind: FaultyKind): Service {
  const { loadBalancer, listener, pool, l7Policy } = tree;
  const services: Record<FaultyKind, Service> = {
    loadBalancer: {
      create: client.loadBalancers.createLoadBalancer,
      update: client.loadBalancers.updateLoadBalancer,
      valid: {},
    },
    listener: {
      create: client.listeners.createListener,
      update: client.listeners.updateListener,
      valid: { loadBalancerId: loadBalancer.id, protocol: 4, port: 9999 },
    },
    pool: {
      create: client.pools.createPool,
      update: client.pools.updatePool,
      valid: { loadBalancerId: loadBalancer.id, protocol: 1 },
    },
    backend: {
      create: client.backends.createBackend,
      update: client.backends.updateBackend,
      valid: { poolId: pool.id, address: "10.0.0.9", port: 80 },
    },
    healthCheck: {
      create: client.healthChecks.createHealthCheck,
      update: client.healthChecks.updateHealthCheck,
      valid: { poolId: pool.id, type: 2 },
    },
    l7Policy: {
      create: client.l7Policies.createL7Policy,
      update: client.l7Policies.updateL7Policy,
      valid: { listenerId: listener.id, action: 4 },
    },
    l7Rule: {
      create: client.l7Rules.createL7Rule,
      update: client.l7Rules.updateL7Rule,
      valid: { l7PolicyId: l7Policy.id, type: 2, compareType: 1, value: "/" },
    },
    certificate: {
      create: client.certificates.createCertificate,
      update: client.certificates.updateCertificate,
      valid: { type: CertificateType.SERVER, certificatePem: CERTIFICATE.pem, privateKeyPem: CERTIFICATE.keyPem },
    },
    vipPool: {
      create: client.vipPools.createVipPool,
      update: client.vipPools.updateVipPool,
      valid: { name: "v", cidrs: ["172.16.0.0/24"] },
    },
  };
  return services[kind];
}

async function violationsOf(call: Promise<unknown>): Promise<object> {
  const error = await refusalOf(call);
  return { code: Code[error.code], fields: [...new Set(errorViolations(error).map(({ field }) => field))].toSorted() };
}

describe.each(Object.keys(FAULTS) as FaultyKind[])("%s", (kind) => {
  test("is right without the faults", async () => {
    const { create, valid } = serviceOf(kind);
    if (kind === "healthCheck") return; // the pool has one: what is right about it is that this alone is refused
    await create({ ...valid, validateOnly: true });
  });

  test(`refuses ${REQUESTS / 2} wrong creates, naming exactly the wrong fields, and writes nothing`, async () => {
    const { create, valid } = serviceOf(kind);
    const before = await stateOf(harness.store);
    const property = fc.asyncProperty(faultyFields(kind, { update: false }), async ({ fields, violations }) => {
      expect(await violationsOf(create({ ...valid, ...fields }))).toEqual({
        code: "InvalidArgument",
        fields: violations,
      });
    });
    await fc.assert(property, { numRuns: REQUESTS / 2 });
    expect(await stateOf(harness.store)).toBe(before);
  });

  test(`refuses ${REQUESTS / 2} wrong updates in the same way`, async () => {
    const { update } = serviceOf(kind);
    const before = await stateOf(harness.store);
    const property = fc.asyncProperty(faultyFields(kind, { update: true }), async ({ fields, violations, mask }) => {
      const call = update({ [kind]: { id: ids[kind], ...fields }, updateMask: { paths: mask } });
      expect(await violationsOf(call)).toEqual({ code: "InvalidArgument", fields: violations });
    });
    await fc.assert(property, { numRuns: REQUESTS / 2 });
    expect(await stateOf(harness.store)).toBe(before);
  });
});
