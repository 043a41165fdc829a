import type { CertificateSpec } from "@fiberlb/types";
import { describe, expect, test } from "@jest/globals";

import { parseCertificate } from "../../src/control/certificate-parser.ts";
import { type Issued, issue, openssl, P256, rsa } from "../openssl.ts";

const DAY_MS = 86_400_000;

interface Upload {
  readonly type?: "SERVER" | "CLIENT_CA";
  readonly certificatePem: string;
  readonly privateKeyPem?: string;
  readonly nowMs?: number;
}

function parse({ type = "SERVER", certificatePem, privateKeyPem, nowMs = Date.now() }: Upload) {
  const spec = { type, certificatePem, privateKeyPem, description: "", tags: {} } as CertificateSpec;
  return parseCertificate(spec, nowMs);
}

/** Each as a sentence; none: it is taken. */
const refusals = (upload: Upload): readonly string[] => {
  const parsed = parse(upload);
  return parsed.ok ? [] : parsed.violations.map(({ field, description }) => `${field} ${description}`);
};
const pair = ({ pem, keyPem }: Issued): Upload => ({ certificatePem: pem, privateKeyPem: keyPem });

const root = issue({ subject: "/CN=root", isAuthority: true });
const middle = issue({ subject: "/CN=middle", isAuthority: true, issuer: root });
const leaf = issue({ subject: "/O=Example/CN=site", alternativeNames: ["DNS:Site.example.test"], issuer: middle });

describe("the facts of a certificate", () => {
  test("are those of the leaf", () => {
    const parsed = parse({ certificatePem: leaf.pem + middle.pem, privateKeyPem: leaf.keyPem });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.violations));
    expect(parsed.facts).toMatchObject({ subject: "O=Example, CN=site", sans: ["Site.example.test"] });
    expect(Date.parse(parsed.facts.notAfter) - Date.parse(parsed.facts.notBefore)).toBe(30 * DAY_MS);
    const shown = openssl(["x509", "-in", "leaf.pem", "-noout", "-fingerprint", "-sha256"], { "leaf.pem": leaf.pem });
    expect(parsed.facts.fingerprintSha256).toBe(shown.split("=")[1]!.trim().replaceAll(":", "").toLowerCase());
  });

  test("keep a name with a comma one name", () => {
    const certificate = issue({
      alternativeNames: ["DNS:a.test", "URI:https://b.test/x, DNS:evil.test", "IP:192.0.2.1"],
    });
    const parsed = parse(pair(certificate));
    expect(parsed.ok && parsed.facts.sans).toEqual(["a.test", "https://b.test/x, DNS:evil.test", "192.0.2.1"]);
  });
});

describe("a chain", () => {
  test("may lack its root, or have it", () => {
    expect(refusals({ certificatePem: leaf.pem + middle.pem, privateKeyPem: leaf.keyPem })).toEqual([]);
    expect(refusals({ certificatePem: leaf.pem + middle.pem + root.pem, privateKeyPem: leaf.keyPem })).toEqual([]);
  });

  test("must begin with the leaf", () => {
    expect(refusals({ certificatePem: middle.pem + leaf.pem, privateKeyPem: leaf.keyPem })).toEqual([
      "certificate_pem must be a chain, leaf first: certificate 1 was not issued by certificate 2",
      "private_key_pem is the key of certificate 2 in certificate_pem, which must be the first: put the leaf on top",
    ]);
  });

  test("must not leave one out", () =>
    expect(refusals({ certificatePem: leaf.pem + root.pem, privateKeyPem: leaf.keyPem })).toEqual([
      "certificate_pem must be a chain, leaf first: certificate 1 was not issued by certificate 2",
    ]));
});

describe("validity", () => {
  const expiry = (days: number): number => Date.now() + days * DAY_MS;

  test("has ended: the answer says whose and when", () => {
    const [refusal, ...more] = refusals({ ...pair(leaf), nowMs: expiry(31) });
    expect(refusal).toMatch(
      /^certificate_pem must not have expired, and O=Example, CN=site expired on \d{4}-\d\d-\d\dT/,
    );
    expect(more).toEqual([]);
  });

  test("has ended for one of an authority's certificates", () =>
    expect(refusals({ type: "CLIENT_CA", certificatePem: root.pem, nowMs: expiry(31) })).toEqual([
      expect.stringContaining("CN=root expired on"),
    ]));

  test("has not begun: taken, so that it can be in place in time", () =>
    expect(refusals({ ...pair(leaf), nowMs: expiry(-1) })).toEqual([]));
});

describe("keys", () => {
  test.each([
    ["RSA", rsa(2048)],
    ["RSA-PSS", ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"]],
    ["P-256", P256],
    ["P-384", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]],
    ["Ed25519", ["-algorithm", "ED25519"]],
  ])("of type %s are taken", (_type, key) => expect(refusals(pair(issue({ key })))).toEqual([]));

  test.each([
    [rsa(1024), "CN=test has an RSA key of 1024 bits; at least 2048 are needed"],
    [
      ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
      "CN=test has an EC key on the curve secp256k1; TLS needs P-256, P-384 or P-521",
    ],
  ])("too weak for TLS are refused: %j", (key, why) =>
    expect(refusals(pair(issue({ key })))).toEqual([`certificate_pem cannot be used for TLS: ${why}`]),
  );

  test("of an authority are judged like others, because clients' chains end there", () => {
    const weak = issue({ subject: "/CN=old root", isAuthority: true, key: rsa(1024) });
    expect(refusals({ type: "CLIENT_CA", certificatePem: root.pem + weak.pem })).toEqual([
      "certificate_pem cannot be used for TLS: CN=old root has an RSA key of 1024 bits; at least 2048 are needed",
    ]);
  });

  test("may be PKCS #8, PKCS #1 or SEC 1, with parameters before", () => {
    const certificate = issue({ key: rsa(2048) });
    const pkcs1 = openssl(["pkey", "-in", "key", "-traditional"], { key: certificate.keyPem });
    expect(pkcs1).toContain("BEGIN RSA PRIVATE KEY");
    expect(refusals({ certificatePem: certificate.pem, privateKeyPem: pkcs1 })).toEqual([]);
    const sec1 = openssl(["ec", "-in", "key"], { key: leaf.keyPem });
    expect(sec1).toContain("BEGIN EC PRIVATE KEY");
    const parameters = openssl(["ecparam", "-name", "prime256v1"]);
    expect(refusals({ certificatePem: leaf.pem, privateKeyPem: parameters + sec1 })).toEqual([]);
  });

  test("must be those of the leaf", () =>
    expect(refusals({ certificatePem: leaf.pem, privateKeyPem: root.keyPem })).toEqual([
      "private_key_pem is not the key of the first certificate in certificate_pem",
    ]));

  test("that are none are refused, without a word of what was sent", () => {
    const privateKeyPem = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----";
    const [refusal, ...more] = refusals({ certificatePem: leaf.pem, privateKeyPem });
    expect(refusal).toBe("private_key_pem is not a private key that can be read");
    expect(more).toEqual([]);
  });
});

describe("authorities", () => {
  test("may be several, in any order", () => {
    const other = issue({ subject: "/CN=other", isAuthority: true });
    expect(refusals({ type: "CLIENT_CA", certificatePem: other.pem + middle.pem + root.pem })).toEqual([]);
  });

  test("are no leaves", () =>
    expect(refusals({ type: "CLIENT_CA", certificatePem: root.pem + leaf.pem })).toEqual([
      "certificate_pem must hold authorities only, and O=Example, CN=site is none",
    ]));
});
