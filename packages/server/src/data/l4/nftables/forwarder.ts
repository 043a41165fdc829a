import type { Cancel, Clock } from "../../../clock.ts";
import type { BackendHealth, MaglevTableUnit, PoolUnit, Unit, Units } from "../../../snapshot/snapshot.ts";
import type { DataPlaneLog } from "../../data-plane.ts";
import { assign, type Assignment, isSameAssignment, type L4Mode, servedByKernel } from "./assignment.ts";
import { Drains } from "./drains.ts";
import type { NftablesDriver, TableReport } from "./driver.ts";
import type { DsrForwarder } from "./dsr-forwarder.ts";
import type { HostFacts } from "./eligibility.ts";
import type { FlowGroup } from "./flows.ts";
import { type Fragment, isEmpty } from "./fragment.ts";
import { idleKey, type IdleTimeout } from "./idle-timeouts.ts";
import { LostBackends } from "./lost-backends.ts";
import type { PoolStates } from "./pool-states.ts";
import { loadBalancerFragment, servedFlows, timeoutsOf } from "./ruleset.ts";

/** How {@link KernelForwarder} works. */
export interface KernelForwarderOptions {
  readonly mode: L4Mode;
  /** Name of the node, which marks the table. */
  readonly node: string;
  readonly driver: NftablesDriver;
  /** Who may get new connections. */
  readonly states: PoolStates;
  /** Serves the listeners with direct server return. */
  readonly dsr: DsrForwarder;
  /** Makes the kernel forget connections; rejects with the reason. */
  readonly deleteFlows: (group: FlowGroup) => Promise<void>;
  readonly host: () => HostFacts;
  /** Families of which this host must not forward what is not a load balancer's. */
  readonly guardRouting: (host: HostFacts) => { readonly ipv4: boolean; readonly ipv6: boolean };
  readonly clock: Clock;
  readonly log: DataPlaneLog;
  /** Who serves what must be decided anew: the table was lost or refused, or this host is another than it was. */
  readonly onUnsettled: () => void;
}

/** How often it is looked whether the table is still there, and whether what did not work works now. */
export const CHECK_INTERVAL_MS = 10_000;

/** The main thread's side of forwarding in the kernel: decides what the kernel serves, and keeps its table so. */
export class KernelForwarder {
  readonly #options: KernelForwarderOptions;
  readonly #states: PoolStates;
  readonly #drains: Drains;
  readonly #lost: LostBackends;
  readonly #assignments = new Map<string, Assignment>();
  readonly #fragments = new Map<string, Fragment>();
  /** Load balancers whose fragment has to be made anew. */
  readonly #stale = new Set<string>();
  /** Load balancers by pool and by backend, as far as the kernel serves any of their listeners. */
  readonly #ownerOfPool = new Map<string, string>();
  readonly #poolOf = new Map<string, PoolUnit>();
  #host: HostFacts;
  /** Why nothing can be loaded. */
  #unavailable: string | undefined;
  /** Why the kernel does not take a load balancer as it is. */
  readonly #refused = new Map<string, { readonly unit: Unit; readonly reason: string }>();
  /** Whether connections can have timeouts of their own; undefined until the kernel was asked. */
  #hasIdleTimeouts: boolean | undefined;
  #isFlushScheduled = false;
  #cancelCheck: Cancel | undefined;

  constructor(options: KernelForwarderOptions) {
    this.#options = options;
    this.#states = options.states;
    this.#host = options.host();
    const end = (group: FlowGroup): void => this.#endFlows(group);
    this.#lost = new LostBackends({ end, isChosen: (pool, id) => this.#states.isChosen(pool, id) });
    this.#drains = new Drains({
      clock: options.clock,
      onOver: (group) => {
        end(group);
        this.#scheduleFlush();
      },
    });
    this.#checkLater();
  }

  /** Who serves what of these, as things are now. Changes nothing; what did not change is the same object as before. */
  decide(units: Units): ReadonlyMap<string, Assignment> {
    const { mode, host: readHost, dsr } = this.#options;
    this.#host = readHost();
    const decided = new Map<string, Assignment>();
    for (const [id, unit] of units) {
      const refusal = this.#refused.get(id);
      const refused = refusal?.unit === unit ? refusal.reason : undefined;
      const readiness = { unavailable: this.#unavailable, refused };
      const next = assign(unit, { mode, host: this.#host, ...readiness, dsr: dsr.readiness(unit) });
      const known = this.#assignments.get(id);
      decided.set(id, known !== undefined && isSameAssignment(known, next) ? known : next);
    }
    return decided;
  }

  /** Whether any listener changes sides: from the kernel to user space, or the other way. */
  moves(assignments: ReadonlyMap<string, Assignment>): { readonly out: boolean; readonly in: boolean } {
    const has = (
      from: (side: Assignment) => ReadonlySet<string>,
      to: (side: Assignment) => ReadonlySet<string>,
    ): boolean =>
      [...this.#assignments].some(([id, before]) => {
        const now = assignments.get(id);
        return now !== undefined && now !== before && !from(before).isDisjointFrom(to(now));
      });
    const user = ({ inUserSpace }: Assignment): ReadonlySet<string> =>
      new Set(inUserSpace.listeners.map(({ id }) => id));
    return { out: has(servedByKernel, user), in: has(user, servedByKernel) };
  }

  /** Makes the table so. @returns false when not all of it worked, and `decide` would now decide otherwise */
  async load(assignments: ReadonlyMap<string, Assignment>): Promise<boolean> {
    for (const [id, before] of this.#assignments) if (!assignments.has(id)) this.#change(id, before, undefined);
    for (const [id, assignment] of assignments) {
      const before = this.#assignments.get(id);
      if (before !== assignment) this.#change(id, before, assignment);
    }
    await this.#askForTimeouts();
    const [report, isDsrLoaded] = await Promise.all([
      this.#flush(),
      this.#options.dsr.load(assignments, this.#host.links ?? []),
    ]);
    return isDsrLoaded && report.problem === undefined && report.refused.size === 0;
  }

  /** What health checks say. */
  setHealth(backendId: string, health: BackendHealth): void {
    if (!this.#states.setHealth(backendId, health)) return;
    const pool = this.#poolOf.get(backendId);
    const owner = this.#assignments.get(this.#ownerOfPool.get(pool?.id ?? "") ?? "");
    if (pool === undefined || owner === undefined) return;
    if (health === "OFFLINE") this.#lost.add(backendId, pool, servedFlows(owner));
    else this.#lost.remove(backendId);
    this.#touch(owner.unit.loadBalancerId);
  }

  /** A pool's new Maglev table. */
  setTable(table: MaglevTableUnit): void {
    this.#states.setTable(table);
    const owner = this.#ownerOfPool.get(table.poolId);
    if (owner !== undefined) this.#touch(owner);
  }

  /** Leaves the tables to another process; what happens from now on changes nothing in them. */
  async leave(): Promise<void> {
    const { driver, dsr } = this.#options;
    await Promise.all([driver.leave(), dsr.leave()]);
  }

  /** Takes the tables back; what is in them is looked at with the next load. */
  async reclaim(): Promise<void> {
    const { driver, dsr } = this.#options;
    await Promise.all([driver.reclaim(), dsr.reclaim()]);
  }

  /** Follows nothing any more. The table stays, unless it is to be removed, or forwards nothing. */
  async stop({ remove }: { readonly remove: boolean }): Promise<void> {
    this.#cancelCheck?.();
    const isNeeded = this.#forwards && !remove;
    this.#drains.stop();
    if (!isNeeded) await this.#options.driver.remove(this.#options.node);
    await this.#options.dsr.stop({ remove });
  }

  get #forwards(): boolean {
    return this.#drains.pending > 0 || [...this.#assignments.values()].some(({ inKernel }) => inKernel.size > 0);
  }

  #change(id: string, before: Assignment | undefined, after: Assignment | undefined): void {
    if (before !== undefined) this.#states.release(before.unit, after?.unit);
    for (const pool of before?.unit.pools ?? []) {
      this.#ownerOfPool.delete(pool.id);
      for (const backend of pool.backends) this.#poolOf.delete(backend.id);
    }
    for (const pool of after !== undefined && servedByKernel(after).size > 0 ? after.unit.pools : []) {
      this.#ownerOfPool.set(pool.id, id);
      for (const backend of pool.backends) this.#poolOf.set(backend.id, pool);
    }
    this.#drains.serve(id, after === undefined ? [] : servedFlows(after));
    if (after === undefined) {
      this.#assignments.delete(id);
      this.#fragments.delete(id);
      this.#refused.delete(id);
      return;
    }
    this.#assignments.set(id, after);
    this.#stale.add(id);
    this.#logReasons(before, after);
  }

  #touch(loadBalancerId: string): void {
    this.#stale.add(loadBalancerId);
    this.#scheduleFlush();
    this.#options.dsr.touch(loadBalancerId);
  }

  /** What happens in one go is loaded in one go. */
  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    queueMicrotask(() => {
      this.#isFlushScheduled = false;
      this.#flush().then(
        ({ problem, refused }) => {
          if (problem !== undefined || refused.size > 0) this.#options.onUnsettled();
        },
        (error: unknown) => this.#options.log.error("the kernel's table could not be changed", { error }),
      );
    });
  }

  async #flush(): Promise<TableReport> {
    const { driver, node, guardRouting } = this.#options;
    for (const id of this.#stale) this.#renew(id);
    this.#stale.clear();
    if (this.#unavailable !== undefined) return { problem: this.#unavailable, refused: new Map() };
    const base = {
      node,
      forwards: this.#forwards,
      guardRouting: guardRouting(this.#host),
      idleTimeouts: this.#idleTimeouts(),
    };
    const report = await driver.apply({ base, fragments: new Map(this.#fragments) });
    this.#note(report);
    if (report.problem === undefined) this.#lost.endWhatIsNotChosen();
    return report;
  }

  #note({ problem, refused }: TableReport): void {
    const { log } = this.#options;
    if (problem !== undefined && problem !== this.#unavailable) {
      const what = this.#forwards ? "the kernel does not forward" : "VIPs cannot be guarded by the kernel";
      log.warn(what, { reason: problem });
    }
    this.#unavailable = problem;
    for (const [id, reason] of refused) {
      const unit = this.#assignments.get(id)?.unit;
      if (unit === undefined || this.#refused.get(id)?.unit === unit) continue;
      this.#refused.set(id, { unit, reason });
      log.warn("the kernel does not take a load balancer", { loadBalancerId: id, reason });
    }
  }

  #renew(id: string): void {
    const assignment = this.#assignments.get(id);
    if (assignment === undefined) return;
    const fragment = loadBalancerFragment({
      ...assignment,
      hasIdleTimeouts: this.#hasIdleTimeouts === true,
      stateOf: (pool) => this.#states.stateOf(pool),
    });
    if (isEmpty(fragment)) this.#fragments.delete(id);
    else this.#fragments.set(id, fragment);
  }

  /** Asks once: it is in every fragment. */
  async #askForTimeouts(): Promise<void> {
    if (this.#hasIdleTimeouts !== undefined || !this.#forwards) return;
    this.#hasIdleTimeouts = await this.#options.driver.canSetTimeouts();
    for (const id of this.#assignments.keys()) this.#stale.add(id);
    if (this.#hasIdleTimeouts !== false) return;
    const what = "the kernel keeps idle connections for the host's time, not for client_idle_timeout_ms";
    this.#options.log.info(what, { reason: "it has no timeouts of conntrack (NF_CONNTRACK_TIMEOUT)" });
  }

  #idleTimeouts(): readonly IdleTimeout[] {
    if (this.#hasIdleTimeouts !== true) return [];
    const all = [...this.#assignments.values()].flatMap((assignment) => timeoutsOf(assignment));
    return [...new Map(all.map((timeout) => [idleKey(timeout), timeout])).values()];
  }

  #endFlows(group: FlowGroup): void {
    this.#options.deleteFlows(group).catch((error: Error) => {
      const { address, port, endpoint } = group;
      const fields = { backend: `${address}:${port}`, vip: endpoint.vip, port: endpoint.port, reason: error.message };
      this.#options.log.warn("connections of a backend could not be ended", fields);
    });
  }

  #logReasons(before: Assignment | undefined, { unit, reasons }: Assignment): void {
    for (const listener of unit.listeners) {
      const reason = reasons.get(listener.id);
      if (reason === undefined || before?.reasons.get(listener.id) === reason) continue;
      if (listener.protocol !== "TCP" && listener.protocol !== "UDP") continue;
      this.#options.log.info("not forwarded by the kernel", { listener: `${unit.name}/${listener.name}`, reason });
    }
  }

  #checkLater(): void {
    this.#cancelCheck = this.#options.clock.after(CHECK_INTERVAL_MS, () => {
      this.#checkLater();
      this.#check().catch((error: unknown) => this.#options.log.error("cannot look at the kernel's table", { error }));
    });
  }

  async #check(): Promise<void> {
    const { driver, dsr, host, log, onUnsettled } = this.#options;
    const isSameHost = isEqual(host(), this.#host);
    const wasUnavailable = this.#unavailable !== undefined;
    this.#unavailable = undefined;
    const isLost = await driver.isLost();
    if (isLost) log.warn("the kernel's table is gone, somebody flushed the ruleset; it is loaded again");
    const isDsrUnsettled = await dsr.check();
    if (isLost || wasUnavailable || isDsrUnsettled || !isSameHost) onUnsettled();
  }
}

const isEqual = (a: HostFacts, b: HostFacts): boolean =>
  a.addresses.size === b.addresses.size &&
  JSON.stringify([a.forwards, a.links]) === JSON.stringify([b.forwards, b.links]);
