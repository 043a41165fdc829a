import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";

import { type FiberlbClient, L7CompareType, L7PolicyAction, L7RuleType, PoolProtocol } from "@fiberlb/api";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";

import { TestAuthority } from "../data/tls/authority.ts";
import { type Curled, curl, whyNoCurl } from "./curl.ts";
import { type Declared, declare } from "./declare.ts";
import { addPolicy, addPool } from "./policies.ts";
import { startTestNode, type TestNode } from "./test-node.ts";

jest.setTimeout(60_000);

interface TlsBackend {
  readonly server: Server;
  readonly port: number;
}

/** A backend with a certificate of its own, which says its name. */
async function startTlsBackend(name: string, authority: TestAuthority): Promise<TlsBackend> {
  const { chainPem: cert, privateKeyPem: key } = authority.issue({ names: [name, "127.0.0.1"] });
  const server = createServer({ cert, key }, (_request, response) => void response.end(name));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

(whyNoCurl ? describe.skip : describe)(`TLS passthrough${whyNoCurl && ` (skipped: ${whyNoCurl})`}`, () => {
  const authority = new TestAuthority();
  let node: TestNode;
  let client: FiberlbClient;
  let backends: Record<"default" | "shop" | "wild", TlsBackend>;
  let lb: Declared;

  const rule = (value: string, compareType: L7CompareType = L7CompareType.EQUAL_TO) => ({
    type: L7RuleType.SNI,
    compareType,
    value,
  });

  beforeAll(async () => {
    const [other, shop, wild] = await Promise.all(
      ["default.example", "shop.example", "*.wild.example"].map((name) => startTlsBackend(name, authority)),
    );
    backends = { default: other!, shop: shop!, wild: wild! };
    node = await startTestNode();
    ({ client } = node);
    lb = await declare(client, { backends: [{ port: backends.default.port }] });
    const poolOf = (port: number): Promise<string> =>
      addPool(client, lb, { pool: { protocol: PoolProtocol.TCP }, ports: [port] });
    const lead = async (to: TlsBackend, ...rules: ReturnType<typeof rule>[]): Promise<void> => {
      const policy = { action: L7PolicyAction.REDIRECT_TO_POOL, redirectPoolId: await poolOf(to.port) };
      await addPolicy(client, lb, { policy, rules });
    };
    const reject = { action: L7PolicyAction.REJECT };
    await addPolicy(client, lb, { policy: reject, rules: [rule("no.wild.example")] });
    await lead(backends.shop, rule("shop.example"));
    await lead(backends.wild, rule("*.wild.example"));
    await lead(backends.shop, rule("^eu-[0-9]+\\.", L7CompareType.REGEX));
  });
  afterAll(async () => {
    await node?.stop();
    for (const { server } of Object.values(backends)) server.close();
  });

  /** Asks for a name; curl takes any certificate, and the answer says whose it was. */
  const ask = (name: string): Promise<Curled> =>
    curl(["-k", "--resolve", `${name}:${lb.port}:${lb.host}`, `https://${name}:${lb.port}/`]);

  test.each([
    ["shop.example", "shop.example"],
    ["SHOP.Example", "shop.example"],
    ["a.wild.example", "*.wild.example"],
    ["eu-7.example", "shop.example"],
    ["a.b.wild.example", "default.example"],
    ["nobody.example", "default.example"],
  ])("a client that asks for %s gets to %s, without TLS being ended here", async (name, backend) => {
    expect(await ask(name)).toMatchObject({ exitCode: 0, status: 200, body: backend });
  });

  test("a client that names no server gets to the default pool", async () => {
    const answer = await curl(["-k", `https://${lb.host}:${lb.port}/`]);
    expect(answer).toMatchObject({ status: 200, body: "default.example" });
  });

  test("a name that is rejected gets a reset", async () => {
    const before = await rejections();
    expect((await ask("no.wild.example")).status).toBe(0);
    expect(await rejections()).toEqual({ ...before, policy: (before["policy"] ?? 0) + 1 });
  });

  test("what is no TLS gets to the default pool, too", async () => {
    const before = await rejections();
    const answer = await curl([`http://${lb.host}:${lb.port}/`]);
    // The backend speaks nothing but TLS: it is the one that ends the connection.
    expect(answer.status).toBe(0);
    expect(await rejections()).toEqual(before);
  });

  /** Connections turned away, by reason. */
  async function rejections(): Promise<Readonly<Record<string, number>>> {
    const text = await (await fetch(`${node.server.adminUrl}/metrics`)).text();
    const samples = text.matchAll(/^fiberlb_listener_rejected_total\{.*reason="([\w-]+)".*\} (\d+)$/gm);
    return Object.fromEntries(Array.from(samples, ([, reason, count]) => [reason, Number(count)]));
  }
});
