import { z } from "zod";

import * as field from "./fields.ts";
import type { CertificateId } from "./ids.ts";
import {
  commonSpec,
  defineResource,
  type EntityOf,
  recordFields,
  type Rules,
  tenantFields,
  type TenantRecord,
} from "./resource.ts";

/** SERVER has a private key; CLIENT_CA judges client certificates. */
export const certificateTypes = ["SERVER", "CLIENT_CA"] as const;
/** Values of the API's `CertificateType`. */
export type CertificateType = (typeof certificateTypes)[number];

const MAX_PEM_CHARS = 262_144;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/;
/** PKCS #8, PKCS #1 and SEC 1, and encrypted ones, which a rule refuses with what to do. */
const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----[^]+-----END (?:[A-Z]+ )?PRIVATE KEY-----/;
/** Also the beginning of one. */
const BEGIN_PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
/** PKCS #8, and the older form that OpenSSL writes with -traditional (RFC 1421 §4.6.1.1). */
const ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: *4, *ENCRYPTED/m;

const { adminStateUp: _, ...named } = commonSpec;

/** What `CreateCertificate` takes. Whether key and chain fit is the server's to say, which can read them. */
export const certificateSpec = field.message({
  ...named,
  type: field.choice("CERTIFICATE_TYPE", certificateTypes),
  /** The chain, leaf first. */
  certificatePem: field.text({
    max: MAX_PEM_CHARS,
    pattern: CERTIFICATE,
    expected: "a certificate in PEM form",
    // A file may hold a key besides.
    secret: true,
  }),
  /** Write-only. */
  privateKeyPem: field
    .text({
      max: MAX_PEM_CHARS,
      pattern: PRIVATE_KEY,
      expected: "an unencrypted private key in PEM form",
      secret: true,
    })
    .optional(),
});

/** A certificate as a client sends it, private key included. */
export type CertificateSpec = z.output<typeof certificateSpec>;
/** What the server adds to a certificate. */
export interface CertificateRecord extends TenantRecord<CertificateId> {
  /** Read from the leaf. */
  readonly subject: string;
  readonly sans: readonly string[];
  readonly notBefore: string;
  readonly notAfter: string;
  /** Lower-case hexadecimal, without colons. */
  readonly fingerprintSha256: string;
  /** The private key as the server's key ring sealed it, base64; stored only, in no answer. Absent for CLIENT_CA. */
  readonly sealedPrivateKey?: string | undefined;
}
/** Key material of listeners and pools; the private key itself is never part of it. */
export type Certificate = Omit<EntityOf<CertificateSpec, CertificateRecord>, "privateKeyPem">;

const rules: Rules<CertificateSpec> = ({ type, certificatePem, privateKeyPem }, report) => {
  // It is answered to everybody who may read the certificate, and kept in clear.
  if (certificatePem !== undefined && BEGIN_PRIVATE_KEY.test(certificatePem))
    report("certificatePem", "must not hold a private key: put that into private_key_pem", "NOT_ALLOWED");
  if (privateKeyPem !== undefined && ENCRYPTED.test(privateKeyPem)) {
    const how = "remove its passphrase (openssl pkey -in KEY -out PLAIN_KEY); it is encrypted here when it is stored";
    report("privateKeyPem", `must not be encrypted: ${how}`, "NOT_ALLOWED");
  }
  if (type === "SERVER" && privateKeyPem === undefined)
    report("privateKeyPem", "is required with type SERVER", "REQUIRED");
  if (type === "CLIENT_CA" && privateKeyPem !== undefined) {
    report("privateKeyPem", "must not be given with type CLIENT_CA: a CA's key has no place on a load balancer");
  }
};

/** What the generic code knows of certificates. */
export const certificate = defineResource({
  label: "certificate",
  spec: certificateSpec,
  stored: z.strictObject({
    ...recordFields,
    ...tenantFields,
    privateKeyPem: z.undefined().optional(),
    subject: z.string(),
    sans: z.array(z.string()).default([]),
    notBefore: field.timestamp(),
    notAfter: field.timestamp(),
    fingerprintSha256: z.string(),
    sealedPrivateKey: z.string().optional(),
  }),
  rules,
  resolve: (parsed): CertificateSpec => parsed,
  immutable: ["type", "certificatePem", "privateKeyPem"],
  writeOnly: ["privateKeyPem"],
});
