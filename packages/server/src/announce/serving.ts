import type { BackendHealth, Problem, Unit } from "../snapshot/snapshot.ts";
import { AbilityBook, type AbilitySource } from "./ability-book.ts";
import type { VipAbility } from "./ability.ts";

/** A load balancer as the store has it, as far as announcing cares. */
export interface ServingTree {
  readonly loadBalancer: {
    readonly adminStateUp: boolean;
    readonly deletingSince?: string | undefined;
    readonly vipPool: string;
  };
}

/** What was applied. */
export interface ServingSnapshot {
  readonly units: ReadonlyMap<string, Unit>;
  readonly trees: ReadonlyMap<string, ServingTree>;
  /** Load balancers that may differ from what was applied before. */
  readonly touched: Iterable<string>;
}

/** What became of it. */
export interface ServingReport {
  /** Of listeners; those that are not closed don't matter here. */
  readonly problems: readonly Problem[];
  /** Why VIPs could not be made local, by load balancer. */
  readonly vipProblems: readonly Problem[];
  /** See `ApplyReport`. */
  readonly inKernel?: ReadonlyMap<string, ReadonlySet<string>>;
  readonly failure?: string;
}

/** What a load balancer has of a report. */
interface Reported {
  readonly vipProblem?: string;
  readonly unbound: ReadonlyMap<string, string>;
  readonly inKernel: ReadonlySet<string>;
}

const NOTHING: Reported = { unbound: new Map(), inKernel: new Set() };

/** Follows what the data plane serves, and tells when what this node can serve has changed. */
export class Serving {
  readonly #book = new AbilityBook();
  readonly #onChange: () => void;
  #snapshot: Omit<ServingSnapshot, "touched"> = { units: new Map(), trees: new Map() };
  #reported = new Map<string, Reported>();
  #failure: string | undefined;
  #draining = false;
  #isReady = false;

  /** @param onChange called after changes, once the first configuration has been applied; may be called for nothing. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Whether a configuration has been applied: before, nothing is known of any VIP. */
  get isReady(): boolean {
    return this.#isReady;
  }

  get abilities(): readonly VipAbility[] {
    return [...this.#book.abilities.values()];
  }

  /** A configuration has been applied. */
  applied({ units, trees, touched }: ServingSnapshot, report: ServingReport): void {
    this.#snapshot = { units, trees };
    const isFirst = !this.#isReady;
    this.#isReady = true;
    const hasChanged = this.#take(report, touched);
    if (hasChanged || isFirst) this.#onChange();
  }

  /** The data plane says something else of what it serves. */
  reported(report: ServingReport): void {
    if (this.#take(report, []) && this.#isReady) this.#onChange();
  }

  /** A backend's health has changed. */
  verdict(loadBalancerId: string, backendId: string, health: BackendHealth): void {
    if (this.#book.setHealth(loadBalancerId, backendId, health) && this.#isReady) this.#onChange();
  }

  /** What whoever was here before knew of backends. */
  inheritHealth(verdicts: Iterable<readonly [backendId: string, health: BackendHealth]>): void {
    this.#book.inheritHealth(verdicts);
  }

  /** While draining nothing can be served. */
  setDraining(draining: boolean): void {
    this.#draining = draining;
    if (this.#book.setNode({ draining, dataPlaneProblem: this.#failure }) && this.#isReady) this.#onChange();
  }

  #take(report: ServingReport, touched: Iterable<string>): boolean {
    this.#failure = report.failure;
    const ofNode = this.#book.setNode({ draining: this.#draining, dataPlaneProblem: this.#failure });
    const before = this.#reported;
    this.#reported = byLoadBalancer(report);
    const different = new Set(before.keys()).union(new Set(this.#reported.keys())).union(new Set(touched));
    return this.#book.update([...different].map((id) => [id, this.#source(id)])) || ofNode;
  }

  #source(id: string): AbilitySource | undefined {
    const unit = this.#snapshot.units.get(id);
    const tree = this.#snapshot.trees.get(id);
    if (unit === undefined || tree === undefined) return undefined;
    const { adminStateUp, deletingSince, vipPool } = tree.loadBalancer;
    const isDown = !adminStateUp || deletingSince !== undefined;
    return { unit, vipPool, isDown, ...(this.#reported.get(id) ?? NOTHING) };
  }
}

function byLoadBalancer({ problems, vipProblems, inKernel = new Map() }: ServingReport): Map<string, Reported> {
  const reported = new Map<string, Reported>();
  const add = (id: string, part: Partial<Reported>): void =>
    void reported.set(id, { ...(reported.get(id) ?? NOTHING), ...part });
  for (const [id, listeners] of inKernel) add(id, { inKernel: listeners });
  for (const { loadBalancerId, reason } of vipProblems) add(loadBalancerId, { vipProblem: reason });
  for (const { loadBalancerId, listenerId, reason, isClosed } of problems) {
    if (listenerId === undefined || isClosed === undefined) continue;
    const unbound = new Map([...(reported.get(loadBalancerId)?.unbound ?? []), [listenerId, reason]]);
    add(loadBalancerId, { unbound });
  }
  return reported;
}
