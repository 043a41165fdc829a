import { Code } from "@connectrpc/connect";
import { type FiberlbClient, ListenerProtocol, L7PolicyAction } from "@fiberlb/api";
import { createMemoryStore } from "@fiberlb/store";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { callsAbout } from "./calls.ts";
import { type CountingStore, countingStore } from "./counting-store.ts";
import { createListener, createLoadBalancer, createPolicy, createTree, type Tree } from "./fixtures.ts";
import { type Harness, stateOf, startHarness } from "./harness.ts";
import { refusalOf } from "./refusals.ts";

let counting: CountingStore;
let harness: Harness;
let owner: Tree;
let stranger: FiberlbClient;
/** The same tree with ids that nobody has. */
let nobodys: Tree;
const ownersView = async () => {
  const client = harness.client({ org: "acme", project: "prod" });
  const { loadBalancer } = await client.loadBalancers.getLoadBalancerStatus({ id: owner.loadBalancer.id });
  return loadBalancer;
};
let before: Awaited<ReturnType<typeof ownersView>>;

beforeAll(async () => {
  counting = countingStore(createMemoryStore());
  harness = await startHarness({ store: counting.store });
  owner = await createTree(harness.client({ org: "acme", project: "prod" }));
  nobodys = withoutOwner(owner);
  before = await ownersView();
  stranger = harness.client({ org: "acme", project: "staging" });
});
afterAll(async () => {
  await harness.close();
  await counting.store.close();
});

/** Ids of the same form, of which the last digits differ. */
function withoutOwner(tree: Tree): Tree {
  const entries = Object.entries(tree).map(([kind, entity]) => [kind, { ...entity, id: nobodysId(entity.id) }]);
  return Object.fromEntries(entries) as Tree;
}

const nobodysId = (id: string): string =>
  `${id.slice(0, -4)}${(Number.parseInt(id.slice(-4), 16) ^ 0xffff).toString(16).padStart(4, "0")}`;

/** What a caller can see of a refusal, with the id taken out, and what it cost the store. */
async function refusal(call: () => Promise<unknown>): Promise<object> {
  counting.take();
  const { code, rawMessage } = await refusalOf(call());
  const message = rawMessage.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<id>");
  return { code: Code[code], message, reads: counting.take() };
}

describe("another tenant's resource", () => {
  test("is as unknown as one that nobody has: code, message, number of store reads, for every RPC", async () => {
    const calls = callsAbout(owner);
    const unknown = callsAbout(nobodys);
    expect(calls.length).toBeGreaterThan(45);
    const revision = await stateOf(harness.store);
    for (const [index, { rpc, run }] of calls.entries()) {
      const foreign = await refusal(() => run(stranger));
      const absent = await refusal(() => (unknown[index] as (typeof unknown)[number]).run(stranger));
      expect({ rpc, ...foreign }).toEqual({ rpc, ...absent });
      expect({ rpc, ...foreign }).toMatchObject({ code: "NotFound" });
    }
    expect(await stateOf(harness.store)).toBe(revision);
  });

  test("is as unknown as a reference", async () => {
    const { id: loadBalancerId } = await createLoadBalancer(stranger);
    const listener = await createListener(stranger, loadBalancerId, { port: 1 });
    const references = (tree: Tree) => [
      () => createListener(stranger, loadBalancerId, { port: 2, defaultPoolId: tree.pool.id }),
      () =>
        createListener(stranger, loadBalancerId, {
          port: 3,
          protocol: ListenerProtocol.TLS,
          certificateIds: [tree.certificate.id],
        }),
      () =>
        createPolicy(stranger, listener.id, { action: L7PolicyAction.REDIRECT_TO_POOL, redirectPoolId: tree.pool.id }),
    ];
    const absent = references(nobodys);
    for (const [index, call] of references(owner).entries()) {
      const refused = await refusal(call);
      expect(refused).toEqual(await refusal(absent[index] as () => Promise<unknown>));
      expect(refused).toMatchObject({ code: "NotFound" });
    }
  });

  test("is in no list, and its name is no use", async () => {
    const lists = await Promise.all([
      stranger.pools.listPools({}),
      stranger.backends.listBackends({}),
      stranger.listeners.listListeners({}),
      stranger.certificates.listCertificates({}),
      stranger.loadBalancers.listLoadBalancers({ name: "web" }),
    ]);
    const ids = JSON.stringify(lists, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
    for (const { id } of Object.values(owner)) expect(ids).not.toContain(id);
    const resolved = await refusal(() => stranger.discovery.resolve({ name: "web" }));
    expect(resolved).toMatchObject({ code: "NotFound", message: "load balancer web does not exist" });
    await createLoadBalancer(stranger, { name: "web" });
  });

  test("stays untouched by all of that", async () => {
    expect(await ownersView()).toEqual(before);
  });
});

describe("the tenant of a call", () => {
  test("is default/default without headers", async () => {
    const byDefault = await createLoadBalancer(harness.client());
    expect(byDefault).toMatchObject({ orgId: "default", projectId: "default" });
    const { loadBalancer } = await harness
      .client({ org: "default", project: "default" })
      .loadBalancers.getLoadBalancer({ id: byDefault.id });
    expect(loadBalancer).toEqual(byDefault);
  });

  test("must have names that can stand in a key", async () => {
    const odd = harness.client({ org: "a/b", project: ".." });
    const refused = await refusalOf(odd.pools.listPools({}));
    expect(refused.code).toBe(Code.InvalidArgument);
    expect(refused.rawMessage).toMatch(/x-org-id .*x-project-id /);
  });
});
