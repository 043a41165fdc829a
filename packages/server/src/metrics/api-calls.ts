import type { Sample } from "./exposition.ts";

/** Counts calls of the API by method and code. */
export class ApiCalls {
  readonly #counts = new Map<string, { readonly method: string; readonly code: string; count: number }>();

  /** A call has ended. */
  add(method: string, code: string): void {
    const key = `${method} ${code}`;
    const entry = this.#counts.get(key);
    if (entry === undefined) this.#counts.set(key, { method, code, count: 1 });
    else entry.count += 1;
  }

  samples(): readonly Sample[] {
    return [...this.#counts.values()].map(({ method, code, count }) => ({ labels: { method, code }, value: count }));
  }
}
