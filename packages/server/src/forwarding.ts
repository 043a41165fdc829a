/**
 * The forwarding half of a node: what the store says → VIPs, Maglev tables, sockets, health checks; and back, what became
 * of it. Knows no RPC.
 */
import type { Clock } from "./clock.ts";
import type { ApplyReport, DataPlane } from "./data/data-plane.ts";
import type { HealthMonitor } from "./health/monitor.ts";
import type { Verdict } from "./health/target.ts";
import { healthTargets, type TargetLookups } from "./health/targets.ts";
import type { Log } from "./log.ts";
import type { NodeSession } from "./repository/node-session.ts";
import type { MaglevTables } from "./snapshot/maglev-tables.ts";
import type { Published } from "./snapshot/publisher.ts";
import type { Problem, Snapshot } from "./snapshot/snapshot.ts";
import type { VipBinder } from "./vip/binder.ts";

/** What the node publishes of itself besides what it has applied. */
export interface NodeIdentity {
  readonly name: string;
  readonly version: string;
  /** ISO 8601. */
  readonly startedAt: string;
}

/** The parts that a snapshot goes to. */
export interface ForwardingParts {
  readonly identity: NodeIdentity;
  readonly dataPlane: DataPlane;
  readonly tables: MaglevTables;
  readonly monitor: HealthMonitor;
  readonly binder: VipBinder;
  readonly session: NodeSession;
  readonly lookups: TargetLookups;
  /** Names that backends are called by: to be resolved from now on. */
  readonly followNames: (hosts: ReadonlySet<string>) => void;
  readonly clock: Clock;
  readonly log: Log;
}

/** Applies snapshots, one at a time, and publishes what became of each. */
export class Forwarding {
  readonly #parts: ForwardingParts;
  readonly #known = new Map<string, string>();
  /** By load balancer and listener. */
  #problemsBefore = new Map<string, string>();
  #vipProblems: readonly Problem[] = [];
  #appliedRevision = 0;
  #snapshot: Snapshot = { revision: 0, units: new Map() };

  constructor(parts: ForwardingParts) {
    this.#parts = parts;
  }

  /** Whether a configuration has been applied, since start. */
  get ready(): boolean {
    return this.#appliedRevision > 0;
  }

  /** What the data plane serves now. */
  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  /** Makes a snapshot so. Never rejects: what does not work is a problem of its load balancer. */
  async apply({ snapshot, trees }: Published): Promise<void> {
    const { binder, tables, dataPlane, monitor, followNames, clock, log } = this.#parts;
    const startedMs = clock.nowMs();
    try {
      const failed = await binder.apply(new Set([...snapshot.units.values()].map((unit) => unit.vip)));
      this.#vipProblems = [...snapshot.units.values()].flatMap(({ loadBalancerId, vip }) => {
        const reason = failed.get(vip);
        return reason === undefined ? [] : [{ loadBalancerId, reason }];
      });
      // Tables first, so that no pool serves without its own.
      tables.apply(snapshot);
      const report = await dataPlane.apply(snapshot);
      this.#snapshot = snapshot;
      const sources = [...trees.values()];
      followNames(
        new Set(sources.flatMap((tree) => tree.backends.flatMap((b) => [b.address, b.monitorAddress ?? b.address]))),
      );
      monitor.apply(sources.flatMap((tree) => healthTargets(tree, this.#parts.lookups)));
      this.#forgetGone(sources.flatMap((tree) => tree.backends.map((backend) => backend.id)));
      this.report(report);
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
  report({ revision, problems }: ApplyReport): void {
    const { identity, session, log } = this.#parts;
    const withoutVip = new Set(this.#vipProblems.map(({ loadBalancerId }) => loadBalancerId));
    // A VIP that is missing is why its listeners cannot be bound: one reason, not two.
    const all = [...this.#vipProblems, ...problems.filter(({ loadBalancerId }) => !withoutVip.has(loadBalancerId))];
    this.#appliedRevision = Math.max(this.#appliedRevision, revision);
    for (const line of this.#changes(all)) log.warn(line.event, line.fields);
    session.publish({
      ...identity,
      state: "READY",
      addresses: [],
      appliedRevision: this.#appliedRevision,
      problems: all as never,
      capabilities: ["userspace"],
    });
  }

  /** A backend's health has changed: the data path, the tables and the store hear of it, in this order. */
  verdict({ backendId, loadBalancerId, health, reason, target, previous, atMs }: Verdict): void {
    const { dataPlane, tables, session, log } = this.#parts;
    dataPlane.setHealth(backendId, health);
    tables.setHealth(backendId, health);
    this.#known.set(backendId, loadBalancerId);
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

  #forgetGone(backendIds: readonly string[]): void {
    const here = new Set<string>(backendIds);
    const gone = [...this.#known].filter(([backendId]) => !here.has(backendId));
    for (const [backendId] of gone) this.#known.delete(backendId);
    if (gone.length > 0)
      this.#parts.session.forgetHealth(gone.map(([backendId, loadBalancerId]) => ({ backendId, loadBalancerId })));
  }
}

function idsOf(key: string): Record<string, unknown> {
  const [loadBalancerId, listenerId] = key.split("/");
  return { loadBalancerId, ...(listenerId !== "" && { listenerId }) };
}
