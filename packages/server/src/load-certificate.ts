import { isStoreError } from "@fiberlb/store";
import type { Certificate } from "@fiberlb/types";

import { tlsFault } from "./control/certificate-fault.ts";
import { certificateNames } from "./control/certificate-names.ts";
import { keyContext } from "./control/certificate-service.ts";
import { type KeyRing, SealedSecretError } from "./repository/key-ring.ts";
import type { Repository } from "./repository/repository.ts";
import type { CertificateAnswer, NamedCertificate } from "./snapshot/certificate-shelf.ts";

/** Where certificates come from, and what opens their keys. */
export interface CertificateSource {
  readonly repository: Pick<Repository, "reader">;
  readonly keyRing: KeyRing;
  /** One that is at hand without the store: what is behind an id never changes. */
  readonly kept?: (id: string) => Certificate | undefined;
}

/**
 * Reads a certificate as the data path uses it. What is wrong with one is told, not thrown, so that it concerns only who uses it.
 * @throws StoreError when the store cannot be asked.
 */
export async function loadCertificate(
  { repository, keyRing, kept }: CertificateSource,
  { owner, id }: NamedCertificate,
): Promise<CertificateAnswer> {
  try {
    const keptEntity = kept?.(id);
    if (keptEntity !== undefined) return openCertificate(keptEntity, keyRing);
    const { orgId, projectId } = owner;
    const location = { kind: "certificate", id, loadBalancerId: "", parentId: "" } as const;
    const stored = await repository.reader.at<"certificate">({ orgId, projectId }, location);
    if (stored === undefined) return refusal(`certificate ${id}`, "is not in the store; name another one");
    return openCertificate(stored.entity, keyRing);
  } catch (error) {
    if (isStoreError(error)) throw error;
    return refusal(`certificate ${id}`, `cannot be read: ${(error as Error).message}`);
  }
}

function openCertificate(entity: Certificate, keyRing: KeyRing): CertificateAnswer {
  const { id, name, certificatePem, sealedPrivateKey } = entity;
  if (sealedPrivateKey === undefined) return { ok: true, material: { certificatePem, stored: entity } };
  const label = `certificate ${name} (${id})`;
  const key = openKey({ ...entity, sealedPrivateKey }, keyRing);
  if (!key.ok) return refusal(label, key.problem);
  const { privateKeyPem } = key;
  // One from an earlier release, or for another OpenSSL, must not reach the workers, which would end by it.
  const fault = tlsFault({ certificatePem, privateKeyPem });
  if (fault !== undefined) return refusal(label, `cannot be used for TLS: ${fault}; upload another one and name that`);
  const keyPair = { id, chainPem: certificatePem, privateKeyPem, names: certificateNames(certificatePem) };
  return { ok: true, material: { certificatePem, keyPair, stored: entity } };
}

type OpenedKey =
  | { readonly ok: true; readonly privateKeyPem: string }
  | { readonly ok: false; readonly problem: string };

function openKey(
  { sealedPrivateKey, fingerprintSha256 }: Certificate & { readonly sealedPrivateKey: string },
  keyRing: KeyRing,
): OpenedKey {
  try {
    return { ok: true, privateKeyPem: keyRing.open(sealedPrivateKey, keyContext(fingerprintSha256)) };
  } catch (error) {
    if (!(error instanceof SealedSecretError)) throw error;
    return { ok: false, problem: `has a private key that cannot be opened: ${error.reason}; ${REMEDY}` };
  }
}

const REMEDY =
  "start this node with the key file that it was sealed with (secrets.keyFile), or upload the certificate again and name that one";

const refusal = (label: string, problem: string): CertificateAnswer => ({ ok: false, label, problem });
