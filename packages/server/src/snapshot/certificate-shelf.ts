/** What a certificate is used for: its chain, and the private key of one that has it. */
export interface CertificateMaterial {
  readonly certificatePem: string;
  readonly privateKeyPem?: string;
}

/** Whose a certificate is. */
export interface CertificateOwner {
  readonly orgId: string;
  readonly projectId: string;
}

/** Reads one certificate; undefined when there is none (any more). */
export type LoadCertificate = (owner: CertificateOwner, id: string) => Promise<CertificateMaterial | undefined>;

/**
 * Certificates at hand, for code that cannot wait for the store. The material of an id never changes, so what was read once
 * holds for ever.
 */
export class CertificateShelf {
  readonly #load: LoadCertificate;
  readonly #known = new Map<string, CertificateMaterial>();

  constructor(load: LoadCertificate) {
    this.#load = load;
  }

  /** Reads those that are not at hand. One that cannot be read is left out and asked for again next time. */
  async fetch(owner: CertificateOwner, ids: Iterable<string>): Promise<void> {
    for (const id of ids) {
      if (this.#known.has(id)) continue;
      const material = await this.#load(owner, id);
      if (material !== undefined) this.#known.set(id, material);
    }
  }

  get(id: string): CertificateMaterial | undefined {
    return this.#known.get(id);
  }
}
