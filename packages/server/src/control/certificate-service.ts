import type { ServiceImpl } from "@connectrpc/connect";
import type { CertificateService } from "@fiberlb/api";
import { type CertificateSpec, invalid } from "@fiberlb/types";

import { parseCertificate } from "./certificate-parser.ts";
import { createCrud, type Prepared } from "./crud.ts";
import type { ServiceOptions } from "./service-options.ts";

/** The private key is sealed before it goes anywhere, and no answer has a field for it. */
export function certificateService(options: ServiceOptions): ServiceImpl<typeof CertificateService> {
  const prepare = async (spec: CertificateSpec): Promise<Prepared<"certificate">> => sealed(options, spec);
  const crud = createCrud({ kind: "certificate", plural: "certificates", prepare }, options);
  return {
    createCertificate: crud.create,
    getCertificate: crud.get,
    listCertificates: crud.list,
    updateCertificate: crud.update,
    deleteCertificate: crud.delete,
  };
}

/** What a certificate's private key is sealed for: the certificate itself, so that no other can be given its key. */
export const keyContext = (fingerprintSha256: string): string => `certificate ${fingerprintSha256}`;

function sealed({ keyRing, clock }: ServiceOptions, spec: CertificateSpec): Prepared<"certificate"> {
  const parsed = parseCertificate(spec, clock.epochMs());
  if (!parsed.ok) throw invalid(parsed.violations);
  const { privateKeyPem, ...stored } = spec;
  const context = keyContext(parsed.facts.fingerprintSha256);
  const key = privateKeyPem === undefined ? {} : { sealedPrivateKey: keyRing.seal(privateKeyPem, context) };
  return { spec: stored, record: { ...parsed.facts, ...key } };
}
