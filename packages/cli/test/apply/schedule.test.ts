import { beforeEach, describe, expect, it } from "@jest/globals";

import { FakeWorld } from "../fake-io.ts";
import { applyText, WEB } from "../files.ts";

let world: FakeWorld;
beforeEach(async () => {
  world = new FakeWorld();
  await applyText(world, WEB);
  world.server.calls.length = 0;
});

/** The writes that lead from the example to a changed one. */
async function writesTo(text: string, ...flags: readonly string[]): Promise<readonly string[]> {
  const { code, stderr } = await applyText(world, text, ...flags);
  expect([code, stderr]).toEqual([0, ""]);
  const { writes } = world.server;
  expect((await applyText(world, text)).stdout).toBe("no changes\n");
  return writes;
}

describe("make before break", () => {
  it("adds the new backend before the old one goes", async () => {
    const writes = await writesTo(WEB.replace("port: 9002", "port: 9003"));
    expect(writes).toEqual([expect.stringMatching(/^createBackend /), expect.stringMatching(/^deleteBackend /)]);
  });

  it("hands a name on from a backend that goes to the one that comes", async () => {
    const named = WEB.replace("port: 9002 }", "port: 9002, name: two }");
    await writesTo(named);
    world.server.calls.length = 0;
    expect(await writesTo(named.replace("port: 9002", "port: 9003"))).toEqual([
      "createBackend two~new",
      "deleteBackend two",
      "updateBackend two",
    ]);
  });

  it("exchanges two names", async () => {
    const named = (a: string, b: string): string =>
      WEB.replace("port: 9001 }", `port: 9001, name: ${a} }`).replace("port: 9002 }", `port: 9002, name: ${b} }`);
    await writesTo(named("one", "two"));
    await writesTo(named("two", "one"));
    expect(world.server.rows("backend").map(({ port, name }) => `${port} ${name}`)).toEqual(["9001 two", "9002 one"]);
  });

  it("replaces a pool: the new one whole, traffic pointed to it, the old one gone, the name handed on", async () => {
    expect(await writesTo(WEB.replace("protocol: HTTP\n", "protocol: H2C\n"), "--replace")).toEqual([
      "createPool app~new",
      expect.stringMatching(/^createHealthCheck /),
      expect.stringMatching(/^createBackend /),
      expect.stringMatching(/^createBackend /),
      "updateListener http",
      "updateL7Policy api",
      "deletePool app",
      "updatePool app",
    ]);
  });

  it("opens another port before it closes the old one, and serves there only once the policies stand", async () => {
    expect(await writesTo(WEB.replace("port: 8080", "port: 8081"), "--replace")).toEqual([
      "createListener http~new",
      "createL7Policy api",
      expect.stringMatching(/^createL7Rule /),
      "updateListener http~new",
      "deleteListener http",
      "updateListener http",
    ]);
    expect(world.server.rows("listener")).toMatchObject([{ port: 8081, adminStateUp: true }]);
  });

  it("gives up a port first only when the new listener needs it", async () => {
    const renamed = WEB.replace("name: http, protocol", "name: site, protocol");
    expect((await writesTo(renamed))[0]).toBe("deleteListener http");
  });

  it("replaces a health check in place, of which a pool can have one", async () => {
    const writes = await writesTo(
      WEB.replace("type: HTTP, intervalMs: 1000, timeoutMs: 500, http: { path: / }", "type: TCP"),
      "--replace",
    );
    expect(writes).toEqual([
      expect.stringMatching(/^deleteHealthCheck /),
      expect.stringMatching(/^createHealthCheck /),
    ]);
  });

  it("builds the new load balancer whole before the old one goes", async () => {
    const writes = await writesTo(WEB.replace("127.10.0.1", "127.10.0.2"), "--replace");
    expect(writes.at(0)).toBe("createLoadBalancer web~new");
    expect(writes.slice(-2)).toEqual(["deleteLoadBalancer web", "updateLoadBalancer web"]);
  });

  it("lets a new policy match only once it has its rules", async () => {
    const added = WEB.replace(
      "policies: [ ",
      "policies: [ { name: admin, action: REJECT, rules: [ { type: PATH, compareType: STARTS_WITH, value: /admin } ] }, ",
    );
    const seen: unknown[] = [];
    world.server.intercept = (method, request) => {
      if (method.endsWith("L7Policy") && request["validateOnly"] !== true)
        seen.push(request["adminStateUp"] ?? request["l7Policy"]);
    };
    expect(await writesTo(added)).toEqual([
      "createL7Policy admin",
      expect.stringMatching(/^createL7Rule /),
      "updateL7Policy admin",
    ]);
    expect(seen).toMatchObject([false, { adminStateUp: true }]);
  });

  it("moves traffic away from a pool before it deletes it", async () => {
    const two = WEB.replace("    pools:\n", "    pools:\n      - { name: old, protocol: HTTP }\n").replace(
      "defaultPool: app",
      "defaultPool: old",
    );
    await writesTo(two);
    world.server.calls.length = 0;
    expect(await writesTo(WEB)).toEqual(["updateListener http", "deletePool old"]);
  });
});

describe("a failure", () => {
  it("stops, says what was done, exits 1; the next run goes on", async () => {
    const changed = WEB.replace("port: 9002", "port: 9003").replace("rules: [", "description: x, rules: [");
    world.server.intercept = (method, request) => {
      if (method === "updateL7Policy" && request["validateOnly"] !== true) throw new Error("disk full");
    };
    const failed = await applyText(world, changed);
    expect(failed.code).toBe(1);
    expect(failed.stdout).toContain("create backend web/app/127.0.0.1:9003: done\n");
    expect(failed.stderr).toMatch(
      /^error: stopped: cannot change L7 policy web\/http\/api: .*; 1 of 3 changes were made, run apply again to go on\n$/,
    );
    world.server.intercept = () => undefined;
    expect(await writesTo(changed)).toEqual([
      expect.stringMatching(/^createBackend /),
      "updateL7Policy api",
      expect.stringMatching(/^deleteBackend /),
    ]);
  });

  it("that validate_only foresees changes nothing", async () => {
    const shop = `loadBalancers: [ { name: shop, vipAddress: 127.10.0.1 } ]`;
    const { code, stdout, stderr } = await applyText(world, shop);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(
      "error: cannot create load balancer shop: already exists: VIP 127.10.0.1 is in use; nothing was changed\n",
    );
    expect(world.server.writes).toEqual([]);
  });
});
