import type { BackendHealth, Unit } from "../snapshot/snapshot.ts";
import { abilityOf, type NodeFacts, type UnitFacts, type VipAbility } from "./ability.ts";

/** A load balancer as {@link AbilityBook} takes it. */
export interface AbilitySource extends Omit<UnitFacts, "healthOf"> {
  readonly unit: Unit;
}

/**
 * What this node can serve, kept up to date: a verdict costs one load balancer, a change of the node all of them.
 */
export class AbilityBook {
  #node: NodeFacts;
  readonly #sources = new Map<string, AbilitySource>();
  readonly #health = new Map<string, BackendHealth>();
  readonly #abilities = new Map<string, VipAbility>();

  constructor(node: NodeFacts = { draining: false }) {
    this.#node = node;
  }

  /** By load balancer id. */
  get abilities(): ReadonlyMap<string, VipAbility> {
    return this.#abilities;
  }

  /** Takes over what concerns the whole node; answers whether that changed what it can serve. */
  setNode(node: NodeFacts): boolean {
    this.#node = node;
    return [...this.#sources.keys()].filter((id) => this.#judge(id)).length > 0;
  }

  /** Takes over load balancers as they are now, undefined for those that are gone; answers whether that changed anything. */
  update(sources: Iterable<readonly [loadBalancerId: string, source: AbilitySource | undefined]>): boolean {
    let hasChanged = false;
    for (const [id, source] of sources) {
      const before = this.#sources.get(id)?.unit;
      if (source === undefined) this.#sources.delete(id);
      else this.#sources.set(id, source);
      this.#forgetHealth(before, source?.unit);
      hasChanged = this.#judge(id) || hasChanged;
    }
    return hasChanged;
  }

  /** Takes over verdicts, also on backends that are not known so far; answers whether that changed what can be served. */
  setHealth(loadBalancerId: string, backendId: string, health: BackendHealth): boolean {
    this.#health.set(backendId, health);
    return this.#judge(loadBalancerId);
  }

  /** Verdicts that were made before any load balancer was known. */
  inheritHealth(verdicts: Iterable<readonly [backendId: string, health: BackendHealth]>): void {
    for (const [backendId, health] of verdicts) this.#health.set(backendId, health);
  }

  #judge(id: string): boolean {
    const source = this.#sources.get(id);
    const before = this.#abilities.get(id);
    if (source === undefined) return this.#abilities.delete(id);
    const healthOf = (backendId: string): BackendHealth => this.#health.get(backendId) ?? "UNKNOWN";
    const ability = abilityOf(source.unit, { ...source, healthOf }, this.#node);
    if (before !== undefined && isSame(before, ability)) return false;
    this.#abilities.set(id, ability);
    return true;
  }

  /** A backend that comes back, or is monitored anew, has to show itself again. */
  #forgetHealth(before: Unit | undefined, after: Unit | undefined): void {
    if (before === undefined || before === after) return;
    const kept = new Set(monitoredIn(after));
    for (const id of monitoredIn(before)) if (!kept.has(id)) this.#health.delete(id);
  }
}

const monitoredIn = (unit: Unit | undefined): string[] =>
  (unit?.pools ?? []).flatMap(({ backends }) => backends.filter(({ monitored }) => monitored).map(({ id }) => id));

const isSame = (a: VipAbility, b: VipAbility): boolean =>
  a.vip === b.vip &&
  a.vipPool === b.vipPool &&
  a.canServe === b.canServe &&
  a.reason === b.reason &&
  a.canAnswer === b.canAnswer &&
  a.kernelOnly === b.kernelOnly;
