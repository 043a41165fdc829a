import { beforeEach, describe, expect, it } from "@jest/globals";

import { FakeWorld } from "../fake-io.ts";
import { applyText, KEY, pem } from "../files.ts";

let world: FakeWorld;
beforeEach(() => {
  world = new FakeWorld();
});

const lb = (name: string, more = ""): string => `loadBalancers: [ { name: ${name}${more} } ]`;
const names = (): string[] => world.server.rows("loadBalancer").map(({ name }) => name);

describe("ownership", () => {
  it("marks what it makes with its set", async () => {
    await applyText(world, lb("web", ", tags: { team: shop }"), "--set", "edge");
    expect(world.server.rows("loadBalancer")[0]?.tags).toEqual({ team: "shop", "fiberlb.io/managed-by": "apply/edge" });
  });

  it("prunes only load balancers and certificates of its set", async () => {
    await applyText(
      world,
      `${lb("web")}\ncertificates: [ { name: ca, type: CLIENT_CA, certificatePem: ${JSON.stringify(pem("A"))} } ]`,
    );
    await applyText(world, lb("edge"), "--set", "edge");
    await world.run("create", "lb", "--name", "hand");
    await applyText(world, lb("shop"));
    expect(names()).toEqual(["web", "edge", "hand", "shop"]);
    await applyText(world, lb("shop"), "--prune");
    expect(names()).toEqual(["edge", "hand", "shop"]);
    expect(world.server.rows("certificate")).toEqual([]);
  });

  it("refuses what is not of its set, unless it is adopted", async () => {
    await world.run("create", "lb", "--name", "hand");
    await applyText(world, lb("edge"), "--set", "edge");
    expect((await applyText(world, lb("hand", ", description: x"))).stderr).toBe(
      "error: load balancer hand exists and was not made by apply: use --adopt to take it over\n",
    );
    expect((await applyText(world, lb("edge", ", description: x"))).stderr).toBe(
      "error: load balancer edge exists and is kept by apply/edge: use --set edge or --adopt to take it over\n",
    );
    const adopted = await applyText(world, lb("hand", ", description: x"), "--adopt");
    expect(adopted.stdout).toContain(
      'description: "" → x\n        tags fiberlb.io/managed-by: (none) → apply/default\n',
    );
    expect((await applyText(world, lb("hand", ", description: x"))).stdout).toBe("no changes\n");
  });

  it("says no changes of something that is as the file has it, whoever made it", async () => {
    await world.run("create", "lb", "--name", "hand", "--tag", "a=b");
    world.stdin = (await world.run("export", "hand")).stdout;
    expect((await world.run("apply", "-f", "-")).stdout).toBe("no changes\n");
  });

  it("stops before anything is changed when the server refuses a deletion", async () => {
    await applyText(world, lb("web", ", deleteProtection: true"));
    const { code, stderr } = await applyText(world, lb("shop"), "--prune");
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("cannot delete load balancer web: failed precondition: "),
    ]);
    expect(stderr).toContain("; nothing was changed");
    expect(names()).toEqual(["web"]);
  });

  it.each(["", "a b", "-x", "x".repeat(64)])("refuses the set %j", async (set) => {
    expect((await applyText(world, lb("web"), "--set", set)).code).toBe(2);
  });
});

const https = (content: string, extra = ""): string => `
certificates: [ { name: site, type: SERVER, certificatePem: ${JSON.stringify(content)}, privateKeyPem: ${JSON.stringify(KEY)} } ]
loadBalancers:
  - name: web
    pools: [ { name: app, protocol: HTTP } ]
    listeners: [ { name: https, protocol: HTTPS, port: 443, defaultPool: app, certificates: [ site ] ${extra} } ]
`;

describe("certificates", () => {
  it("are read from files beside the file", async () => {
    world.files.set("/etc/lb/site.crt", pem("A")).set("/etc/lb/keys/site.key", KEY);
    await applyText(
      world,
      "certificates: [ { name: site, type: SERVER, certificateFile: site.crt, privateKeyFile: keys/site.key } ]",
    );
    expect(world.server.rows("certificate")[0]).toMatchObject({ name: "site", certificatePem: pem("A") });
  });

  it("are compared by what they are, not how they are written", async () => {
    await applyText(world, https(pem("A")));
    expect((await applyText(world, https(`# site\r\n${pem("A").replaceAll("\n", "\r\n")}`))).stdout).toBe(
      "no changes\n",
    );
  });

  it("are renewed without a gap: new one, listeners pointed to it, old one gone, name handed on", async () => {
    await applyText(world, https(pem("A")));
    world.server.calls.length = 0;
    const { code, stdout } = await applyText(world, https(pem("B")));
    expect(code).toBe(0);
    expect(stdout).not.toContain("BEGIN");
    expect(stdout).toMatch(
      /^-\/\+ certificate site\n {8}certificatePem: SHA-256 [0-9a-f]{64} → SHA-256 [0-9a-f]{64}$/m,
    );
    expect(world.server.writes).toEqual([
      "createCertificate site~new",
      "updateListener https",
      "deleteCertificate site",
      "updateCertificate site",
    ]);
    expect(world.server.rows("certificate")).toMatchObject([{ name: "site", certificatePem: pem("B") }]);
    expect((await applyText(world, https(pem("B")))).stdout).toBe("no changes\n");
  });

  it("are renewed for listeners of other load balancers, too", async () => {
    await applyText(world, https(pem("A")));
    await world.run("create", "lb", "--name", "hand");
    await world.run(
      "create",
      "listener",
      "--load-balancer",
      "hand",
      "--name",
      "x",
      "--protocol",
      "https",
      "--port",
      "443",
      "--certificates",
      "site",
    );
    const { code, stdout } = await applyText(world, https(pem("B")));
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining('~   listener x\n        certificates: ["site"] (replaced)'),
    ]);
    const [certificate] = world.server.rows("certificate");
    expect(world.server.rows("listener").map(({ certificateIds }) => certificateIds)).toEqual([
      [certificate?.id],
      [certificate?.id],
    ]);
  });

  it("need their key only when they are made", async () => {
    await applyText(world, https(pem("A")));
    const keyless = (content: string): string => https(content).replace(/, privateKeyPem: "[^"]*"/, "");
    expect((await applyText(world, keyless(pem("A")))).stdout).toBe("no changes\n");
    expect((await applyText(world, keyless(pem("B")))).stderr).toBe(
      "error: certificate site has to be made and needs its key: name it in privateKeyFile\n",
    );
  });

  it("are exported with the load balancer that uses them, without keys", async () => {
    await applyText(world, https(pem("A")));
    await applyText(
      world,
      'certificates: [ { name: other, type: CLIENT_CA, certificatePem: "" } ]'.replace('""', JSON.stringify(pem("C"))),
      "--set",
      "x",
    );
    const { stdout } = await world.run("export", "web");
    expect(stdout).toContain("name: site");
    expect(stdout).not.toContain("other");
    expect(stdout).not.toContain("PRIVATE KEY");
    world.stdin = stdout;
    expect((await world.run("apply", "-f", "-")).stdout).toBe("no changes\n");
  });
});

describe("VIP pools", () => {
  it("are made and changed, never deleted", async () => {
    await applyText(world, "vipPools: [ { name: public, cidrs: [ 203.0.113.0/24 ] } ]");
    await applyText(
      world,
      "vipPools: [ { name: public, cidrs: [ 203.0.113.0/24, 198.51.100.0/24 ], autoAssign: false } ]",
    );
    await applyText(world, "vipPools: []", "--prune");
    expect(world.server.rows("vipPool")).toMatchObject([
      { name: "public", cidrs: ["203.0.113.0/24", "198.51.100.0/24"], autoAssign: false },
    ]);
    world.stdin = (await world.run("export", "--vip-pools")).stdout;
    expect((await world.run("apply", "-f", "-")).stdout).toBe("no changes\n");
  });
});
