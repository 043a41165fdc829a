import type { CertificateAnswer, FindCertificate } from "../../src/snapshot/certificate-shelf.ts";
import type { CertificateUnit } from "../../src/snapshot/snapshot.ts";

/** Key material that nothing parses. */
export const keyPair = (id: string): CertificateUnit => ({
  id,
  chainPem: `chain of ${id}`,
  privateKeyPem: `key of ${id}`,
  names: [`${id}.example.test`],
});

/** Answers for a certificate of type SERVER. */
export const server = (id: string): CertificateAnswer => {
  const pair = keyPair(id);
  return { ok: true, material: { certificatePem: pair.chainPem, keyPair: pair } };
};

/** Answers for a certificate of type CLIENT_CA. */
export const authority = (certificatePem: string): CertificateAnswer => ({ ok: true, material: { certificatePem } });

/** Answers for a certificate that cannot be used. */
export const unusable = (id: string): CertificateAnswer => ({
  ok: false,
  label: `certificate ${id}`,
  problem: "is not in the store",
});

/** A shelf with nothing on it. */
export const noCertificate: FindCertificate = unusable;

/** A shelf with these on it. */
export const shelfOf =
  (answers: Readonly<Record<string, CertificateAnswer>>): FindCertificate =>
  (id) =>
    answers[id] ?? unusable(id);
