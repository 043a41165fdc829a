import { X509Certificate } from "node:crypto";

import { ClientAuth, type FiberlbClient, L7CompareType, L7PolicyAction, L7RuleType } from "@fiberlb/api";
import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";

import { type Issued, issue } from "../openssl.ts";
import { type Curled, curl, whyNoCurl } from "./curl.ts";
import { type Declared, untilApplied } from "./declare.ts";
import { HttpClient, seenBy } from "./http-client.ts";
import { addPolicy, declareHttp } from "./policies.ts";
import { startTestNode, type TestNode } from "./test-node.ts";
import { askOnce, declareHttps, openTls, TlsMaterial, uploadAuthority, uploadServer } from "./tls-material.ts";
import { startWebServers, type WebServer } from "./web-server.ts";

jest.setTimeout(60_000);

const NAME = "one.example";
const FORGED = ["-H", "X-SSL-Client-Verify: SUCCESS", "-H", "X-SSL-Client-CN: root", "-H", "x_ssl_client_dn: CN=root"];

(whyNoCurl ? describe.skip : describe)(`client certificates${whyNoCurl ? ` (skipped: ${whyNoCurl})` : ""}`, () => {
  let node: TestNode;
  let client: FiberlbClient;
  let webs: readonly WebServer[];
  let material: TlsMaterial;
  let certificateIds: string[];
  let clientCa: Issued;
  let clientCaCertificateId: string;
  let alice: Issued;
  let mallory: Issued;

  beforeAll(async () => {
    material = new TlsMaterial();
    clientCa = issue({ subject: "/O=Acme/CN=client authority", isAuthority: true });
    alice = issue({ subject: "/O=Acme/OU=Sales/CN=alice", issuer: clientCa });
    mallory = issue({ subject: "/O=Acme/OU=Sales/CN=alice" });
    webs = await startWebServers("a");
    node = await startTestNode();
    ({ client } = node);
    certificateIds = [await uploadServer(client, material.issue(NAME))];
    clientCaCertificateId = await uploadAuthority(client, clientCa);
  });
  afterAll(async () => {
    await node?.stop();
    await Promise.all(webs.map((web) => web.close()));
    material.remove();
  });

  const declareWeb = (clientAuth: ClientAuth): Promise<Declared> =>
    declareHttps(client, {
      listener: { certificateIds, clientAuth, ...(clientAuth !== ClientAuth.NONE && { clientCaCertificateId }) },
      backends: webs.map(({ port }) => ({ port })),
    });

  const curlTo = ({ host, port }: Declared, ...args: readonly string[]): Promise<Curled> =>
    curl(["--http1.1", "--cacert", material.caFile, ...resolve(host, port), ...args, `https://${NAME}:${port}/`]);

  const resolve = (host: string, port: number): string[] => ["--resolve", `${NAME}:${port}:${host}`];

  const showing = (name: string, { pem, keyPem }: Issued): string[] => [
    "--cert",
    material.write(`${name}.pem`, pem),
    "--key",
    material.write(`${name}.key`, keyPem),
  ];

  /** What the backend was told of the client's certificate. */
  const toldBy = ({ body }: Curled): Record<string, string> => {
    const { headers } = JSON.parse(body) as { headers: Record<string, string> };
    return Object.fromEntries(Object.entries(headers).filter(([name]) => /^x[-_]ssl/.test(name)));
  };

  test("NONE: nobody is asked, nothing is told, and what clients made up is taken out", async () => {
    const lb = await declareWeb(ClientAuth.NONE);
    for (const args of [FORGED, [...FORGED, ...showing("alice", alice)]]) {
      const answer = await curlTo(lb, ...args);
      expect(answer).toMatchObject({ exitCode: 0, status: 200 });
      expect(toldBy(answer)).toEqual({});
    }
  });

  test("an HTTP listener takes out what clients made up, too", async () => {
    const http = new HttpClient();
    const lb = await declareHttp(client, { backends: webs.map(({ port }) => ({ port })) });
    const headers = { "X-SSL-Client-Verify": "SUCCESS", "x-ssl-client-dn": "CN=root", X_SSL_CLIENT_CN: "root" };
    const seen = seenBy(await http.ask(lb, "/", { headers }));
    expect(Object.keys(seen.headers).filter((name) => /ssl/i.test(name))).toEqual([]);
    http.close();
  });

  test("OPTIONAL: with or without one, but not with one that is not valid", async () => {
    const lb = await declareWeb(ClientAuth.OPTIONAL);
    const without = await curlTo(lb, ...FORGED);
    expect(without).toMatchObject({ exitCode: 0, status: 200 });
    expect(toldBy(without)).toEqual({ "x-ssl-client-has-cert": "0", "x-ssl-client-verify": "NONE" });
    const answer = await curlTo(lb, ...FORGED, ...showing("alice", alice));
    expect(answer).toMatchObject({ exitCode: 0, status: 200 });
    const x509 = new X509Certificate(alice.pem);
    expect(toldBy(answer)).toEqual({
      "x-ssl-client-has-cert": "1",
      "x-ssl-client-verify": "SUCCESS",
      "x-ssl-client-dn": "CN=alice,OU=Sales,O=Acme",
      "x-ssl-client-cn": "alice",
      "x-ssl-client-issuer-dn": "CN=client authority,O=Acme",
      "x-ssl-client-serial": x509.serialNumber,
      "x-ssl-client-sha256": x509.fingerprint256.replaceAll(":", "").toLowerCase(),
      "x-ssl-client-not-before": expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as unknown,
      "x-ssl-client-not-after": new Date(x509.validTo).toISOString(),
    });
    const refused = await curlTo(lb, ...showing("mallory", mallory));
    expect(refused.status).toBe(0);
    expect([35, 52, 55, 56]).toContain(refused.exitCode);
  });

  test("REQUIRED: nobody without one", async () => {
    const lb = await declareWeb(ClientAuth.REQUIRED);
    const before = webs[0]!.requests;
    for (const args of [[], showing("mallory", mallory)]) expect((await curlTo(lb, ...args)).status).toBe(0);
    expect(webs[0]!.requests).toBe(before);
    expect(await curlTo(lb, ...showing("alice", alice))).toMatchObject({ exitCode: 0, status: 200 });
  });

  test("policies see the certificate", async () => {
    const lb = await declareWeb(ClientAuth.OPTIONAL);
    const { EQUAL_TO } = L7CompareType;
    const fixed = (body: string) => ({ action: L7PolicyAction.FIXED_RESPONSE, fixedResponse: { body } });
    const sales = { type: L7RuleType.SSL_DN_FIELD, compareType: EQUAL_TO, key: "OU", value: "Sales" };
    await addPolicy(client, lb, { policy: fixed("sales"), rules: [sales] });
    const none = { type: L7RuleType.SSL_CONN_HAS_CERT, compareType: EQUAL_TO, value: "false" };
    await addPolicy(client, lb, { policy: { action: L7PolicyAction.REJECT }, rules: [none] });
    expect(await curlTo(lb, ...showing("alice", alice))).toMatchObject({ status: 200, body: "sales" });
    expect(await curlTo(lb)).toMatchObject({ status: 403 });
  });

  test("a session of before goes no further when the authority changes", async () => {
    const lb = await declareWeb(ClientAuth.REQUIRED);
    const options = {
      ca: material.authority.pem,
      servername: NAME,
      cert: alice.pem,
      key: alice.keyPem,
      maxVersion: "TLSv1.2" as const,
    };
    const first = await openTls(lb, options);
    const session = first.getSession()!;
    first.destroy();
    const again = await openTls(lb, { ...options, session });
    expect(again.isSessionReused()).toBe(true);
    again.destroy();
    expect(await askOnce(lb, { ...options, session })).toMatch(/^HTTP\/1\.1 200 /);
    const other = await uploadAuthority(client, issue({ subject: "/CN=another authority", isAuthority: true }));
    await client.listeners.updateListener({
      listener: { id: lb.listenerId, clientCaCertificateId: other },
      updateMask: { paths: ["client_ca_certificate_id"] },
    });
    await untilApplied(client, lb.loadBalancerId);
    expect(await askOnce(lb, { ...options, session })).toBe("");
  });
});
