import { describe, expect, test } from "@jest/globals";

import { type Config, type ConfigResult, parseConfig } from "../../src/config/config.ts";
import { vipPoolSpecs } from "../../src/config/vip-pools.ts";

const parse = (text: string, env: Record<string, string> = {}): ConfigResult =>
  parseConfig({ file: { name: "fiberlb.yaml", text }, env });
const problems = (text: string): readonly string[] => {
  const result = parse(text);
  return result.ok ? [] : result.problems;
};

function configOf(text: string, env: Record<string, string> = {}): Config {
  const result = parse(text, env);
  if (!result.ok) throw new Error(result.problems.join("\n"));
  return result.config;
}

const MINIMAL = "asn: 64512, routerId: 10.0.0.1, peers: [{ address: 10.0.0.254, asn: 64500 }]";

describe("bgp", () => {
  test("is absent unless asked for", () => {
    expect(configOf("").bgp).toBeUndefined();
    expect(configOf("bgp:\n").bgp).toBeUndefined();
  });

  test("has a default for everything but who and with whom", () => {
    expect(configOf(`bgp: { ${MINIMAL} }`).bgp).toEqual({
      gobgp: "unix:///run/gobgp.sock",
      manage: true,
      asn: 64512,
      routerId: "10.0.0.1",
      peers: [{ address: "10.0.0.254", asn: 64500 }],
      nextHop: "self",
      nextHopV6: "self",
      communities: [],
      largeCommunities: [],
      aggregateV4: 32,
      aggregateV6: 128,
      whenAllDown: "announce",
      orphanTimeoutMs: 30_000,
    });
  });

  test("takes all that a peer and a route can have", () => {
    const bgp = configOf(`bgp:
  asn: 64512
  routerId: 10.0.0.1
  peers:
    - { address: 10.0.0.254, asn: 64500, port: 1179, passwordFile: /run/secrets/bgp, holdTimeS: 3, keepaliveS: 1, connectRetryS: 2,
        multihopTtl: 3, localAddress: 10.0.0.1, passive: true, bfd: { intervalMs: 50 }, gracefulRestart: { restartTimeS: 20 } }
    - { address: "fd00::fe", asn: 64501, bfd: {} }
  nextHop: 10.0.0.7
  nextHopV6: fd00::7
  communities: ["64512:100"]
  largeCommunities: ["64512:1:2"]
  localPref: 200
  med: 0
  aggregateV4: 24
  aggregateV6: 64
`).bgp;
    expect(bgp?.peers.map(({ bfd }) => bfd)).toEqual([
      { intervalMs: 50, multiplier: 3 },
      { intervalMs: 100, multiplier: 3 },
    ]);
    expect(bgp).toMatchObject({
      nextHop: "10.0.0.7",
      communities: ["64512:100"],
      localPref: 200,
      med: 0,
      aggregateV4: 24,
    });
  });

  test("can be given by the environment alone", () => {
    const env = {
      FIBERLB_BGP_ASN: "64512",
      FIBERLB_BGP_ROUTER_ID: "10.0.0.1",
      FIBERLB_BGP_PEERS: '[{"address":"10.0.0.254","asn":64500}]',
      FIBERLB_BGP_WHEN_ALL_DOWN: "withdraw",
    };
    expect(configOf("", env).bgp).toMatchObject({ asn: 64512, whenAllDown: "withdraw" });
  });

  test.each([
    ["{ manage: true }", "bgp.asn: is needed, unless bgp.manage is false"],
    ["{ manage: true }", "bgp.routerId: is needed, unless bgp.manage is false"],
    ["{ asn: 64512, routerId: 10.0.0.1 }", "bgp.peers: name at least one router, or set bgp.manage: false"],
    ["{ manage: false, peers: [{ address: 10.0.0.254, asn: 64500 }] }", "bgp.peers: the daemon's own configuration"],
    ["{ gobgp: /run/gobgp.sock }", 'bgp.gobgp: "/run/gobgp.sock" is no address of GoBGP\'s API'],
    ['{ asn: 1, routerId: "::1" }', 'bgp.routerId: "::1" is no IPv4 address'],
    [`{ ${MINIMAL}, communities: ["64512"] }`, "bgp.communities.0: must be 2 numbers of 0 to 65535"],
    [`{ ${MINIMAL}, nextHop: "fd00::1" }`, 'bgp.nextHop: must be "self" or an IPv4 address'],
    [`{ ${MINIMAL}, tls: { ca: ca.pem } }`, "bgp.tls: is for a daemon behind https://"],
    [`{ ${MINIMAL}, gobgp: "https://lb:50051", tls: { cert: a.pem } }`, "bgp.tls: cert and key go together"],
    [
      "{ asn: 1, routerId: 10.0.0.1, peers: [{ address: 10.0.0.2, asn: 2 }, { address: 10.0.0.2, asn: 3 }] }",
      "bgp.peers.1.address: 10.0.0.2 is there twice",
    ],
  ])("%s is refused", (section, message) => {
    expect(problems(`bgp: ${section}`)).toContainEqual(expect.stringContaining(message));
  });
});

describe("vipPools", () => {
  test("say how their VIPs are announced, in small letters as everything here", () => {
    const { vipPools } = configOf(`
bgp: { ${MINIMAL} }
vipPools:
  - { name: a, cidrs: [203.0.113.0/24], announce: { kind: bgp }, bgp: { med: 10, whenAllDown: withdraw } }
  - { name: b, cidrs: [192.0.2.0/24], announce: { kind: l2, interface: eth0 } }
  - { name: c, cidrs: [198.51.100.0/24] }
`);
    expect(vipPoolSpecs(vipPools ?? [])).toMatchObject([
      { announce: { kind: "BGP" }, bgp: { med: 10, whenAllDown: "WITHDRAW" } },
      { announce: { kind: "L2", interface: "eth0" } },
      { name: "c" },
    ]);
  });

  test.each([
    ["announce: { kind: bgp }", "vipPools.0.announce.kind: bgp needs the section bgp"],
    ["bgp: { med: 1 }", "vipPools.0.bgp: is without effect without the section bgp"],
    ["announce: { kind: l2 }", "vipPools.0.announce.interface is required with kind L2"],
  ])("with %s need what it is about", (part, message) => {
    expect(problems(`vipPools: [{ name: a, cidrs: [203.0.113.0/24], ${part} }]`)).toContainEqual(
      expect.stringContaining(message),
    );
  });
});
