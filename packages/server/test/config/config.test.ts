import { describe, expect, it, test } from "@jest/globals";

import { type ConfigResult, parseConfig, parseListen } from "../../src/config/config.ts";
import { configKeys, envName } from "../../src/config/keys.ts";
import { nearest } from "../../src/config/nearest.ts";
import { configSchema } from "../../src/config/schema.ts";

const fromFile = (text: string): ConfigResult => parseConfig({ file: { name: "fiberlb.yaml", text }, env: {} });
const problems = (result: ConfigResult): readonly string[] => (result.ok ? [] : result.problems);

describe("parseConfig", () => {
  it("gives every default when nothing is said", () => {
    const result = parseConfig({ env: {} });
    expect(result).toMatchObject({
      ok: true,
      config: {
        api: { listen: "127.0.0.1:9080" },
        admin: { listen: "127.0.0.1:9081" },
        store: { kind: "sqlite", path: "./fiberlb-data/fiberlb.db" },
        vipReuseDelayS: 60,
        dataPlane: { workers: "auto", l4: "auto", bind: "assign" },
        shutdown: { drainTimeoutMs: 30_000, withdrawWaitMs: 2000 },
      },
    });
  });

  it("lets the environment win over the file and flags over both", () => {
    const sources = {
      file: { name: "f.yaml", text: "shutdown: { drainTimeoutMs: 1 }\nstore: { kind: memory }\nlog: { level: warn }" },
      env: { FIBERLB_SHUTDOWN_DRAIN_TIMEOUT_MS: "2", FIBERLB_LOG_LEVEL: "error" },
      flags: { "shutdown.drainTimeoutMs": 3 },
    };
    expect(parseConfig(sources)).toMatchObject({
      ok: true,
      config: { shutdown: { drainTimeoutMs: 3 }, log: { level: "error" }, store: { kind: "memory" } },
    });
  });

  it("reads lists from the environment as JSON", () => {
    const env = { FIBERLB_BACKENDS_DENIED_CIDRS: '["10.0.0.0/8"]' };
    expect(parseConfig({ env })).toMatchObject({ ok: true, config: { backends: { deniedCidrs: ["10.0.0.0/8"] } } });
    expect(problems(parseConfig({ env: { FIBERLB_BACKENDS_DENIED_CIDRS: "10.0.0.0/8" } }))).toEqual([
      'FIBERLB_BACKENDS_DENIED_CIDRS: expected a JSON list, for example ["203.0.113.0/24"]',
    ]);
  });

  it("only warns of variables that are no keys, because others set such variables", () => {
    const result = parseConfig({
      env: { FIBERLB_SERVICE_HOST: "10.0.0.1", FIBERLB_SERVER: "http://x", FIBERLB_LOG_LEVLE: "debug" },
    });
    expect(result.ok && result.warnings).toEqual([
      "environment variable FIBERLB_SERVICE_HOST is no configuration key",
      "environment variable FIBERLB_LOG_LEVLE is no configuration key; did you mean FIBERLB_LOG_LEVEL?",
    ]);
  });

  test.each([
    ["apii: {}", 'fiberlb.yaml: unknown key "apii"; did you mean "api"?'],
    ["api: { lisen: x }", 'fiberlb.yaml: unknown key "api.lisen"; did you mean "listen"?'],
    [
      "dataPlane: { zzzzzzzz: 1 }",
      'fiberlb.yaml: unknown key "dataPlane.zzzzzzzz"; known here: workers, engine, l4, bind, onStop, routeOthers',
    ],
    [
      "vipPools: [{ name: a, cidr: [10.0.0.0/8] }]",
      'fiberlb.yaml: unknown key "vipPools.0.cidr"; did you mean "cidrs"?',
    ],
    [
      "vipPools: [{ name: a, cidrs: [10.0.0.0/8], announce: { kinds: l2 } }]",
      'fiberlb.yaml: unknown key "vipPools.0.announce.kinds"; did you mean "kind"?',
    ],
    [
      "bgp: { asn: 64512, routerId: 10.0.0.1, peers: [{ address: 10.0.0.254, asn: 64500, bfd: { intervalS: 1 } }] }",
      'fiberlb.yaml: unknown key "bgp.peers.0.bfd.intervalS"; did you mean "intervalMs"?',
    ],
    ["[1, 2]", 'fiberlb.yaml: expected a mapping of keys such as "api:" and "store:"'],
  ])("names what is wrong in %j", (text, message) => {
    expect(problems(fromFile(text))).toContain(message);
  });

  it("names the line of malformed YAML", () => {
    expect(problems(fromFile("api:\n  listen: [\n"))[0]).toMatch(/^fiberlb\.yaml:\d+: /);
  });

  it("says how an address must look", () => {
    expect(problems(fromFile("api: { listen: nine }"))).toEqual([
      'fiberlb.yaml: api.listen: "nine" is no address to listen on; write host:port, for example 127.0.0.1:9080',
    ]);
  });

  test.each([
    ["vipPools: [{ name: a, cidrs: [10.0.0.0/33] }]", "vipPools.0.cidrs[0] "],
    ["vipPools: [{ name: a, cidrs: [10.0.0.9-10.0.0.1] }]", "vipPools.0.cidrs[0] "],
    ["backends: { deniedCidrs: [here] }", "backends.deniedCidrs.0 "],
  ])("checks addresses in %j", (text, start) => {
    expect(problems(fromFile(text))).toEqual([expect.stringContaining(`fiberlb.yaml: ${start}`)]);
  });

  it("takes a section without content as absent", () => {
    expect(fromFile("api:\nstore:\n  kind: memory\n  path:\n")).toMatchObject({
      ok: true,
      config: { api: { listen: "127.0.0.1:9080" }, store: { kind: "memory", path: "./fiberlb-data/fiberlb.db" } },
    });
  });

  it("reports every mistake at once", () => {
    expect(problems(fromFile("apii: {}\nstore: { kind: mysql }\nshutdown: { drainTimeoutMs: -1 }"))).toHaveLength(3);
  });

  it("refuses an API without authentication that others can reach, unless told by name", () => {
    expect(problems(fromFile("api: { listen: 0.0.0.0:9080 }"))[0]).toContain("auth.allowInsecure: true");
    expect(fromFile("api: { listen: 0.0.0.0:9080 }\nauth: { allowInsecure: true }").ok).toBe(true);
  });

  it.each(["auth: { kind: jwt }", "dataPlane: { engine: linux }"])(
    "says of %s that this release has it not, instead of ignoring it",
    (text) => expect(problems(fromFile(text))[0]).toContain("is not in this release"),
  );

  it("takes an etcd cluster, also from the environment", () => {
    const text = "store: { kind: etcd, endpoints: [https://10.0.0.1:2379] }\nsecrets: { keyFile: /etc/fiberlb/key }";
    const fromEnv = { FIBERLB_STORE_ENDPOINTS: '["https://10.0.0.2:2379"]', FIBERLB_STORE_TLS_CA: "/etc/ca.pem" };
    const parsed = parseConfig({ file: { name: "f.yaml", text }, env: fromEnv });
    expect(parsed).toMatchObject({
      ok: true,
      config: { store: { endpoints: ["https://10.0.0.2:2379"], tls: { ca: "/etc/ca.pem" }, prefix: "/fiberlb/" } },
    });
  });

  it.each([
    ["", "store.endpoints: store.kind etcd needs the members' URLs"],
    [", endpoints: [10.0.0.1]", '"10.0.0.1" is no URL like https://10.0.0.1:2379'],
    [", endpoints: [http://a:2379], tls: { ca: ca.pem }", "http://a:2379 is cleartext and store.tls is set"],
    [", endpoints: [https://a:2379], tls: { cert: cert.pem }", "cert and key go together"],
    [", endpoints: [http://a:2379], username: fiberlb", "goes together with store.passwordFile"],
    [", endpoints: [http://a:2379], prefix: lb", 'store.prefix: "lb" must end with "/"'],
    [", endpoints: [http://a:2379]", "secrets.keyFile: store.kind etcd needs it, the same key on every node"],
  ])("says what an etcd store lacks: %s", (rest, problem) => {
    expect(problems(fromFile(`store: { kind: etcd${rest} }`)).join("\n")).toContain(problem);
  });

  it("takes an empty file as no file", () => {
    expect(fromFile("").ok).toBe(true);
    expect(fromFile("# only a comment\n").ok).toBe(true);
  });
});

describe("parseListen", () => {
  test.each([
    ["127.0.0.1:80", { host: "127.0.0.1", port: 80 }],
    ["[::1]:0", { host: "::1", port: 0 }],
    ["localhost:9080", { host: "localhost", port: 9080 }],
    ["::1:80", undefined],
    ["127.0.0.1", undefined],
    ["127.0.0.1:65536", undefined],
    ["", undefined],
  ])("%j → %j", (text, expected) => expect(parseListen(text)).toEqual(expected));
});

describe("configKeys", () => {
  it("knows every leaf once, with its variable and what it is for", () => {
    const keys = configKeys(configSchema);
    expect(new Set(keys.map((key) => key.env)).size).toBe(keys.length);
    expect(keys.find((key) => key.path === "dataPlane.l4")).toMatchObject({
      env: "FIBERLB_DATA_PLANE_L4",
      type: "auto, userspace, nftables",
      fallback: '"auto"',
    });
    expect(keys.filter((key) => key.description === "").map((key) => key.path)).toEqual([]);
  });
  it("writes camel case as upper snake", () =>
    expect(envName(["api", "clientCaFile"])).toBe("FIBERLB_API_CLIENT_CA_FILE"));
});

describe("nearest", () => {
  test.each([
    ["lisen", ["listen", "tls"], "listen"],
    ["LISTEN", ["listen"], "listen"],
    ["completely-else", ["listen", "tls"], undefined],
    ["x", [], undefined],
  ])("%j among %j → %j", (name, known, expected) => expect(nearest(name, known)).toBe(expected));
});
