import type { Certificate } from "@fiberlb/types";

import type { CertificateUnit } from "./snapshot.ts";

/** A certificate as it is used: its chain, and its key if it has one. */
export interface CertificateMaterial {
  /** The chain, leaf first; of type CLIENT_CA the authorities. */
  readonly certificatePem: string;
  /**
   * Chain, private key and names, as units carry them: one object for all listeners and pools that use the certificate.
   * Absent for type CLIENT_CA.
   */
  readonly keyPair?: CertificateUnit;
  /** As the store keeps it, its key sealed: for whoever has to keep it, too. */
  readonly stored?: Certificate;
}

/** A certificate, or why it cannot be used. */
export type CertificateAnswer =
  | { readonly ok: true; readonly material: CertificateMaterial }
  | {
      readonly ok: false;
      /** What cannot be used: `certificate site (0190…)`. */
      readonly label: string;
      /** Why, and what to do about it; never with anything of the key. */
      readonly problem: string;
    };

/** Answers at once from what is at hand. */
export type FindCertificate = (id: string) => CertificateAnswer;

/** Whose a certificate is. */
export interface CertificateOwner {
  readonly orgId: string;
  readonly projectId: string;
}

/** A certificate that somebody's load balancer names. */
export interface NamedCertificate {
  readonly owner: CertificateOwner;
  readonly id: string;
}

/** Reads one certificate. Rejects only when the store could not be asked: that is worth another try. */
export type LoadCertificate = (named: NamedCertificate) => Promise<CertificateAnswer>;

/** Certificates read at once. */
const LOADED_TOGETHER = 16;

/**
 * Certificates at hand, for code that cannot wait for the store. The material of an id never changes, so what was read once
 * holds for as long as a load balancer uses it; then it is dropped, its private key with it.
 */
export class CertificateShelf {
  readonly #load: LoadCertificate;
  readonly #answers = new Map<string, CertificateAnswer>();
  readonly #usedBy = new Map<string, ReadonlySet<string>>();
  /** How many load balancers use a certificate. */
  readonly #uses = new Map<string, number>();

  constructor(load: LoadCertificate) {
    this.#load = load;
  }

  /**
   * Reads those that are not at hand, and again those that could not be used.
   * @throws what the loader throws; others may have been read.
   */
  async fetch(named: Iterable<NamedCertificate>): Promise<void> {
    const wanted = new Map(
      [...named].filter(({ id }) => this.#answers.get(id)?.ok !== true).map((one) => [one.id, one]),
    );
    const waiting = [...wanted.values()];
    while (waiting.length > 0) {
      const reads = waiting.splice(0, LOADED_TOGETHER).map(async (one) => {
        this.#answers.set(one.id, await this.#load(one));
      });
      await Promise.all(reads);
    }
  }

  /** From now on this load balancer uses exactly these. What nobody uses any more is dropped. */
  use(loadBalancerId: string, ids: ReadonlySet<string>): void {
    const before = this.#usedBy.get(loadBalancerId) ?? new Set<string>();
    for (const id of ids.difference(before)) this.#uses.set(id, (this.#uses.get(id) ?? 0) + 1);
    for (const id of before.difference(ids)) this.#release(id);
    if (ids.size > 0) this.#usedBy.set(loadBalancerId, ids);
    else this.#usedBy.delete(loadBalancerId);
  }

  /** One that was never fetched cannot be used either. */
  find(id: string): CertificateAnswer {
    return this.#answers.get(id) ?? { ok: false, label: `certificate ${id}`, problem: "has not been read" };
  }

  #release(id: string): void {
    const uses = (this.#uses.get(id) ?? 1) - 1;
    if (uses > 0) return void this.#uses.set(id, uses);
    this.#uses.delete(id);
    this.#answers.delete(id);
  }
}
