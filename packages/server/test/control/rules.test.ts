import { Code } from "@connectrpc/connect";
import {
  CertificateType,
  type FiberlbClient,
  HealthCheckType,
  IpFamily,
  L7PolicyAction,
  ListenerProtocol,
  PoolProtocol,
} from "@fiberlb/api";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { AUTHORITY, CERTIFICATE, CLIENT_CERTIFICATE } from "./certificates.ts";
import { createBackend, createListener, createLoadBalancer, createPolicy, createPool, must } from "./fixtures.ts";
import { type Harness, stateOf, startHarness } from "./harness.ts";
import { expectInvalid, expectRefusal } from "./refusals.ts";

let harness: Harness;
let client: FiberlbClient;
beforeAll(async () => {
  harness = await startHarness({
    vipPools: [
      { name: "default", cidrs: ["127.10.0.0/16"] },
      { name: "tiny", cidrs: ["127.20.0.1-127.20.0.2"], autoAssign: false },
      { name: "six", cidrs: ["fd00::/64"] },
    ],
  });
  harness.startNode();
  client = harness.client();
});
afterAll(() => harness.close());

const NOBODY = "019a3c7e-0b1d-7c44-8f6e-2b9d1c5a7e30";

describe("ALREADY_EXISTS", () => {
  test("for a VIP in use, without a word about the owner", async () => {
    await createLoadBalancer(client, { name: "owner", vipAddress: "127.10.9.9" });
    const other = harness.client({ org: "other" });
    const again = other.loadBalancers.createLoadBalancer({ vipAddress: "127.10.9.9" });
    await expectRefusal(again, Code.AlreadyExists, /^VIP 127\.10\.9\.9 is in use$/);
  });

  test("for a port with the same transport, not for the other transport", async () => {
    const { id } = await createLoadBalancer(client);
    await createListener(client, id, { port: 53 });
    await createListener(client, id, { port: 53, protocol: ListenerProtocol.UDP });
    const second = createListener(client, id, { port: 53, protocol: ListenerProtocol.HTTP });
    await expectRefusal(second, Code.AlreadyExists, /^port 53\/TCP of load balancer .* is in use$/);
  });

  test("for an address and port that the pool has", async () => {
    const { id } = await createLoadBalancer(client);
    const pool = await createPool(client, id);
    await createBackend(client, pool.id, { address: "fd00::1", port: 80 });
    await createBackend(client, pool.id, { address: "fd00::1", port: 81 });
    const second = createBackend(client, pool.id, { address: "FD00:0::1", port: 80 });
    await expectRefusal(second, Code.AlreadyExists, /\[fd00::1\]:80/);
  });

  test("for a second health check of a pool", async () => {
    const { id } = await createLoadBalancer(client);
    const pool = await createPool(client, id);
    await client.healthChecks.createHealthCheck({ poolId: pool.id, type: HealthCheckType.TCP });
    const second = client.healthChecks.createHealthCheck({ poolId: pool.id, type: HealthCheckType.TCP });
    await expectRefusal(second, Code.AlreadyExists, /has a health check already/);
  });

  test("for a name that the parent has, also by renaming; another parent may have it", async () => {
    const one = await createLoadBalancer(client, { name: "named" });
    const two = await createLoadBalancer(client, { name: "unnamed" });
    await expectRefusal(createLoadBalancer(client, { name: "named" }), Code.AlreadyExists, /name "named" is in use/);
    const renaming = client.loadBalancers.updateLoadBalancer({
      loadBalancer: { id: two.id, name: "named" },
      updateMask: { paths: ["name"] },
    });
    await expectRefusal(renaming, Code.AlreadyExists, /name "named" is in use/);
    await createPool(client, one.id, { name: "app" });
    await createPool(client, two.id, { name: "app" });
    await expectRefusal(createPool(client, two.id, { name: "app" }), Code.AlreadyExists, /pool name "app" is in use/);
  });

  test("no longer after the one that had it was renamed or deleted", async () => {
    const { id } = await createLoadBalancer(client, { name: "before" });
    await client.loadBalancers.updateLoadBalancer({
      loadBalancer: { id, name: "after" },
      updateMask: { paths: ["name"] },
    });
    const successor = await createLoadBalancer(client, { name: "before" });
    await client.loadBalancers.deleteLoadBalancer({ id: successor.id });
    await createLoadBalancer(client, { name: "before" });
  });
});

describe("FAILED_PRECONDITION", () => {
  test("for children without cascade; the message counts them", async () => {
    const { id } = await createLoadBalancer(client, { name: "parent" });
    const pool = await createPool(client, id);
    await createBackend(client, pool.id);
    await createListener(client, id, { port: 1 });
    await createListener(client, id, { port: 2 });
    const deleting = client.loadBalancers.deleteLoadBalancer({ id });
    await expectRefusal(
      deleting,
      Code.FailedPrecondition,
      /^cannot delete load balancer parent: it has 2 listeners and 1 pool; delete them first, or use cascade$/,
    );
    await expectRefusal(client.pools.deletePool({ id: pool.id }), Code.FailedPrecondition, /it has 1 backend;/);
  });

  test("for a pool that a listener or a policy uses, cascade or not", async () => {
    const { id } = await createLoadBalancer(client);
    const protocol = PoolProtocol.HTTP;
    const [byListener, byPolicy] = [
      await createPool(client, id, { protocol }),
      await createPool(client, id, { protocol }),
    ];
    const listener = await createListener(client, id, {
      name: "front",
      protocol: ListenerProtocol.HTTP,
      port: 80,
      defaultPoolId: byListener.id,
    });
    const action = L7PolicyAction.REDIRECT_TO_POOL;
    const policy = await createPolicy(client, listener.id, { name: "api", action, pools: [{ poolId: byPolicy.id }] });
    const deleting = client.pools.deletePool({ id: byListener.id, cascade: true });
    await expectRefusal(deleting, Code.FailedPrecondition, /it is used by listener front$/);
    await expectRefusal(
      client.pools.deletePool({ id: byPolicy.id }),
      Code.FailedPrecondition,
      /used by L7 policy api$/,
    );
    await client.l7Policies.deleteL7Policy({ id: policy.id });
    await client.pools.deletePool({ id: byPolicy.id });
    await client.listeners.updateListener({
      listener: { id: listener.id },
      updateMask: { paths: ["default_pool_id"] },
    });
    await client.pools.deletePool({ id: byListener.id });
  });

  test("for a certificate that a listener uses; the referrer's new name is told", async () => {
    const { id } = await createLoadBalancer(client);
    const { certificate } = await client.certificates.createCertificate({
      type: CertificateType.SERVER,
      certificatePem: CERTIFICATE.pem,
      privateKeyPem: CERTIFICATE.keyPem,
    });
    const certificateIds = [must(certificate).id];
    const listener = await createListener(client, id, { protocol: ListenerProtocol.TLS, port: 443, certificateIds });
    await client.listeners.updateListener({
      listener: { id: listener.id, name: "renamed" },
      updateMask: { paths: ["name"] },
    });
    const deleting = client.certificates.deleteCertificate({ id: certificateIds[0] as string });
    await expectRefusal(deleting, Code.FailedPrecondition, /it is used by listener renamed$/);
    await client.listeners.deleteListener({ id: listener.id });
    await client.certificates.deleteCertificate({ id: certificateIds[0] as string });
  });

  test("for a protected load balancer, until the protection is taken off", async () => {
    const { id } = await createLoadBalancer(client, { deleteProtection: true });
    const deleting = client.loadBalancers.deleteLoadBalancer({ id, cascade: true });
    await expectRefusal(deleting, Code.FailedPrecondition, /it is delete-protected/);
    const updateMask = { paths: ["delete_protection"] };
    await client.loadBalancers.updateLoadBalancer({ loadBalancer: { id, deleteProtection: false }, updateMask });
    await client.loadBalancers.deleteLoadBalancer({ id, cascade: true });
  });
});

describe("ABORTED", () => {
  test("for a stale revision; the message has both", async () => {
    const { id, revision } = await createLoadBalancer(client);
    expect(revision).toBe(1n);
    const updateMask = { paths: ["description"] };
    const update = (description: string, sent: bigint) =>
      client.loadBalancers.updateLoadBalancer({ loadBalancer: { id, description, revision: sent }, updateMask });
    const { loadBalancer } = await update("first", 1n);
    expect(loadBalancer).toMatchObject({ revision: 2n, description: "first" });
    await expectRefusal(update("second", 1n), Code.Aborted, /revision 1 was sent, 2 is current/);
    await update("third", 2n);
  });

  test("revision stays when an update changes nothing, and when something below changes", async () => {
    const { id } = await createLoadBalancer(client, { description: "same" });
    const before = await stateOf(harness.store);
    await client.loadBalancers.updateLoadBalancer({
      loadBalancer: { id, description: "same", revision: 1n },
      updateMask: { paths: ["description"] },
    });
    expect(await stateOf(harness.store)).toBe(before);
    await createPool(client, id);
    const { loadBalancer } = await client.loadBalancers.getLoadBalancer({ id });
    expect(must(loadBalancer).revision).toBe(1n);
  });
});

describe("INVALID_ARGUMENT", () => {
  test("lists every bad field at once, also those that the server judges by other entities", async () => {
    const { id } = await createLoadBalancer(client);
    const bad: object = { loadBalancerId: id, protocol: 99, port: 70_000, allowedCidrs: ["10.0.0.1/8"] };
    await expectInvalid(client.listeners.createListener(bad), ["protocol", "port", "allowed_cidrs[0]"]);
  });

  test("for an update without a mask, without an id, or of what cannot change", async () => {
    const { id } = await createLoadBalancer(client);
    await expectInvalid(client.loadBalancers.updateLoadBalancer({ loadBalancer: { id, name: "x" } }), ["update_mask"]);
    await expectInvalid(client.loadBalancers.updateLoadBalancer({}), ["load_balancer.id", "update_mask"]);
    const frozen = { loadBalancer: { id, vipAddress: "127.10.3.3" }, updateMask: { paths: ["vip_address"] } };
    await expectInvalid(client.loadBalancers.updateLoadBalancer(frozen), ["vip_address"]);
    const unknown = { loadBalancer: { id }, updateMask: { paths: ["colour"] } };
    await expectInvalid(client.loadBalancers.updateLoadBalancer(unknown), ["update_mask"]);
  });

  test("for ids that are none", async () => {
    await expectInvalid(client.pools.getPool({ id: "app" }), ["id"]);
    await expectInvalid(client.pools.deletePool({ id: "" }), ["id"]);
    await expectInvalid(client.pools.listPools({ loadBalancerId: "web" }), ["load_balancer_id"]);
  });

  test("for a pool that does not fit its listener", async () => {
    const { id } = await createLoadBalancer(client);
    const pool = await createPool(client, id, { protocol: PoolProtocol.HTTP });
    await expectInvalid(createListener(client, id, { port: 80, defaultPoolId: pool.id }), ["default_pool_id"]);
    const listener = await createListener(client, id, { port: 81 });
    const fields = { action: L7PolicyAction.REDIRECT_TO_POOL, redirectPoolId: pool.id };
    await expectInvalid(createPolicy(client, listener.id, fields), ["redirect_pool_id"]);
  });

  test("for trusted networks that can never reach the VIP; clients behind a proxy may be of the other family", async () => {
    const { id } = await createLoadBalancer(client);
    const allowedCidrs = ["10.0.0.0/8", "2001:db8::/32"];
    const accepting = { port: 80, acceptProxyProtocol: true, allowedCidrs };
    await expectInvalid(createListener(client, id, { ...accepting, proxyProtocolTrustedCidrs: allowedCidrs }), [
      "proxy_protocol_trusted_cidrs[1]",
    ]);
    const listener = await createListener(client, id, { ...accepting, proxyProtocolTrustedCidrs: ["10.0.0.0/8"] });
    const off = {
      listener: { id: listener.id, acceptProxyProtocol: false },
      updateMask: { paths: ["accept_proxy_protocol"] },
    };
    await expectInvalid(client.listeners.updateListener(off), ["allowed_cidrs[1]"]);
    const none = { listener: { id: listener.id }, updateMask: { paths: ["proxy_protocol_trusted_cidrs"] } };
    await expectInvalid(client.listeners.updateListener(none), ["proxy_protocol_trusted_cidrs"]);
  });

  test("for client networks that can never reach the VIP, and probes that say nothing of the pool", async () => {
    const { id } = await createLoadBalancer(client);
    const allowedCidrs = ["10.0.0.0/8", "2001:db8::/32"];
    await expectInvalid(createListener(client, id, { port: 80, allowedCidrs }), ["allowed_cidrs[1]"]);
    const listener = await createListener(client, id, { port: 80, allowedCidrs: ["10.0.0.0/8"] });
    const update = { listener: { id: listener.id, allowedCidrs }, updateMask: { paths: ["allowed_cidrs"] } };
    await expectInvalid(client.listeners.updateListener(update), ["allowed_cidrs[1]"]);
    const pool = await createPool(client, id, { protocol: PoolProtocol.TCP });
    const udp = { poolId: pool.id, type: HealthCheckType.UDP };
    await expectInvalid(client.healthChecks.createHealthCheck(udp), ["type"]);
  });

  test("for VIPs: in no pool, of the other family, reserved, an unknown pool, a pool without the family", async () => {
    const create = (fields: object) => client.loadBalancers.createLoadBalancer(fields);
    await expectInvalid(create({ vipAddress: "198.51.100.1" }), ["vip_address"]);
    await expectInvalid(create({ vipAddress: "127.10.0.5", ipFamily: IpFamily.IPV6 }), ["ip_family"]);
    await expectInvalid(create({ vipAddress: "127.10.255.255" }), ["vip_address"]);
    await expectInvalid(create({ vipAddress: "fd00::" }), ["vip_address"]);
    await expectInvalid(create({ vipPool: "none" }), ["vip_pool"]);
    await expectInvalid(create({ vipPool: "tiny", ipFamily: IpFamily.IPV6 }), ["ip_family"]);
  });

  test("for certificates that are no certificates, have another's key, or are of the wrong kind", async () => {
    const create = (fields: object) => client.certificates.createCertificate(fields);
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----";
    const SERVER = { type: CertificateType.SERVER, privateKeyPem: CERTIFICATE.keyPem };
    await expectInvalid(create({ ...SERVER, certificatePem: broken }), ["certificate_pem"]);
    const foreignKey = { ...SERVER, certificatePem: CERTIFICATE.pem, privateKeyPem: CLIENT_CERTIFICATE.keyPem };
    await expectInvalid(create(foreignKey), ["private_key_pem"]);
    const unordered = { ...SERVER, certificatePem: CERTIFICATE.pem + CLIENT_CERTIFICATE.pem };
    await expectInvalid(create(unordered), ["certificate_pem"]);
    const leafAsCa = { type: CertificateType.CLIENT_CA, certificatePem: CERTIFICATE.pem };
    await expectInvalid(create(leafAsCa), ["certificate_pem"]);
    const { certificate } = await create({ type: CertificateType.CLIENT_CA, certificatePem: AUTHORITY.pem });
    const { id } = await createLoadBalancer(client);
    const certificateIds = [must(certificate).id];
    const listener = { protocol: ListenerProtocol.TLS, port: 443, certificateIds };
    await expectInvalid(createListener(client, id, listener), ["certificate_ids[0]"]);
  });
});

describe("NOT_FOUND", () => {
  test("for parents and references that nobody has", async () => {
    const { id } = await createLoadBalancer(client);
    await expectRefusal(
      createPool(client, NOBODY),
      Code.NotFound,
      new RegExp(`^load balancer ${NOBODY} does not exist$`),
    );
    await expectRefusal(createBackend(client, NOBODY), Code.NotFound, /^pool /);
    await expectRefusal(createPolicy(client, NOBODY), Code.NotFound, /^listener /);
    const dangling = createListener(client, id, { port: 1, defaultPoolId: NOBODY });
    await expectRefusal(dangling, Code.NotFound, new RegExp(`^pool ${NOBODY} does not exist$`));
  });

  test("for a pool of another load balancer as default pool", async () => {
    const [one, two] = [await createLoadBalancer(client), await createLoadBalancer(client)];
    const pool = await createPool(client, one.id);
    const crossing = createListener(client, two.id, { port: 1, defaultPoolId: pool.id });
    await expectRefusal(crossing, Code.NotFound, /^pool .* does not exist$/);
  });
});

describe("RESOURCE_EXHAUSTED", () => {
  test("names the pool, says when an address comes free, and ends when one does", async () => {
    const vipPool = "tiny";
    const [one] = [await createLoadBalancer(client, { vipPool }), await createLoadBalancer(client, { vipPool })];
    const third = (): Promise<unknown> => createLoadBalancer(client, { vipPool });
    await expectRefusal(third(), Code.ResourceExhausted, /^VIP pool tiny is exhausted: all IPv4 addresses are in use$/);
    await client.loadBalancers.deleteLoadBalancer({ id: one.id });
    await expectRefusal(third(), Code.ResourceExhausted, /given back a moment ago; the next is free in \d+ s$/);
    const asked = await createLoadBalancer(client, { vipAddress: one.vipAddress });
    expect(asked).toMatchObject({ vipAddress: one.vipAddress, vipPool });
  });
});

describe("VIPs", () => {
  test("a load balancer gets the family it asks for, and one that names an IPv6 address need not say so", async () => {
    const six = await createLoadBalancer(client, { ipFamily: IpFamily.IPV6 });
    expect(six).toMatchObject({ vipPool: "six", ipFamily: IpFamily.IPV6, vipAddress: "fd00::1" });
    const named = await createLoadBalancer(client, { vipAddress: "FD00::7" });
    expect(named).toMatchObject({ vipAddress: "fd00::7", ipFamily: IpFamily.IPV6 });
  });
});
