/**
 * The forwarding half of a node: what the store says → VIPs, Maglev tables, sockets, health checks; and back, what became
 * of it. Knows no RPC.
 */
import type { Serving } from "./announce/serving.ts";
import type { Clock } from "./clock.ts";
import type { ApplyReport, DataPlane, Ejection } from "./data/data-plane.ts";
import { routeProblems } from "./data/l7/route-problems.ts";
import type { HealthMonitor } from "./health/monitor.ts";
import type { Verdict } from "./health/target.ts";
import { healthTargets } from "./health/targets.ts";
import type { Log } from "./log.ts";
import type { NodeReport } from "./node-report.ts";
import type { NodeSession } from "./repository/node-session.ts";
import { certificateProblems } from "./snapshot/compile-tls.ts";
import type { Lookups } from "./snapshot/compile.ts";
import type { MaglevTables } from "./snapshot/maglev-tables.ts";
import type { Published } from "./snapshot/publisher.ts";
import type { Problem, Snapshot } from "./snapshot/snapshot.ts";
import { unservedSettings } from "./snapshot/unserved.ts";
import type { VipBinder } from "./vip/binder.ts";

/** The parts that a snapshot goes to. */
export interface ForwardingParts {
  /** Publishes what became of a snapshot. */
  readonly report: Pick<NodeReport, "applied">;
  readonly dataPlane: DataPlane;
  readonly tables: MaglevTables;
  readonly monitor: HealthMonitor;
  readonly binder: VipBinder;
  readonly session: Pick<NodeSession, "recordHealth" | "forgetHealth" | "recordEjection">;
  /** Learns what this node can serve. Default: nobody asks. */
  readonly serving?: Serving;
  readonly lookups: Lookups;
  /** Names that backends are called by: to be resolved from now on. */
  readonly followNames: (hosts: ReadonlySet<string>) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Applies snapshots, one at a time, and publishes what became of each. */
export class Forwarding {
  readonly #parts: ForwardingParts;
  /** Load balancers that a snapshot brought anew and that have not been dealt with. */
  readonly #touched = new Set<string>();
  /** Backends with a verdict, by load balancer. */
  readonly #judged = new Map<string, Set<string>>();
  /** VIPs by load balancer, as the binder was told last. */
  #vips: ReadonlyMap<string, string> | undefined;
  #names: ReadonlySet<string> = new Set();
  /** By load balancer and listener. */
  #problemsBefore = new Map<string, string>();
  #vipProblems: readonly Problem[] = [];
  /** What the store says and this node does not serve, by load balancer. */
  readonly #unserved = new Map<string, readonly Problem[]>();
  /** Policies that can't be carried out, by load balancer. */
  readonly #routeProblems = new Map<string, readonly Problem[]>();
  #appliedRevision = 0;
  #isReady = false;
  #snapshot: Snapshot = { revision: 0, units: new Map() };

  constructor(parts: ForwardingParts) {
    this.#parts = parts;
  }

  /** Whether a configuration has been applied, since start. */
  get ready(): boolean {
    return this.#isReady;
  }

  /** What the data plane serves now. */
  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /**
   * Makes a snapshot so. Never rejects: what does not work is a problem of its load balancer. Costs what was touched, not
   * what there is.
   */
  async apply({ snapshot, trees, touched, names }: Published): Promise<void> {
    const { tables, dataPlane, clock, log } = this.#parts;
    const startedMs = clock.nowMs();
    // Kept until all of it has worked, so that the next snapshot makes up for one that could not be applied.
    for (const id of touched) this.#touched.add(id);
    try {
      await this.#bindVips(snapshot);
      // Tables first, so that no pool serves without its own.
      tables.apply(snapshot);
      const report = await dataPlane.apply(snapshot);
      this.#snapshot = snapshot;
      this.#noteUnserved(trees);
      this.#noteRouteProblems(snapshot);
      this.#follow(names);
      this.#check(trees);
      const dealtWith = [...this.#touched];
      this.#touched.clear();
      this.#isReady = true;
      this.report(report);
      this.#parts.serving?.applied(
        { units: snapshot.units, trees, touched: dealtWith },
        { ...report, vipProblems: this.#vipProblems },
      );
      log.debug("configuration applied", {
        revision: snapshot.revision,
        loadBalancers: snapshot.units.size,
        ms: Math.round((clock.nowMs() - startedMs) * 10) / 10,
      });
    } catch (error) {
      log.error("a configuration could not be applied; forwarding goes on as before", {
        revision: snapshot.revision,
        error,
      });
    }
  }

  /** What the data plane says of itself, at an apply or later: published to the other nodes and the API. */
  report(said: ApplyReport): void {
    const { revision, problems } = said;
    const { report, serving, log } = this.#parts;
    serving?.reported({ ...said, vipProblems: this.#vipProblems });
    const withoutVip = new Set(this.#vipProblems.map(({ loadBalancerId }) => loadBalancerId));
    // A VIP that is missing is why its listeners cannot be bound: one reason, not two.
    const all = [
      ...this.#vipProblems,
      ...problems.filter(({ loadBalancerId }) => !withoutVip.has(loadBalancerId)),
      ...[...this.#unserved.values()].flat(),
      ...[...this.#routeProblems.values()].flat(),
    ];
    this.#appliedRevision = Math.max(this.#appliedRevision, revision);
    for (const line of this.#changes(all)) log.warn(line.event, line.fields);
    report.applied({
      revision: this.#appliedRevision,
      problems: all.map(({ loadBalancerId, listenerId, reason }) => ({
        loadBalancerId,
        ...(listenerId !== undefined && { listenerId }),
        reason,
      })),
    });
  }

  /** A backend's health has changed: the data path, the tables and the store hear of it, in this order. */
  verdict({ backendId, loadBalancerId, health, reason, target, previous, atMs }: Verdict): void {
    const { dataPlane, tables, session, serving, log } = this.#parts;
    // The table first: what a verdict changes of both is loaded in one go.
    tables.setHealth(backendId, health);
    dataPlane.setHealth(backendId, health);
    serving?.verdict(loadBalancerId, backendId, health);
    this.#noteVerdict(loadBalancerId, backendId);
    session.recordHealth([{ backendId, loadBalancerId, health, reason, since: new Date(atMs).toISOString() }]);
    const fields = {
      loadBalancer: target.loadBalancerName,
      pool: target.poolName,
      backend: `${target.host}:${target.port}`,
      before: previous,
    };
    if (health === "ONLINE") log.info("backend is ONLINE", fields);
    else log.warn(`backend is ${health}`, { ...fields, reason });
  }

  /** The data plane leaves a backend out, or has it back: for the status. Traffic knows already. */
  ejection(ejection: Ejection): void {
    this.#parts.session.recordEjection(ejection);
  }

  /** One log line for each problem that is new, and for each that is gone. */
  #changes(problems: readonly Problem[]): { readonly event: string; readonly fields: Record<string, unknown> }[] {
    const now = new Map(problems.map((p) => [`${p.loadBalancerId}/${p.listenerId ?? ""}`, p.reason]));
    const lines = [...now]
      .filter(([key, reason]) => this.#problemsBefore.get(key) !== reason)
      .map(([key, reason]) => ({ event: reason, fields: idsOf(key) }));
    const gone = [...this.#problemsBefore].filter(([key]) => !now.has(key));
    this.#problemsBefore = now;
    return [
      ...lines,
      ...gone.map(([key, reason]) => ({ event: "a problem is solved", fields: { ...idsOf(key), was: reason } })),
    ];
  }

  /** Tells the binder when a VIP came or went, or again when one could not be bound. */
  async #bindVips({ units }: Snapshot): Promise<void> {
    const isSame = [...this.#touched].every((id) => this.#vips?.get(id) === units.get(id)?.vip);
    if (this.#vips !== undefined && isSame && this.#vipProblems.length === 0) return;
    const vips = new Map([...units.values()].map(({ loadBalancerId, vip }) => [loadBalancerId, vip]));
    const failed = await this.#parts.binder.apply(new Set(vips.values()));
    this.#vips = vips;
    this.#vipProblems = [...vips].flatMap(([loadBalancerId, vip]) => {
      const reason = failed.get(vip);
      return reason === undefined ? [] : [{ loadBalancerId, reason }];
    });
  }

  #follow(names: ReadonlySet<string>): void {
    if (names === this.#names) return;
    this.#parts.followNames(names);
    this.#names = names;
  }

  /** Settings that are asked for in vain, and certificates that cannot be used, by load balancer. */
  #noteUnserved(trees: Published["trees"]): void {
    const { findCertificate } = this.#parts.lookups;
    for (const id of this.#touched) {
      const tree = trees.get(id);
      const problems =
        tree === undefined ? [] : [...unservedSettings(tree), ...certificateProblems(tree, findCertificate)];
      if (problems.length > 0) this.#unserved.set(id, problems);
      else this.#unserved.delete(id);
    }
  }

  #noteRouteProblems({ units }: Snapshot): void {
    for (const id of this.#touched) {
      const unit = units.get(id);
      const problems = unit === undefined ? [] : routeProblems(unit);
      if (problems.length > 0) this.#routeProblems.set(id, problems);
      else this.#routeProblems.delete(id);
    }
  }

  /** Has the backends of touched load balancers checked as they are now, and forgets verdicts on those that are not. */
  #check(trees: Published["trees"]): void {
    const { monitor, lookups } = this.#parts;
    const targetsOf = new Map(
      [...this.#touched].map((id) => {
        const tree = trees.get(id);
        return [id, tree === undefined ? [] : healthTargets(tree, lookups)];
      }),
    );
    monitor.applyTo(targetsOf);
    for (const [loadBalancerId, targets] of targetsOf)
      this.#forgetVerdicts(loadBalancerId, new Set(targets.map(({ backendId }) => backendId)));
  }

  #noteVerdict(loadBalancerId: string, backendId: string): void {
    const judged = this.#judged.get(loadBalancerId);
    if (judged !== undefined) judged.add(backendId);
    else this.#judged.set(loadBalancerId, new Set([backendId]));
  }

  #forgetVerdicts(loadBalancerId: string, checked: ReadonlySet<string>): void {
    const judged = this.#judged.get(loadBalancerId);
    const gone = [...(judged ?? [])].filter((backendId) => !checked.has(backendId));
    for (const backendId of gone) judged?.delete(backendId);
    if (judged?.size === 0) this.#judged.delete(loadBalancerId);
    if (gone.length > 0) this.#parts.session.forgetHealth(gone.map((backendId) => ({ backendId, loadBalancerId })));
  }
}

function idsOf(key: string): Record<string, unknown> {
  const [loadBalancerId, listenerId] = key.split("/");
  return { loadBalancerId, ...(listenerId !== "" && { listenerId }) };
}
