import { describe, expect, it } from "@jest/globals";

import type { CertificateAnswer, FindCertificate } from "../../src/snapshot/certificate-shelf.ts";
import { certificateIdsOf, certificateProblems } from "../../src/snapshot/compile-tls.ts";
import { compile, type UnitSource } from "../../src/snapshot/compile.ts";
import type { ListenerUnit, PoolUnit } from "../../src/snapshot/snapshot.ts";
import { authority, keyPair, server, shelfOf } from "./certificates.ts";
import { entity, nextId } from "./entities.ts";

const [first, second, ca, own] = [nextId(), nextId(), nextId(), nextId()];
const ALL: Readonly<Record<string, CertificateAnswer>> = {
  [first]: server(first),
  [second]: server(second),
  [ca]: authority("CA PEM"),
  [own]: server(own),
};
const found = shelfOf(ALL);
const without = (...ids: readonly string[]): FindCertificate =>
  shelfOf(Object.fromEntries(Object.entries(ALL).filter(([id]) => !ids.includes(id))));

interface Wanted {
  readonly loadBalancer?: object;
  readonly listener?: object;
  readonly pool?: object;
}

function source({ loadBalancer, listener, pool }: Wanted = {}): UnitSource {
  const lb = entity("loadBalancer", {
    name: "web",
    record: { vipAddress: "127.10.0.1", vipPool: "default" },
    ...loadBalancer,
  });
  const backends = entity("pool", { loadBalancerId: lb.id, name: "app", protocol: "HTTPS", ...pool });
  const https = { name: "https", protocol: "HTTPS", port: 443, certificateIds: [first], ...listener };
  return {
    loadBalancer: lb,
    listeners: [entity("listener", { loadBalancerId: lb.id, ...https })],
    pools: [backends],
    backends: [entity("backend", { poolId: backends.id, address: "10.0.0.1", port: 443 })],
    healthChecks: [],
    l7Policies: [],
    l7Rules: [],
  };
}

const unitOf = (wanted: Wanted, findCertificate = found) =>
  compile(source(wanted), { resolveHost: (address) => ({ address }), findCertificate });
const listenerOf = (listener: object, findCertificate = found): ListenerUnit | undefined =>
  unitOf({ listener }, findCertificate).listeners[0];
const poolOf = (backendTls: object, findCertificate = found): PoolUnit =>
  unitOf({ pool: { backendTls } }, findCertificate).pools[0]!;
const reasonsOf = (wanted: Wanted, findCertificate: FindCertificate): readonly string[] =>
  certificateProblems(source(wanted), findCertificate).map(({ reason }) => reason);

describe("the TLS part of a listener", () => {
  it("has the defaults of the contract, and its certificate with names and key", () => {
    expect(listenerOf({})?.tls).toEqual({
      certificates: [keyPair(first)],
      minVersion: "TLS_1_2",
      clientAuth: "NONE",
      alpnProtocols: ["h2", "http/1.1"],
    });
  });

  it("has what was asked for, certificates in the order of the listener", () => {
    const listener = {
      protocol: "TLS",
      certificateIds: [second, first],
      tlsMinVersion: "TLS_1_3",
      clientAuth: "OPTIONAL",
      clientCaCertificateId: ca,
      alpnProtocols: ["mqtt"],
    };
    expect(listenerOf(listener)?.tls).toEqual({
      certificates: [keyPair(second), keyPair(first)],
      minVersion: "TLS_1_3",
      clientAuth: "OPTIONAL",
      alpnProtocols: ["mqtt"],
      clientCaPem: "CA PEM",
    });
  });

  it("is absent with every other protocol", () => {
    for (const protocol of ["TCP", "UDP", "HTTP"])
      expect(listenerOf({ protocol, certificateIds: [] })).not.toHaveProperty("tls");
  });

  it("shares the material with every other listener of the certificate", () => {
    const [a, b] = [listenerOf({}), listenerOf({ certificateIds: [second, first] })];
    expect(b?.tls?.certificates[1]).toBe(a?.tls?.certificates[0]);
  });

  it("does without a certificate that cannot be used while there is another, and says so", () => {
    const listener = { certificateIds: [first, second] };
    expect(listenerOf(listener, without(first))?.tls?.certificates).toEqual([keyPair(second)]);
    expect(reasonsOf({ listener }, without(first))).toEqual([
      `Listener web/https is served without one of its certificates: certificate ${first} is not in the store`,
    ]);
  });

  it("is missing, and the listener with it, when no certificate can be used", () => {
    const listener = { certificateIds: [first, second] };
    expect(listenerOf(listener, without(first, second))).toBeUndefined();
    expect(reasonsOf({ listener }, without(first, second))).toEqual([
      `Cannot open listener web/https: certificate ${first} is not in the store; certificate ${second} is not in the store`,
    ]);
  });

  it.each(["OPTIONAL", "REQUIRED"])("is missing when clients cannot be verified: %s", (clientAuth) => {
    const listener = { clientAuth, clientCaCertificateId: ca };
    expect(listenerOf(listener, without(ca))).toBeUndefined();
    expect(reasonsOf({ listener }, without(ca))).toEqual([
      `Cannot open listener web/https: certificate ${ca} is not in the store`,
    ]);
  });

  it("takes no authority for a certificate of its own", () => {
    expect(listenerOf({ certificateIds: [ca] })).toBeUndefined();
    expect(reasonsOf({ listener: { certificateIds: [ca] } }, found)).toEqual([
      "Cannot open listener web/https: a certificate without a private key is named where one is needed",
    ]);
  });
});

describe("the TLS part of a pool", () => {
  it("verifies with the system's authorities unless others are named", () =>
    expect(poolOf({})).toMatchObject({
      backendTls: { skipVerify: false, alpnProtocols: ["http/1.1"] },
      backends: [{ address: "10.0.0.1" }],
    }));

  it("has what was asked for", () => {
    const asked = { caCertificateId: ca, clientCertificateId: own, serverName: "app.internal", alpnProtocols: ["h2"] };
    expect(poolOf(asked).backendTls).toEqual({
      caPem: "CA PEM",
      clientCertificate: keyPair(own),
      serverName: "app.internal",
      skipVerify: false,
      alpnProtocols: ["h2"],
    });
  });

  it.each([
    ["authority", { caCertificateId: ca }, ca],
    ["authority, verified or not", { caCertificateId: ca, skipVerify: true }, ca],
    ["own certificate", { clientCertificateId: own }, own],
  ])("leaves no backend to speak to without its %s, and says so", (_what, backendTls, id) => {
    const unit = poolOf(backendTls, without(id));
    expect(unit.backendTls).toBeUndefined();
    // Neither new traffic nor a session finds a backend without an address.
    expect(unit.backends.map(({ address }) => address)).toEqual([undefined]);
    expect(reasonsOf({ pool: { backendTls } }, without(id))).toEqual([
      `Cannot use the backends of pool web/app: certificate ${id} is not in the store`,
    ]);
  });
});

describe("problems with certificates", () => {
  it("are none when all can be used", () => {
    const listener = { clientAuth: "REQUIRED", clientCaCertificateId: ca, certificateIds: [first, second] };
    expect(reasonsOf({ listener, pool: { backendTls: { caCertificateId: ca } } }, found)).toEqual([]);
  });

  it("name the listener they concern", () => {
    const from = source();
    const [problem] = certificateProblems(from, without(first));
    expect(problem).toMatchObject({ loadBalancerId: from.loadBalancer.id, listenerId: from.listeners[0]!.id });
  });

  it.each([
    ["the load balancer", { loadBalancer: { adminStateUp: false } }],
    ["listener and pool", { listener: { adminStateUp: false }, pool: { adminStateUp: false } }],
  ])("do not matter while %s should not serve", (_what, wanted) =>
    expect(reasonsOf({ pool: { backendTls: { caCertificateId: ca } }, ...wanted }, without(first, ca))).toEqual([]),
  );
});

describe("certificateIdsOf", () => {
  it("knows every field that names one, each once", () => {
    const listener = { certificateIds: [first, second], clientAuth: "REQUIRED", clientCaCertificateId: ca };
    const backendTls = { caCertificateId: ca, clientCertificateId: own };
    expect(certificateIdsOf(source({ listener, pool: { backendTls } }))).toEqual(new Set([first, second, ca, own]));
  });

  it("is empty for load balancers without TLS", () =>
    expect(certificateIdsOf(source({ listener: { protocol: "HTTP", certificateIds: [] } })).size).toBe(0));
});
