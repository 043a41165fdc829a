import { StoreError } from "@fiberlb/store";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";

import { keyContext } from "../src/control/certificate-service.ts";
import { createKeyRing, keyFingerprint } from "../src/control/secrets.ts";
import { loadCertificate } from "../src/load-certificate.ts";
import type { KeyRing } from "../src/repository/key-ring.ts";
import { type Issued, issue, rsa } from "./openssl.ts";
import { type RepositoryHarness, spec, startRepository, TENANT } from "./repository/harness.ts";

const KEY = new Uint8Array(32).fill(1);
const OTHER_KEY = new Uint8Array(32).fill(2);
const FINGERPRINT = "ab".repeat(32);
const keyRing = createKeyRing([KEY]);

let harness: RepositoryHarness;
beforeEach(async () => {
  harness = await startRepository();
});
afterEach(() => harness.stop());

interface StoreOptions {
  readonly ring?: KeyRing;
  /** Changes the sealed key. */
  readonly spoil?: (sealed: string) => string;
  readonly isAuthority?: boolean;
}

/** Stores a certificate as the API would, whatever is wrong with it; answers its id. */
async function store({ pem, keyPem }: Issued, options: StoreOptions = {}): Promise<string> {
  const { ring = keyRing, spoil = (sealed) => sealed, isAuthority = false } = options;
  const type = isAuthority ? "CLIENT_CA" : "SERVER";
  const input = { name: "site", type, certificatePem: pem, ...(!isAuthority && { privateKeyPem: keyPem }) };
  const { privateKeyPem: _, ...stored } = spec("certificate", input);
  const at = "2026-01-01T00:00:00.000Z";
  const facts = { subject: "CN=site", sans: [], notBefore: at, notAfter: at, fingerprintSha256: FINGERPRINT };
  const sealed = isAuthority ? {} : { sealedPrivateKey: spoil(ring.seal(keyPem, keyContext(FINGERPRINT))) };
  const written = await harness.repository.create({
    tenant: TENANT,
    kind: "certificate",
    spec: stored,
    record: { ...facts, ...sealed },
    validateOnly: false,
  });
  return written.stored.entity.id;
}

const load = (id: string, ring: KeyRing = keyRing, owner = TENANT) =>
  loadCertificate({ repository: harness.repository, keyRing: ring }, { owner, id });

const site = issue({ subject: "/CN=site", alternativeNames: ["DNS:Site.Example.test", "DNS:*.example.test"] });

describe("loadCertificate", () => {
  it("opens the key and reads the names", async () => {
    const id = await store(site);
    const names = ["site.example.test", "*.example.test"];
    const keyPair = { id, chainPem: site.pem, privateKeyPem: site.keyPem, names };
    const stored = expect.objectContaining({ id, sealedPrivateKey: expect.any(String) });
    expect(await load(id)).toEqual({ ok: true, material: { certificatePem: site.pem, keyPair, stored } });
  });

  it("knows authorities, which have no key", async () => {
    const id = await store(site, { isAuthority: true });
    const stored = expect.objectContaining({ id });
    expect(await load(id)).toEqual({ ok: true, material: { certificatePem: site.pem, stored } });
  });

  it("says that one is gone, and no more of another tenant's", async () => {
    const id = await store(site);
    const refusal = { ok: false, label: `certificate ${id}`, problem: "is not in the store; name another one" };
    expect(await load(id, keyRing, { orgId: "acme", projectId: "other" })).toEqual(refusal);
    await harness.repository.delete({ tenant: TENANT, kind: "certificate", id, cascade: false, validateOnly: false });
    expect(await load(id)).toEqual(refusal);
  });

  it("says that the key was sealed with another cluster key, and what to do", async () => {
    const id = await store(site, { ring: createKeyRing([OTHER_KEY]) });
    expect(await load(id)).toEqual({
      ok: false,
      label: `certificate site (${id})`,
      problem:
        `has a private key that cannot be opened: it was sealed with key ${keyFingerprint(OTHER_KEY)}, which is not here; ` +
        "start this node with the key file that it was sealed with (secrets.keyFile), or upload the certificate again and " +
        "name that one",
    });
  });

  it("says that the sealed key was changed", async () => {
    const id = await store(site, { spoil: (sealed) => `${sealed.slice(0, -8)}AAAAAAA=` });
    const problem = expect.stringContaining("cannot be opened: it was changed, or belongs to something else; start");
    expect(await load(id)).toEqual({ ok: false, label: `certificate site (${id})`, problem });
  });

  it("says that OpenSSL does not take it, as it would not in a worker", async () => {
    const id = await store(issue({ key: rsa(1024) }));
    const problem = "cannot be used for TLS: ee key too small; upload another one and name that";
    expect(await load(id)).toEqual({ ok: false, label: `certificate site (${id})`, problem });
  });

  it("rejects while the store cannot be asked", async () => {
    const reader = { at: () => Promise.reject(new StoreError("UNAVAILABLE", "store not reachable")) };
    const repository = { reader } as unknown as RepositoryHarness["repository"];
    await expect(loadCertificate({ repository, keyRing }, { owner: TENANT, id: "x" })).rejects.toThrow(
      "store not reachable",
    );
  });

  it("tells of a value that this release cannot read, and rejects not", async () => {
    const reader = { at: () => Promise.reject(new Error("Cannot read stored certificate x: upgrade this node")) };
    const repository = { reader } as unknown as RepositoryHarness["repository"];
    expect(await loadCertificate({ repository, keyRing }, { owner: TENANT, id: "x" })).toEqual({
      ok: false,
      label: "certificate x",
      problem: "cannot be read: Cannot read stored certificate x: upgrade this node",
    });
  });
});
