import type { Clock } from "../../../clock.ts";
import type { PoolUnit, Unit } from "../../../snapshot/snapshot.ts";
import type { DataPlaneLog } from "../../data-plane.ts";
import type { Assignment, KernelReadiness } from "./assignment.ts";
import type { RunCommand } from "./command.ts";
import type { TableDriver, TableReport } from "./driver.ts";
import { deviceOf, ingressDevices, type Link } from "./dsr-eligibility.ts";
import { dsrPoolState, type DsrPoolState } from "./dsr-pool.ts";
import { flowKey } from "./flows.ts";
import { type Fragment, isEmpty } from "./fragment.ts";
import { LeavingBackends } from "./leaving-backends.ts";
import { Neighbours } from "./neighbours.ts";
import { DSR_FLOW_SETS, DSR_REFUSALS, type NetdevBaseOptions } from "./netdev-hooks.ts";
import { countKey, dsrFragment, poolMarks } from "./netdev-ruleset.ts";
import type { ListedElement } from "./nft.ts";
import type { PoolStates } from "./pool-states.ts";
import { endpointOf } from "./ruleset.ts";

/** How {@link DsrForwarder} works. */
export interface DsrForwarderOptions {
  /** Name of the node, which marks the table. */
  readonly node: string;
  readonly driver: TableDriver<NetdevBaseOptions>;
  /** Who may get new connections; told by {@link KernelForwarder}. */
  readonly states: PoolStates;
  /** Reads the neighbour table. */
  readonly run: RunCommand;
  /** Makes the kernel ask for a link address. */
  readonly knock: (address: string) => void;
  readonly clock: Clock;
  readonly log: DataPlaneLog;
  /** Who serves what must be decided anew. */
  readonly onUnsettled: () => void;
}

/** Keeps `netdev fiberlb` as the listeners with direct server return need it. */
export class DsrForwarder {
  readonly #options: DsrForwarderOptions;
  readonly #neighbours: Neighbours;
  readonly #leaving: LeavingBackends;
  readonly #served = new Map<string, Assignment>();
  readonly #fragments = new Map<string, Fragment>();
  readonly #stale = new Set<string>();
  readonly #refused = new Map<string, { readonly unit: Unit; readonly reason: string }>();
  #links: readonly Link[] = [];
  #unavailable: string | undefined;
  #isFlushScheduled = false;

  constructor(options: DsrForwarderOptions) {
    this.#options = options;
    this.#neighbours = new Neighbours({ ...options, onChange: (addresses) => this.#touchUsersOf(addresses) });
    this.#leaving = new LeavingBackends({
      clock: options.clock,
      onGone: (poolId) => this.#touchWhere(({ pools }) => pools.some(({ id }) => id === poolId)),
    });
  }

  /** What stands in the way of a load balancer. */
  readiness(unit: Unit): KernelReadiness {
    const refusal = this.#refused.get(unit.loadBalancerId);
    return { unavailable: this.#unavailable, refused: refusal?.unit === unit ? refusal.reason : undefined };
  }

  /** Makes the table so. @returns false when not all of it worked */
  async load(assignments: ReadonlyMap<string, Assignment>, links: readonly Link[]): Promise<boolean> {
    const isMoved = JSON.stringify(links) !== JSON.stringify(this.#links);
    this.#links = links;
    for (const id of this.#served.keys()) if (!hasDsr(assignments.get(id))) this.#remove(id);
    for (const [id, assignment] of assignments) {
      if (!hasDsr(assignment) || (this.#served.get(id) === assignment && !isMoved)) continue;
      this.#change(id, assignment);
    }
    this.#neighbours.watch(this.#addresses());
    const { problem, refused } = await this.#flush();
    return problem === undefined && refused.size === 0;
  }

  /** Who may get connections of a load balancer is not as it was. */
  touch(loadBalancerId: string): void {
    if (!this.#served.has(loadBalancerId)) return;
    this.#stale.add(loadBalancerId);
    this.#scheduleFlush();
  }

  /** Whether the table is in the kernel, as far as is known. */
  get isLoaded(): boolean {
    return this.#options.driver.isLoaded;
  }

  /** What a set that counts holds, with the keys that it would have in `inet fiberlb`. @throws NftError */
  async counted(set: string): Promise<ListedElement[]> {
    if (!isCounted(set)) return [];
    const elements = await this.#options.driver.elements("set", set);
    if (set.startsWith("refused.")) return elements;
    const keys = new Map([...this.#served.values()].flatMap(({ unit, byDsr }) => this.#flowKeys(unit, byDsr)));
    return elements.flatMap((element) => {
      const key = keys.get(element.key);
      return key === undefined ? [] : [{ ...element, key }];
    });
  }

  /** Looks whether the table is still there, and whether what did not work works now. @returns whether to decide anew */
  async check(): Promise<boolean> {
    const { driver, log } = this.#options;
    const wasUnavailable = this.#unavailable !== undefined;
    this.#unavailable = undefined;
    const isLost = await driver.isLost();
    if (isLost) log.warn("the kernel's table of direct server return is gone; it is loaded again");
    return isLost || wasUnavailable;
  }

  /** Leaves the table to another process. */
  leave(): Promise<void> {
    return this.#options.driver.leave();
  }

  /** Takes the table back; what is in it is looked at with the next load. */
  reclaim(): Promise<void> {
    return this.#options.driver.reclaim();
  }

  /** Follows nothing any more. The table stays, unless it is to be removed, or serves nothing. */
  async stop({ remove }: { readonly remove: boolean }): Promise<void> {
    this.#neighbours.stop();
    this.#leaving.stop();
    if (this.#served.size > 0 && !remove) return;
    await this.#options.driver.apply({ base: { node: this.#options.node, devices: [] }, fragments: new Map() });
  }

  #flowKeys(unit: Unit, byDsr: ReadonlySet<string>): (readonly [counted: string, key: string])[] {
    return unit.listeners.flatMap((listener) => {
      const pool = dsrPools(unit).find(({ id }) => id === listener.defaultPoolId);
      if (!byDsr.has(listener.id) || pool === undefined) return [];
      const endpoint = endpointOf(unit, listener);
      const marks = poolMarks(pool, this.#stateOf(pool).members);
      return [...marks].map(([address, mark]) => [
        countKey(endpoint, mark),
        flowKey({ endpoint, address, port: endpoint.port }),
      ]);
    });
  }

  #addresses(): string[] {
    const backends = [...this.#served.values()].flatMap(({ unit }) => dsrPools(unit).flatMap((pool) => pool.backends));
    return backends.flatMap(({ address }) => address ?? []);
  }

  #change(id: string, assignment: Assignment): void {
    const kept = new Set(dsrPools(assignment.unit).map((pool) => pool.id));
    for (const pool of this.#poolsOf(id)) if (!kept.has(pool.id)) this.#leaving.remove(pool.id);
    for (const pool of dsrPools(assignment.unit)) this.#leaving.serve(pool);
    this.#served.set(id, assignment);
    this.#stale.add(id);
  }

  #remove(id: string): void {
    for (const pool of this.#poolsOf(id)) this.#leaving.remove(pool.id);
    this.#served.delete(id);
    this.#fragments.delete(id);
    this.#stale.delete(id);
  }

  #poolsOf(id: string): readonly PoolUnit[] {
    const unit = this.#served.get(id)?.unit;
    return unit === undefined ? [] : dsrPools(unit);
  }

  #touchUsersOf(addresses: readonly string[]): void {
    const changed = new Set(addresses);
    this.#touchWhere((unit) =>
      dsrPools(unit).some(({ backends }) => backends.some(({ address = "" }) => changed.has(address))),
    );
  }

  #touchWhere(isMeant: (unit: Unit) => boolean): void {
    for (const [id, { unit }] of this.#served) if (isMeant(unit)) this.touch(id);
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
        (error: unknown) =>
          this.#options.log.error("the table of direct server return could not be changed", { error }),
      );
    });
  }

  async #flush(): Promise<TableReport> {
    const { driver, node } = this.#options;
    for (const id of this.#stale) this.#renew(id);
    this.#stale.clear();
    if (this.#unavailable !== undefined) return { problem: this.#unavailable, refused: new Map() };
    const base = { node, devices: ingressDevices(this.#links) };
    const report = await driver.apply({ base, fragments: new Map(this.#fragments) });
    this.#note(report);
    return report;
  }

  #note({ problem, refused }: TableReport): void {
    const { log } = this.#options;
    if (problem !== undefined) log.warn("the kernel does no direct server return", { reason: problem });
    this.#unavailable = problem;
    for (const [id, reason] of refused) {
      const unit = this.#served.get(id)?.unit;
      if (unit === undefined || this.#refused.get(id)?.unit === unit) continue;
      this.#refused.set(id, { unit, reason });
      log.warn("the kernel does no direct server return for a load balancer", { loadBalancerId: id, reason });
    }
  }

  #renew(id: string): void {
    const assignment = this.#served.get(id);
    if (assignment === undefined) return;
    const fragment = dsrFragment({
      ...assignment,
      stateOf: (pool) => this.#stateOf(pool),
      // Without a backend nothing is sent, and any device will do.
      deviceOf: (pool) => deviceOf(pool, this.#links) ?? "lo",
    });
    if (isEmpty(fragment)) this.#fragments.delete(id);
    else this.#fragments.set(id, fragment);
  }

  #stateOf(pool: PoolUnit): DsrPoolState {
    const { states } = this.#options;
    return dsrPoolState(states.stateOf(pool), {
      healthOf: (backend) => states.healthOf(backend),
      isUnreachable: (address) => this.#neighbours.isUnreachable(address),
      leaving: this.#leaving.of(pool.id),
    });
  }
}

const COUNTED: readonly string[] = [...DSR_FLOW_SETS, ...DSR_REFUSALS.map((refusal) => `refused.${refusal}`)];

/** @param set with the family at its end */
const isCounted = (set: string): boolean => COUNTED.includes(set.slice(0, -1));

const hasDsr = (assignment: Assignment | undefined): boolean => (assignment?.byDsr.size ?? 0) > 0;

/** Pools of a load balancer that send packets to their backends' links. */
const dsrPools = ({ pools }: Unit): readonly PoolUnit[] => pools.filter(({ forwarding }) => forwarding === "DSR");
