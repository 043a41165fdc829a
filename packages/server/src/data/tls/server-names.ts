/**
 * Which of many certificates a server name is for: an exact name before a wildcard, and among equals the first that was
 * added. Looking up costs the same however many there are.
 */
export class ServerNames<T> {
  readonly #exact = new Map<string, T>();
  /** By what follows the first label, dot included: `*.example.com` is under `.example.com`. */
  readonly #wildcard = new Map<string, T>();

  /** @param name in lower case; `*.` stands for exactly one label (RFC 6125 §6.4.3). */
  add(name: string, value: T): void {
    const index = name.startsWith("*.") ? this.#wildcard : this.#exact;
    const key = name.startsWith("*.") ? name.slice(1) : name;
    if (!index.has(key)) index.set(key, value);
  }

  /** @param name in lower case. */
  find(name: string): T | undefined {
    const exact = this.#exact.get(name);
    if (exact !== undefined || this.#wildcard.size === 0) return exact;
    const dot = name.indexOf(".");
    return dot < 1 ? undefined : this.#wildcard.get(name.slice(dot));
  }
}
