import { describe, expect, it } from "@jest/globals";

import type { ResourceKind } from "../src/index.ts";
import { check, minimal, sentences, specOfMinimal } from "./samples.ts";

type Case = readonly [fields: object, ...sentences: string[]];

const refused = (kind: ResourceKind, cases: readonly Case[]): void => {
  it.each(cases)("%p is refused", (fields, ...expected) => {
    expect(sentences(check(kind, fields))).toEqual(expected);
  });
};

describe("load balancer", () => {
  refused("loadBalancer", [
    [{ vipAddress: "127.1" }, 'vip_address must be an IPv4 or IPv6 address, not "127.1"'],
    [{ vipAddress: "::ffff:10.0.0.1" }, "vip_address must be written as IPv4: 10.0.0.1"],
    [{ vipAddress: "0.0.0.0" }, "vip_address must be the address of one host, not the unspecified address 0.0.0.0"],
    [{ vipAddress: "239.0.0.1" }, "vip_address must be the address of one host, not the multicast address 239.0.0.1"],
    [{ vipAddress: "2001:db8::1", ipFamily: "IPV4" }, "ip_family must be IPV6 like vip_address 2001:db8::1"],
    [{ deleteProtection: "yes" }, 'delete_protection must be true or false, not "yes"'],
  ]);

  it("takes its family from the address that is asked for", () => {
    expect(specOfMinimal("loadBalancer", { vipAddress: "2001:DB8::1" })).toMatchObject({
      vipAddress: "2001:db8::1",
      ipFamily: "IPV6",
    });
    expect(specOfMinimal("loadBalancer", { ipFamily: "IPV6" }).ipFamily).toBe("IPV6");
  });
});

describe("backend", () => {
  refused("backend", [
    [{ weight: 257 }, "weight must be 0 to 256, not 257"],
    [{ weight: 1.5 }, "weight must be 0 to 256, not 1.5"],
    [{ address: "10.0.0.256" }, 'address must be an IP address or a DNS name, not "10.0.0.256"'],
    [{ address: "10.0.0.1:80" }, 'address must be an IP address or a DNS name, not "10.0.0.1:80"'],
    [{ monitorAddress: "::" }, "monitor_address must be the address of one host, not the unspecified address ::"],
    [{ monitorPort: 65_536 }, "monitor_port must be 0 to 65535, not 65536"],
    [{ metadata: { a: "x".repeat(1025) } }, 'metadata["a"] must have at most 1024 characters, not 1025'],
    [{ poolId: undefined, port: undefined }, "pool_id is required", "port is required"],
  ]);

  it("keeps addresses and names in one spelling", () => {
    expect(specOfMinimal("backend", { address: "APP.Internal." }).address).toBe("app.internal");
    expect(specOfMinimal("backend", { address: "2001:DB8:0:0::1" }).address).toBe("2001:db8::1");
  });
});

describe("health check", () => {
  refused("healthCheck", [
    [{ timeoutMs: 6000 }, "timeout_ms must be at most interval_ms (5000), not 6000"],
    [{ intervalMs: 9 }, "interval_ms must be 10 to 3600000, not 9"],
    [{ rise: 0, fall: 101 }, "rise must be 1 to 100, not 0", "fall must be 1 to 100, not 101"],
    [{ http: { path: "/" } }, "http can only be used with type HTTP or HTTPS, not with TCP"],
    [{ grpcService: "a.B" }, "grpc_service can only be used with type GRPC, not with TCP"],
    [
      { type: "HTTP", http: { expectedCodes: "2xx" } },
      'http.expected_codes must be status codes such as 200, 200,204 or 200-299, not "2xx"',
    ],
    [
      { type: "HTTP", http: { path: "health" } },
      'http.path must be a path that begins with "/", without spaces, not "health"',
    ],
    [
      { type: "HTTP", http: { path: "/a\r\nX: y" } },
      'http.path must be a path that begins with "/", without spaces, not "/a\\r\\nX: y"',
    ],
    [{ type: "HTTP", http: { host: "a b" } }, 'http.host must be a host name, with a port if need be, not "a b"'],
    [{ type: "PING" }, 'type must be one of TCP, HTTP, HTTPS, TLS_HELLO, UDP, GRPC, not "PING"'],
  ]);

  it("takes an interval as short as its timeout", () => {
    expect(specOfMinimal("healthCheck", { intervalMs: 100, timeoutMs: 100 })).toMatchObject({ timeoutMs: 100 });
    expect(specOfMinimal("healthCheck", { intervalMs: 1000 })).toMatchObject({ timeoutMs: 1000 });
    expect(specOfMinimal("healthCheck", { intervalMs: 9000 })).toMatchObject({ timeoutMs: 2000 });
  });
});

describe("certificate", () => {
  const { privateKeyPem } = minimal.certificate;
  refused("certificate", [
    [{ privateKeyPem: undefined }, "private_key_pem is required with type SERVER"],
    [
      { type: "CLIENT_CA" },
      "private_key_pem must not be given with type CLIENT_CA: a CA's key has no place on a load balancer",
    ],
    [{ certificatePem: privateKeyPem }, "certificate_pem must be a certificate in PEM form"],
    ...[privateKeyPem, "-----BEGIN EC PRIVATE KEY-----\nMI"].map((key): Case => [
      { certificatePem: [minimal.certificate["certificatePem"], key].join("\n") },
      "certificate_pem must not hold a private key: put that into private_key_pem",
    ]),
    [{ privateKeyPem: "KEY" }, "private_key_pem must be an unencrypted private key in PEM form"],
    ...[
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\nx\n-----END ENCRYPTED PRIVATE KEY-----",
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nx\n-----END RSA PRIVATE KEY-----",
    ].map((encrypted): Case => [
      { privateKeyPem: encrypted },
      "private_key_pem must not be encrypted: remove its passphrase (openssl pkey -in KEY -out PLAIN_KEY); " +
        "it is encrypted here when it is stored",
    ]),
    [{ adminStateUp: true }, "admin_state_up is not a field that a certificate takes"],
  ]);

  it("never repeats a private key in a message", () => {
    const secret = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END RSA-----";
    expect(JSON.stringify(check("certificate", { privateKeyPem: secret }))).not.toContain("c2VjcmV0");
  });
});

describe("VIP pool", () => {
  refused("vipPool", [
    [{ cidrs: [] }, "cidrs must name at least one network or range"],
    [{ cidrs: undefined }, "cidrs is required"],
    [{ cidrs: ["10.0.0.1/24"] }, "cidrs[0] has host bits set: the network is 10.0.0.0/24"],
    [{ cidrs: ["10.0.0.9-10.0.0.1"] }, "cidrs[0] must go from the lower to the higher address: 10.0.0.1-10.0.0.9"],
    [{ cidrs: ["10.0.0.0/24", "10.0.0.7-10.0.1.1"] }, "cidrs[1] must not overlap: 10.0.0.7-10.0.1.1 and 10.0.0.0/24"],
    [{ cidrs: ["10.0.0.0/24", "10.0.0.0/24"] }, 'cidrs[1] must not be there twice: "10.0.0.0/24"'],
    [{ name: "" }, "name is required"],
    [
      { announce: { kind: "L2" } },
      "announce.interface is required with kind L2: the network interface that gets the addresses",
    ],
    [{ announce: { kind: "bgp" } }, 'announce.kind must be one of BGP, L2, NONE, not "bgp"'],
    [{ announce: { interface: "eth 0" } }, 'announce.interface must be the name of a network interface, not "eth 0"'],
    [{ bgp: { nextHop: "fd00::1" } }, 'bgp.next_hop must be "self" or an IPv4 address, not "fd00::1"'],
    [{ bgp: { nextHopV6: "10.0.0.1" } }, 'bgp.next_hop_v6 must be "self" or an IPv6 address, not "10.0.0.1"'],
    [
      { bgp: { communities: ["64500:65536"] } },
      'bgp.communities[0] must be 2 numbers of 0 to 65535 with colons between them, such as 64500:100, not "64500:65536"',
    ],
    [
      { bgp: { largeCommunities: ["1:2"] } },
      'bgp.large_communities[0] must be 3 numbers of 0 to 4294967295 with colons between them, such as 64500:1:2, not "1:2"',
    ],
    [{ bgp: { aggregateV4: 33 } }, "bgp.aggregate_v4 must be 8 to 32, not 33"],
    [{ bgp: { whenAllDown: "GO" } }, 'bgp.when_all_down must be one of ANNOUNCE, WITHDRAW, not "GO"'],
  ]);
});
