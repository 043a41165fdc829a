import { keyText, type ObjectKey, type Tenant, tenantText } from "./objects.ts";

/**
 * Which load balancers belong to a Service, so that looking at one need not list them all. It is no state of its own: a pass
 * over everything fills it, and what it does not know is asked for.
 */
export class OwnershipIndex {
  readonly #ids = new Map<string, Set<string>>();
  readonly #complete = new Set<string>();

  /** Whether a pass has seen everything of the tenant: what is missing here did not exist then. */
  isCompleteFor(tenant: Tenant): boolean {
    return this.#complete.has(tenantText(tenant));
  }

  markComplete(tenant: Tenant): void {
    this.#complete.add(tenantText(tenant));
  }

  idsOf(key: ObjectKey): readonly string[] {
    return [...(this.#ids.get(keyText(key)) ?? [])];
  }

  add(key: ObjectKey, id: string): void {
    const text = keyText(key);
    const known = this.#ids.get(text);
    if (known === undefined) this.#ids.set(text, new Set([id]));
    else known.add(id);
  }

  remove(key: ObjectKey, id: string): void {
    const text = keyText(key);
    const known = this.#ids.get(text);
    if (known?.delete(id) === true && known.size === 0) this.#ids.delete(text);
  }
}
