import { Code } from "@connectrpc/connect";
import {
  CertificateType,
  ClientAuth,
  type FiberlbClient,
  L7CompareType,
  L7RuleType,
  ListenerProtocol,
  PoolProtocol,
} from "@fiberlb/api";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

import { systemClock } from "../../src/clock.ts";
import { AUTHORITY, CERTIFICATE, CLIENT_CERTIFICATE } from "./certificates.ts";
import { createListener, createLoadBalancer, createPolicy, createPool, must } from "./fixtures.ts";
import { type Harness, startHarness } from "./harness.ts";
import { expectInvalid, expectRefusal, refusalOf } from "./refusals.ts";

let harness: Harness;
let client: FiberlbClient;
beforeAll(async () => {
  harness = await startHarness();
  harness.startNode();
  client = harness.client();
});
afterAll(() => harness.close());

async function createCertificate(fields: object, by = client): Promise<string> {
  return must((await by.certificates.createCertificate(fields)).certificate).id;
}
const SITE = { type: CertificateType.SERVER, certificatePem: CERTIFICATE.pem, privateKeyPem: CERTIFICATE.keyPem };
const CLIENT = {
  type: CertificateType.SERVER,
  certificatePem: CLIENT_CERTIFICATE.pem,
  privateKeyPem: CLIENT_CERTIFICATE.keyPem,
};
const CA = { type: CertificateType.CLIENT_CA, certificatePem: AUTHORITY.pem };

/** A load balancer, and one certificate of each type. */
async function setUp() {
  const { id } = await createLoadBalancer(client);
  const [server, ca] = [await createCertificate(SITE), await createCertificate(CA)];
  const https = { protocol: ListenerProtocol.HTTPS, port: 443, certificateIds: [server] };
  return { id, server, ca, https };
}

describe("certificates of listeners", () => {
  test("are at least one with TLS and HTTPS, each once, and none with other protocols", async () => {
    const { id, https, server } = await setUp();
    await expectInvalid(createListener(client, id, { ...https, certificateIds: [] }), ["certificate_ids"]);
    await expectInvalid(createListener(client, id, { ...https, certificateIds: [server, server] }), [
      "certificate_ids[1]",
    ]);
    await expectInvalid(createListener(client, id, { ...https, protocol: ListenerProtocol.HTTP }), ["certificate_ids"]);
  });

  test("have a key; what clients are verified with has none", async () => {
    const { id, https, ca, server } = await setUp();
    await expectInvalid(createListener(client, id, { ...https, certificateIds: [server, ca] }), ["certificate_ids[1]"]);
    const clientAuth = ClientAuth.REQUIRED;
    await expectInvalid(createListener(client, id, { ...https, clientAuth, clientCaCertificateId: server }), [
      "client_ca_certificate_id",
    ]);
    await expectInvalid(createListener(client, id, { ...https, clientAuth }), ["client_ca_certificate_id"]);
    await expectInvalid(createListener(client, id, { ...https, clientCaCertificateId: ca }), [
      "client_ca_certificate_id",
    ]);
    await createListener(client, id, { ...https, clientAuth, clientCaCertificateId: ca });
  });

  test("are the tenant's own: another's does not exist", async () => {
    const { id, https } = await setUp();
    const foreign = await createCertificate(SITE, harness.client({ org: "other" }));
    const creating = createListener(client, id, { ...https, certificateIds: [foreign] });
    await expectRefusal(creating, Code.NotFound, new RegExp(`^certificate ${foreign} does not exist$`));
  });

  test("are exchanged in place, and only then can the old one go", async () => {
    const { id, https, server } = await setUp();
    const listener = await createListener(client, id, https);
    const next = await createCertificate(SITE);
    await expectRefusal(
      client.certificates.deleteCertificate({ id: server }),
      Code.FailedPrecondition,
      /it is used by listener /,
    );
    const updated = await client.listeners.updateListener({
      listener: { id: listener.id, certificateIds: [next] },
      updateMask: { paths: ["certificate_ids"] },
    });
    expect(updated.listener?.certificateIds).toEqual([next]);
    await client.certificates.deleteCertificate({ id: server });
  });

  test("cannot be taken away as long as they verify clients", async () => {
    const { id, https, ca } = await setUp();
    const verifying = { clientAuth: ClientAuth.OPTIONAL, clientCaCertificateId: ca };
    const listener = await createListener(client, id, { ...https, ...verifying });
    const deleting = () => client.certificates.deleteCertificate({ id: ca });
    await expectRefusal(deleting(), Code.FailedPrecondition, /it is used by listener /);
    await client.listeners.updateListener({
      listener: { id: listener.id, clientAuth: ClientAuth.NONE },
      updateMask: { paths: ["client_auth", "client_ca_certificate_id"] },
    });
    await deleting();
  });
});

describe("backend_tls", () => {
  test("is for HTTPS pools, which verify their backends unless told otherwise", async () => {
    const { id, ca } = await setUp();
    const pool = await createPool(client, id, { protocol: PoolProtocol.HTTPS });
    expect(pool.backendTls).toMatchObject({ skipVerify: false, alpnProtocols: ["http/1.1"] });
    for (const protocol of [PoolProtocol.HTTP, PoolProtocol.H2C, PoolProtocol.TCP])
      await expectInvalid(createPool(client, id, { protocol, backendTls: { caCertificateId: ca } }), ["backend_tls"]);
  });

  test("names an authority to verify with and a certificate with a key to show; neither can go while it does", async () => {
    const { id, ca } = await setUp();
    const own = await createCertificate(CLIENT);
    const protocol = PoolProtocol.HTTPS;
    await expectInvalid(
      createPool(client, id, { protocol, backendTls: { caCertificateId: own, clientCertificateId: ca } }),
      ["backend_tls.ca_certificate_id", "backend_tls.client_certificate_id"],
    );
    const backendTls = { caCertificateId: ca, clientCertificateId: own };
    const pool = await createPool(client, id, { protocol, backendTls });
    for (const used of [ca, own]) {
      const deleting = client.certificates.deleteCertificate({ id: used });
      await expectRefusal(deleting, Code.FailedPrecondition, /it is used by pool /);
    }
    await client.pools.deletePool({ id: pool.id });
    for (const unused of [ca, own]) await client.certificates.deleteCertificate({ id: unused });
  });
});

describe("rules about TLS", () => {
  const DN = { type: L7RuleType.SSL_DN_FIELD, compareType: L7CompareType.EQUAL_TO, key: "OU", value: "ops" };
  const HAS_CERT = { type: L7RuleType.SSL_CONN_HAS_CERT, compareType: L7CompareType.EQUAL_TO };
  const SNI = { type: L7RuleType.SNI, compareType: L7CompareType.EQUAL_TO, value: "a.example.test" };

  test("stand on HTTPS listeners, and on HTTP ones not", async () => {
    const { id, https } = await setUp();
    const secure = await createPolicy(client, (await createListener(client, id, https)).id);
    const plain = await createListener(client, id, { protocol: ListenerProtocol.HTTP, port: 80 });
    const open = await createPolicy(client, plain.id);
    for (const rule of [DN, HAS_CERT, SNI]) {
      await client.l7Rules.createL7Rule({ l7PolicyId: secure.id, ...rule });
      await expectInvalid(client.l7Rules.createL7Rule({ l7PolicyId: open.id, ...rule }), ["type"]);
    }
  });

  test("and policies at all do not stand on TLS listeners, which see no request", async () => {
    const { id, https } = await setUp();
    const listener = await createListener(client, id, { ...https, protocol: ListenerProtocol.TLS });
    await expectInvalid(createPolicy(client, listener.id), ["listener_id"]);
  });

  test("HSTS is for HTTPS", async () => {
    const { id, https } = await setUp();
    for (const protocol of [ListenerProtocol.TLS, ListenerProtocol.HTTP]) {
      const certificateIds = protocol === ListenerProtocol.TLS ? https.certificateIds : [];
      const listener = { ...https, protocol, certificateIds, hstsMaxAgeS: 60 };
      await expectInvalid(createListener(client, id, listener), ["hsts_max_age_s"]);
    }
    await createListener(client, id, { ...https, hstsMaxAgeS: 60 });
  });
});

describe("uploads", () => {
  test("of an expired certificate are refused with the day", async () => {
    const epochMs = () => Date.parse("2200-01-01T00:00:00Z");
    await using later = await startHarness({ clock: { ...systemClock, epochMs } });
    const { rawMessage } = await refusalOf(later.client().certificates.createCertificate(SITE));
    expect(rawMessage).toMatch(
      /certificate_pem must not have expired, and CN=web\.example\.test.* expired on 2126-10-27T/,
    );
  });

  test("of a key that is encrypted, or in the place of the certificate, are refused, and nothing of it is answered", async () => {
    const keyBody = CERTIFICATE.keyPem.split("\n")[1]!;
    const encrypted = CERTIFICATE.keyPem.replaceAll("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for (const [fields, reason] of [
      [{ privateKeyPem: encrypted }, /private_key_pem must not be encrypted: remove its passphrase/],
      [{ certificatePem: CERTIFICATE.pem + CERTIFICATE.keyPem }, /certificate_pem must not hold a private key/],
      [{ certificatePem: CERTIFICATE.keyPem }, /certificate_pem must be a certificate in PEM form/],
      [
        { privateKeyPem: `${CERTIFICATE.keyPem.slice(0, 90)}\n-----END PRIVATE KEY-----` },
        /private_key_pem is not a pr/,
      ],
    ] as const) {
      const { rawMessage, details } = await refusalOf(client.certificates.createCertificate({ ...SITE, ...fields }));
      expect(rawMessage).toMatch(reason);
      expect(`${rawMessage} ${JSON.stringify(details)}`).not.toContain(keyBody.slice(0, 16));
    }
  });
});
