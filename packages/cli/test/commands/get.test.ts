import { beforeEach, describe, expect, it } from "@jest/globals";

import { FakeWorld } from "../fake-io.ts";
import { makeWeb } from "../files.ts";

let world: FakeWorld;
beforeEach(async () => {
  world = new FakeWorld();
  await makeWeb(world);
});

const table = (text: string): string[][] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ {2,}/));

describe("get", () => {
  it("lists a kind as an aligned table with names for ids", async () => {
    const { code, stdout } = await world.run("get", "listeners");
    const { id } = world.server.rows("listener")[0] ?? {};
    expect(code).toBe(0);
    expect(table(stdout)).toEqual([
      ["NAME", "LOAD BALANCER", "PROTOCOL", "PORT", "DEFAULT POOL", "PROVISIONING", "STATUS", "ID", "REASON"],
      ["tcp", "web", "TCP", "80", "app", "ACTIVE", "ONLINE", id],
    ]);
  });

  it.each([
    ["lb", "web"],
    ["pool", "app"],
    ["backend", "b1"],
    ["backend", "web/app/b1"],
    ["backend", "web/app/10.0.0.5:8080"],
    ["backend", "10.0.0.5:8080"],
    ["listener", "web/tcp"],
  ])("finds a %s by %s", async (kind, name) => {
    const { code, stdout } = await world.run("get", kind, name);
    expect([code, table(stdout).length]).toEqual([0, 2]);
  });

  it("gives the RPC's answer as JSON, zeros included", async () => {
    const one = JSON.parse((await world.run("get", "backend", "b1", "-o", "json")).stdout) as object;
    expect(one).toMatchObject({
      backend: { name: "b1", weight: 1, backup: false, maxConnections: 0, metadata: {}, description: "" },
    });
    const list = JSON.parse((await world.run("get", "hc", "-o", "json")).stdout) as object;
    expect(list).toEqual({ healthChecks: [], nextPageToken: "" });
  });

  it("gives the same as YAML", async () => {
    expect((await world.run("get", "lb", "-o", "yaml")).stdout).toContain("loadBalancers:\n  - id: ");
  });

  it("narrows by parent and tag", async () => {
    await world.run("create", "lb", "--name", "shop", "--tag", "team=other");
    await world.run("create", "pool", "--load-balancer", "shop", "--name", "cart");
    const names = async (...argv: readonly string[]): Promise<unknown> =>
      table((await world.run(...argv)).stdout)
        .slice(1)
        .map(([name]) => name);
    expect(await names("get", "pools", "--lb", "shop")).toEqual(["cart"]);
    expect(await names("get", "lb", "--tag", "team=shop")).toEqual(["web"]);
  });

  it("reads every page", async () => {
    const [first] = world.server.rows("backend");
    for (let index = 0; index < 2100; index += 1)
      world.server.tables.get("backend")?.set(`x${index}`, { ...first, id: `x${index}` } as never);
    const { backends } = JSON.parse((await world.run("get", "backends", "-o", "json")).stdout) as {
      backends: unknown[];
    };
    expect(backends).toHaveLength(2101);
  });

  it("lists the ids of an ambiguous name and exits 1", async () => {
    await world.run("create", "lb", "--name", "shop");
    await world.run("create", "pool", "--load-balancer", "shop", "--name", "app");
    const ids = world.server.rows("pool").map(({ id }) => id);
    const { code, stderr } = await world.run("get", "pool", "app");
    expect(code).toBe(1);
    expect(stderr).toBe(
      `error: "app" is the name of 2 pools: ${ids.join(", ")}; name one by its id or path (PARENT/app)\n`,
    );
  });

  it("prints nothing where there is nothing", async () => {
    expect(await world.run("get", "certs")).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it.each([
    [["get", "loadbalancr"], 2, 'unknown kind "loadbalancr"; did you mean loadbalancer?'],
    [["get", "xyzzy"], 2, "one of loadbalancer, listener, pool"],
    [["get", "quota"], 1, "quota is not served by this server yet"],
    [["get", "pool", "nope"], 1, 'not found: no pool is named "nope"'],
    [["get", "lb", "-o", "xml"], 2, '--output must be one of table, json, yaml, not "xml"'],
    [["get", "lb", "--pool", "app"], 2, "--pool cannot narrow loadbalancer"],
    [["get", "backends", "--lb", "web"], 2, "use --pool"],
    [["get", "lb", "--tag", "x"], 2, '--tag must be KEY=VALUE, not "x"'],
    [["get"], 2, "missing required argument 'kind'"],
    [["get", "lb", "--colour"], 2, "unknown option '--colour'"],
    [["gte", "lb"], 2, "(Did you mean get?)"],
  ] as const)("%j exits %i", async (argv, code, message) => {
    const outcome = await world.run(...argv);
    expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringContaining(message)]);
    expect(outcome.stdout).toBe("");
  });
});

describe("the command describe", () => {
  it("shows every field, status first, and what is below", async () => {
    const { stdout } = await world.run("describe", "pool", "web/app");
    const lines = stdout.split("\n");
    expect(lines.slice(0, 4).map((line) => line.trim().split(/: +/)[0])).toEqual([
      "pool app",
      "id",
      "provisioningStatus",
      "operatingStatus",
    ]);
    expect(stdout).toMatch(/^ {2}slowStartS: +0$/m);
    expect(stdout).toMatch(/^ {2}maglev\.effectiveTableSize: +1021$/m);
    expect(stdout).toMatch(/^ {2}backend b1\n {4}id:/m);
  });
});

describe("delete", () => {
  it("deletes one resource by its path", async () => {
    const { code, stdout } = await world.run("delete", "backend", "web/app/b1");
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^deleted backend web\/app\/b1 \(.*\)\n$/)]);
    expect(world.server.rows("backend")).toEqual([]);
  });

  it("needs --cascade for what has something below it", async () => {
    expect(await world.run("delete", "lb", "web")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("use cascade"),
    });
    expect((await world.run("delete", "lb", "web", "--cascade")).code).toBe(0);
    expect(world.server.rows("backend")).toEqual([]);
  });

  it("refuses nodes", async () => {
    expect(await world.run("delete", "node", "n1")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("cannot be created, changed or deleted"),
    });
  });
});

describe("set", () => {
  it("changes just what is named, against the revision that it read", async () => {
    const seen: unknown[] = [];
    world.server.intercept = (method, request) => void (method === "updatePool" && seen.push(request));
    const { code, stdout } = await world.run(
      "set",
      "pool",
      "app",
      "algorithm=least-connections",
      "drain_timeout_s=5",
      "tags.a=b",
    );
    expect([code, stdout]).toEqual([0, "changed pool app: algorithm=least-connections drain_timeout_s=5 tags.a=b\n"]);
    expect(seen).toMatchObject([
      { pool: { revision: 1n }, updateMask: { paths: ["algorithm", "drain_timeout_s", "tags"] } },
    ]);
    expect(world.server.rows("pool")[0]).toMatchObject({
      algorithm: "LEAST_CONNECTIONS",
      drainTimeoutS: 5,
      tags: { a: "b" },
      name: "app",
    });
  });

  it("keeps other tags, removes one, resets a field", async () => {
    await world.run("set", "lb", "web", "tags.x=1", "description=hello");
    await world.run("set", "lb", "web", "tags.team=", "description=");
    expect(world.server.rows("loadBalancer")[0]).toMatchObject({ tags: { x: "1" }, description: "" });
  });

  it("takes names for ids and nested fields", async () => {
    await world.run("create", "pool", "--load-balancer", "web", "--name", "two");
    await world.run("set", "listener", "tcp", "defaultPool=two", "accessLog.format=JSON");
    const [, two] = world.server.rows("pool");
    expect(world.server.rows("listener")[0]).toMatchObject({ defaultPoolId: two?.id, accessLog: { format: "JSON" } });
  });

  it("says that somebody else was faster", async () => {
    world.server.intercept = (method) => {
      if (method !== "updateLoadBalancer") return;
      world.server.intercept = () => undefined;
      const [row] = world.server.rows("loadBalancer");
      world.server.tables.get("loadBalancer")?.set(String(row?.id), { ...row, revision: 9 } as never);
    };
    expect(await world.run("set", "lb", "web", "description=x")).toMatchObject({
      code: 1,
      stderr: "error: aborted: load balancer web has changed\n",
    });
  });

  it.each([
    ["weigth=1", 2, 'a backend has no field "weigth"; did you mean weight?'],
    ["weight", 2, 'expected field=value, not "weight"'],
    ["weight=many", 2, 'weight must be a whole number, not "many"'],
    ["backup=yes", 2, 'backup must be true or false, not "yes"'],
    ["weight=300", 1, "weight must be 0 to 256, not 300"],
    ["port=1", 1, "port cannot change"],
  ])("%s exits %i", async (assignment, code, message) => {
    const outcome = await world.run("set", "backend", "b1", assignment);
    expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringContaining(message)]);
  });
});
