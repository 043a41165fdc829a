import { describe, expect, it } from "@jest/globals";

import { FakeWorld } from "../fake-io.ts";
import { applyText } from "../files.ts";

const web = (inner: string): string => `loadBalancers: [ { name: web, ${inner} } ]`;
const listener = (inner: string, pools = "{ name: app, protocol: HTTP }"): string =>
  web(`pools: [ ${pools} ], listeners: [ { name: http, protocol: HTTP, port: 80, ${inner} } ]`);

describe("a file for apply", () => {
  it.each([
    ["loadbalancers: []", "loadbalancers: unknown key; did you mean loadBalancers?"],
    ["[]", "must be an object with vipPools, certificates, loadBalancers"],
    ["loadBalancers: { name: web }", "loadBalancers must be a list"],
    ["loadBalancers: [ web ]", "loadBalancers[0] must be an object"],
    ["loadBalancers: [ {} ]", "loadBalancers[0].name is required"],
    [web("vip: 127.0.0.1"), "loadBalancers[0].vip: unknown key"],
    [web("vip_address: 127.0.0.1"), "loadBalancers[0].vip_address: unknown key; did you mean vipAddress?"],
    [web("vipAddress: 127.0.0"), "loadBalancers[0].vipAddress must be an IPv4 or IPv6 address"],
    [
      web("pools: [ { name: a, protcol: TCP } ]"),
      "loadBalancers[0].pools[0].protcol: unknown key; did you mean protocol?",
    ],
    [
      web("pools: [ { name: a, algorithm: MAGLEF } ]"),
      "loadBalancers[0].pools[0].algorithm must be one of ROUND_ROBIN",
    ],
    [
      web("pools: [ { name: a, maglev: { effectiveTableSize: 7 } } ]"),
      "pools[0].maglev.effectiveTableSize: unknown key",
    ],
    [web("pools: [ { name: a }, { name: a } ]"), 'pools[1] name "a" is that of loadBalancers[0].pools[0], too'],
    [
      web("pools: [ { name: a, backends: [ { address: '::1', port: 1 }, { address: '0::1', port: 1 } ] } ]"),
      "address [::1]:1 is that of",
    ],
    [web("pools: [ { name: a, healthCheck: { type: UDP } } ]"), "pools[0].healthCheck.type cannot be UDP"],
    [
      web("pools: [ { name: a, healthCheck: { type: HTTP, http: { pth: / } } } ]"),
      "healthCheck.http.pth: unknown key; did you mean path?",
    ],
    [
      listener("defaultPool: ap"),
      'listeners[0].defaultPool names "ap", which is no pool of this load balancer; did you mean app?',
    ],
    [listener("defaultPoolId: app"), "listeners[0].defaultPoolId: unknown key; did you mean defaultPool?"],
    [
      listener("defaultPool: app", "{ name: app, protocol: TCP }"),
      "listeners[0].defaultPool must name a pool with protocol HTTP, HTTPS, H2C",
    ],
    [listener("certificates: [ x ]"), "listeners[0].certificates can only be used with protocol TLS or HTTPS"],
    [listener("policies: [ { action: REJECT, position: 1 } ]"), "the order in the file is the order of the policies"],
    [listener("policies: [ { action: REDIRECT_TO_POOL, pool: x } ]"), 'policies[0].pool names "x", which is no pool'],
    [
      listener("policies: [ { action: REDIRECT_TO_POOL, pools: [ { pool: x } ] } ]"),
      'policies[0].pools[0].pool names "x"',
    ],
    [
      listener("policies: [ { action: REJECT, rules: [ { type: SNI, compareType: EQUAL_TO, value: a } ] } ]"),
      "rules[0].type cannot be SNI on an HTTP listener",
    ],
    [
      web("listeners: [ { name: a, protocol: TCP, port: 1 }, { name: b, protocol: TLS, port: 1 } ]"),
      "listeners[1].certificates must name at least one certificate",
    ],
    [
      web("listeners: [ { name: a, protocol: HTTPS, port: 1, certificates: [ nope ] } ]"),
      'certificates names "nope", which is no certificate',
    ],
    [
      "certificates: [ { name: a, type: SERVER, certificateFile: none.crt } ]",
      "certificates[0].certificateFile cannot read /etc/lb/none.crt: there is no such file",
    ],
    ["certificates: [ { name: a, type: SERVER, certificateFile: [] } ]", "certificateFile must be the path of a file"],
    ["a: 1\na: 2", "web.yaml:2:1: Map keys must be unique"],
    ["a: [", "web.yaml:1:"],
  ])("%j is refused: %s", async (text, problem) => {
    const world = new FakeWorld();
    const { code, stdout, stderr } = await applyText(world, text);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(problem);
    expect(stderr).toMatch(/^error: \/etc\/lb\/web\.yaml[: ].*\n$/);
    expect(world.server.writes).toEqual([]);
  });

  it("tells everything that is wrong at once", async () => {
    const { stderr } = await applyText(
      new FakeWorld(),
      web("vipp: 1, listeners: [ { name: a, protocol: TCP, port: 0, ports: 1 } ]"),
    );
    expect(stderr.split("; loadBalancers")).toHaveLength(3);
  });

  it.each(["", "loadBalancers:", "{}", "# nothing\n"])("%j declares nothing", async (text) => {
    expect(await applyText(new FakeWorld(), text)).toEqual({ code: 0, stdout: "no changes\n", stderr: "" });
  });

  it("is JSON as well", async () => {
    expect((await applyText(new FakeWorld(), '{"loadBalancers":[{"name":"web"}]}')).code).toBe(0);
  });

  it("allows the same port for TCP and UDP", async () => {
    const text = web("listeners: [ { name: a, protocol: TCP, port: 53 }, { name: b, protocol: UDP, port: 53 } ]");
    expect((await applyText(new FakeWorld(), text)).code).toBe(0);
    const twice = web("listeners: [ { name: a, protocol: TCP, port: 53 }, { name: b, protocol: HTTP, port: 53 } ]");
    expect((await applyText(new FakeWorld(), twice)).stderr).toContain("listeners[1] port 53 for HTTP is that of");
  });
});
