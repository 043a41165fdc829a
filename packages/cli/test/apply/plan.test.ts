import { beforeEach, describe, expect, it } from "@jest/globals";

import { FakeWorld } from "../fake-io.ts";
import { applyText, WEB } from "../files.ts";

let world: FakeWorld;
beforeEach(() => {
  world = new FakeWorld();
});

/** The plan's lines, without the sums. */
async function planOf(text: string, ...flags: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await applyText(world, text, "--dry-run", ...flags);
  expect([code, stderr]).toEqual([0, ""]);
  return stdout.split("\n\n")[0] ?? "";
}

describe("the plan", () => {
  it("shows what is new as a tree, with what the file writes of it", async () => {
    expect((await applyText(world, WEB, "--dry-run")).stdout).toBe(`\
+   load balancer web
        vipAddress: 127.10.0.1
+     pool app
          protocol: HTTP
          algorithm: MAGLEV
+       health check
            type: HTTP
            intervalMs: 1000
            timeoutMs: 500
            http: {"method":"GET","path":"/","expectedCodes":"200"}
+       backend 127.0.0.1:9001
+       backend 127.0.0.1:9002
+     listener http
          protocol: HTTP
          port: 8080
          defaultPool: app
+       L7 policy api
            action: REDIRECT_TO_POOL
            pool: app
+         L7 rule #1
              type: PATH
              compareType: STARTS_WITH
              value: /api

plan: 8 to create, 0 to change, 0 to replace, 0 to delete
`);
    expect(world.server.writes).toEqual([]);
  });

  it("shows what changes field by field, below parents that stay", async () => {
    await applyText(world, WEB);
    const changed = WEB.replace("port: 9002", "port: 9003")
      .replace("intervalMs: 1000", "intervalMs: 2000, rise: 5")
      .replace("algorithm: MAGLEV", "");
    expect(await planOf(changed)).toBe(`\
    load balancer web
~     pool app
          algorithm: MAGLEV → ROUND_ROBIN
~       health check
            intervalMs: 1000 → 2000
            rise: 2 → 5
+       backend 127.0.0.1:9003
-       backend 127.0.0.1:9002`);
  });

  it("replaces what cannot change only with --replace, and points to the new one what names it", async () => {
    await applyText(world, WEB);
    const changed = WEB.replace("protocol: HTTP\n", "protocol: H2C\n");
    const refused = await applyText(world, changed);
    expect(refused).toMatchObject({
      code: 1,
      stderr: "error: pool web/app has to be replaced, because protocol cannot change: use --replace\n",
    });
    const plan = await planOf(changed, "--replace");
    expect(plan).toContain("-/+   pool app\n          protocol: HTTP → H2C\n");
    expect(plan).toContain("~     listener http\n          defaultPool: app (replaced)\n");
    expect(plan).toContain("~       L7 policy api\n            pool: app (replaced)");
  });

  it("resets fields that are no longer written, but keeps the VIP and names that were made up", async () => {
    await applyText(world, WEB.replace("vipAddress: 127.10.0.1", "description: old"));
    const [before] = world.server.rows("loadBalancer");
    expect(await planOf(WEB.replace("    vipAddress: 127.10.0.1\n", ""))).toBe(
      '~   load balancer web\n        description: old → ""',
    );
    await applyText(world, WEB.replace("    vipAddress: 127.10.0.1\n", ""));
    expect(world.server.rows("loadBalancer")[0]?.vipAddress).toBe(before?.vipAddress);
  });

  it("is empty the second time, whatever the spelling of enums and addresses", async () => {
    await applyText(world, WEB);
    const respelt = WEB.replace("algorithm: MAGLEV", "algorithm: POOL_ALGORITHM_MAGLEV").replace(
      "type: PATH",
      "type: path",
    );
    expect((await applyText(world, respelt)).stdout).toBe("no changes\n");
  });

  it("moves policies instead of rewriting them", async () => {
    const file = (...names: readonly string[]): string => `
loadBalancers:
  - name: web
    listeners:
      - { name: http, protocol: HTTP, port: 80, policies: [ ${names.map((name) => `{ name: ${name}, action: REJECT, rules: [ { type: PATH, compareType: EQUAL_TO, value: /${name} } ] }`).join(", ")} ] }
`;
    await applyText(world, file("a", "b", "c"));
    expect(await planOf(file("c", "a", "new", "b"))).toBe(`\
    load balancer web
      listener http
~       L7 policy c
            position: 3 → 1
+       L7 policy new
            action: REJECT
+         L7 rule #1
              type: PATH
              compareType: EQUAL_TO
              value: /new`);
    await applyText(world, file("c", "a", "new", "b"));
    const order = world.server.rows("l7Policy").toSorted((a, b) => a.position - b.position);
    expect(order.map(({ name }) => name)).toEqual(["c", "a", "new", "b"]);
  });

  it("leaves backends alone that registered themselves", async () => {
    await applyText(world, WEB);
    await world.run("create", "backend", "--pool", "app", "--address", "10.9.9.9", "--port", "1", "--ttl-s", "15");
    expect((await applyText(world, WEB)).stdout).toBe("no changes\n");
    expect((await world.run("export")).stdout).not.toContain("10.9.9.9");
  });

  it("with --exit-code exits 3 when there are changes, 0 when there are none", async () => {
    expect((await applyText(world, WEB, "--dry-run", "--exit-code")).code).toBe(3);
    await applyText(world, WEB);
    expect((await applyText(world, WEB, "--dry-run", "--exit-code")).code).toBe(0);
  });

  it("is coloured where the terminal is", async () => {
    world = new FakeWorld({ colour: true });
    expect((await applyText(world, WEB, "--dry-run")).stdout).toContain("\u001b[32m+   load balancer web\u001b[39m");
  });
});
