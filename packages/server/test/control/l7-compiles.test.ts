import { type FiberlbClient, L7CompareType, L7PolicyAction, L7RuleType, ListenerProtocol } from "@fiberlb/api";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";

import { createListener, createLoadBalancer, createPolicy, must } from "./fixtures.ts";
import { type Harness, startHarness } from "./harness.ts";
import { expectInvalid } from "./refusals.ts";

let harness: Harness;
let client: FiberlbClient;
let listenerId: string;

beforeAll(async () => {
  harness = await startHarness({ vipPools: [{ name: "default", cidrs: ["127.10.0.0/16"] }] });
  harness.startNode();
  client = harness.client();
  const { id } = await createLoadBalancer(client);
  listenerId = (await createListener(client, id, { protocol: ListenerProtocol.HTTP, port: 80 })).id;
});
afterAll(() => harness.close());

describe("a regular expression", () => {
  const createRule = async (value: string) => {
    const { id: l7PolicyId } = await createPolicy(client, listenerId);
    const fields = { l7PolicyId, type: L7RuleType.PATH, compareType: L7CompareType.REGEX };
    return must((await client.l7Rules.createL7Rule({ ...fields, value })).l7Rule);
  };

  it.each(["(", "(?=a)", "[ab]{500}[cd]{600}"])("that the engine does not take is refused: %s", async (value) => {
    await expectInvalid(createRule(value), ["value"]);
  });

  it("that it takes is stored as it is, and not exchanged for one that it does not take", async () => {
    const { id, value } = await createRule("^/v[0-9]+/");
    expect(value).toBe("^/v[0-9]+/");
    await expectInvalid(client.l7Rules.updateL7Rule({ l7Rule: { id, value: "(" }, updateMask: { paths: ["value"] } }), [
      "value",
    ]);
  });
});

describe("a redirect", () => {
  const toUrl = { action: L7PolicyAction.REDIRECT_TO_URL };

  it("whose host would come out of the query is refused", async () => {
    await expectInvalid(createPolicy(client, listenerId, { ...toUrl, redirectUrl: "https://#{query}.example/" }), [
      "redirect_url",
    ]);
    const prefix = { action: L7PolicyAction.REDIRECT_PREFIX, redirectPrefix: "https://a.#{query}/" };
    await expectInvalid(createPolicy(client, listenerId, prefix), ["redirect_prefix"]);
  });

  it("may keep the client's host", async () => {
    const redirectUrl = "https://#{host}/#{path}?#{query}";
    expect((await createPolicy(client, listenerId, { ...toUrl, redirectUrl })).redirectUrl).toBe(redirectUrl);
  });
});
