import { describe, expect, it } from "@jest/globals";

import { FakeWorld } from "../fake-io.ts";
import { KEY, makeWeb, pem } from "../files.ts";

describe("create", () => {
  it("takes fields as flags, and says what it made", async () => {
    const world = new FakeWorld();
    const made = await world.run(
      "create",
      "lb",
      "--name",
      "web",
      "--vip-address",
      "127.10.0.1",
      "--tag",
      "a=b=c",
      "--tag",
      "d=",
    );
    const [web] = world.server.rows("loadBalancer");
    expect(made).toEqual({ code: 0, stdout: `created load balancer web (${web?.id})\n`, stderr: "" });
    expect(web).toMatchObject({ name: "web", vipAddress: "127.10.0.1", tags: { a: "b=c", d: "" } });
  });

  it("takes names for ids, enums in any spelling, nested fields and flags without a value", async () => {
    const world = new FakeWorld();
    await makeWeb(world);
    await world.run(
      "create",
      "backend",
      "--pool",
      "app",
      "--address",
      "10.0.0.6",
      "--port",
      "80",
      "--backup",
      "--weight",
      "0",
    );
    await world.run(
      "create",
      "hc",
      "--pool-id",
      "web/app",
      "--type",
      "tls-hello",
      "--admin-state-up=false",
      "--rise",
      "7",
    );
    await world.run(
      "create",
      "pool",
      "--load-balancer",
      "web",
      "--protocol",
      "POOL_PROTOCOL_HTTP",
      "--maglev.table-size",
      "7",
    );
    const [pool, http] = world.server.rows("pool");
    expect(world.server.rows("backend")[1]).toMatchObject({ poolId: pool?.id, backup: true, weight: 0 });
    expect(world.server.rows("healthCheck")[0]).toMatchObject({ type: "TLS_HELLO", adminStateUp: false, rise: 7 });
    expect(http).toMatchObject({ protocol: "HTTP", maglev: { tableSize: 7 } });
  });

  it("looks for a pool's name in the load balancer that is named beside it", async () => {
    const world = new FakeWorld();
    await makeWeb(world);
    await world.run("create", "lb", "--name", "shop");
    await world.run("create", "pool", "--load-balancer", "shop", "--name", "app");
    const made = await world.run(
      "create",
      "listener",
      "--load-balancer",
      "shop",
      "--protocol",
      "tcp",
      "--port",
      "90",
      "--default-pool",
      "app",
    );
    expect([made.code, made.stderr]).toEqual([0, ""]);
    const [listener, pool] = [world.server.rows("listener")[1], world.server.rows("pool")[1]];
    expect(listener?.defaultPoolId).toBe(pool?.id);
  });

  it("gives weighted pools as KEY=VALUE lists", async () => {
    const world = new FakeWorld();
    await world.run("create", "lb", "--name", "web");
    await world.run("create", "pool", "--load-balancer", "web", "--name", "app", "--protocol", "http");
    await world.run(
      "create",
      "listener",
      "--load-balancer",
      "web",
      "--name",
      "http",
      "--protocol",
      "http",
      "--port",
      "80",
    );
    const flags = ["--listener", "web/http", "--action", "redirect-to-pool", "--pools", "poolId=web/app,weight=3"];
    expect((await world.run("create", "l7policy", ...flags)).stderr).toBe("");
    const poolId = world.server.rows("pool")[0]?.id;
    expect(world.server.rows("l7Policy")[0]).toMatchObject({ pools: [{ poolId, weight: 3 }] });
  });

  it("reads a file, over which flags win", async () => {
    const world = new FakeWorld();
    world.files.set(
      "cert.yaml",
      JSON.stringify({ name: "old", type: "CERTIFICATE_TYPE_SERVER", certificatePem: pem("A"), privateKeyPem: KEY }),
    );
    expect((await world.run("create", "cert", "-f", "cert.yaml", "--name", "site")).stderr).toBe("");
    expect(world.server.rows("certificate")[0]).toMatchObject({ name: "site", type: "SERVER" });
  });

  it("does not say that it made what it only had judged", async () => {
    const judged = await new FakeWorld().run("create", "lb", "--name", "web", "--validate-only");
    expect(judged).toEqual({ code: 0, stdout: "load balancer web is valid; nothing was created\n", stderr: "" });
  });

  it("takes a certificate and its key from the files that flags name", async () => {
    const world = new FakeWorld();
    world.files.set("site.crt", pem("A"));
    world.files.set("site.key", KEY);
    const flags = ["--name", "site", "--type", "server", "--certificate-file", "site.crt"];
    expect((await world.run("create", "cert", ...flags, "--private-key-file", "site.key")).stderr).toBe("");
    expect(world.server.rows("certificate")[0]).toMatchObject({ name: "site", certificatePem: pem("A") });
    expect(await world.run("create", "cert", ...flags, "--private-key-file", "gone.key")).toMatchObject({
      code: 1,
      stderr: "error: cannot read gone.key: there is no such file\n",
    });
  });

  it("takes them from the files that a file names, relative to it", async () => {
    const world = new FakeWorld();
    const fields = { name: "site", type: "SERVER", certificateFile: "site.crt", privateKeyFile: "keys/site.key" };
    world.files.set("/etc/lb/cert.yaml", JSON.stringify(fields));
    world.files.set("/etc/lb/site.crt", pem("A"));
    world.files.set("/etc/lb/keys/site.key", KEY);
    expect((await world.run("create", "cert", "-f", "/etc/lb/cert.yaml")).stderr).toBe("");
    expect(world.server.rows("certificate")[0]).toMatchObject({ name: "site", certificatePem: pem("A") });
  });

  it.each([
    ["an unknown key", "nam: x", "unknown key; did you mean name?"],
    ["a value of the wrong type", "vipAddress: 5", "vip_address must be an IP address, not 5"],
    ["another enum", "ipFamily: IPV5", "ip_family must be one of IPV4, IPV6"],
    ["YAML that is none", "a: [", "f.yaml:1:"],
    ["a list", "[]", "must hold the fields of one load balancer"],
  ])("refuses a file with %s", async (_, content, problem) => {
    const world = new FakeWorld();
    world.files.set("f.yaml", content);
    const { code, stderr } = await world.run("create", "lb", "-f", "f.yaml");
    expect([code, stderr]).toEqual([1, expect.stringContaining(problem)]);
    expect(world.server.rows("loadBalancer")).toEqual([]);
  });

  it("says why a file cannot be read", async () => {
    const { code, stderr } = await new FakeWorld().run("create", "lb", "-f", "none.yaml");
    expect([code, stderr]).toEqual([1, "error: cannot read none.yaml: there is no such file\n"]);
  });

  it("shows the server's answer with -o json", async () => {
    const { stdout } = await new FakeWorld().run("create", "lb", "--name", "web", "-o", "json");
    expect(JSON.parse(stdout)).toMatchObject({
      loadBalancer: { name: "web", deleteProtection: false, statusReason: "" },
    });
  });

  it("tells all bad fields that the server refuses, in one line", async () => {
    const { code, stderr } = await new FakeWorld().run("create", "lb", "--vip-address", "1.2.3", "--name", " x");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: invalid argument: (name .*; vip_address .*|vip_address .*; name .*)\n$/);
  });

  it("makes nothing with --validate-only", async () => {
    const world = new FakeWorld();
    expect((await world.run("create", "lb", "--name", "web", "--validate-only")).code).toBe(0);
    expect(world.server.rows("loadBalancer")).toEqual([]);
  });
});
