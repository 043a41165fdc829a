import type { BackendHealth, BackendUnit, PoolUnit } from "../snapshot/snapshot.ts";

/** Which backends of a pool may get new traffic. Both lists keep the pool's order. */
export interface Rotation {
  /** Those that share the traffic. Empty: nobody can serve. */
  readonly active: readonly BackendUnit[];
  /** Backups to turn to when none of `active` takes one more connection; empty while backups are active themselves. */
  readonly standby: readonly BackendUnit[];
  /** Whether any backend is in service at all (enabled, weight above 0, address known), healthy or not. */
  readonly anyInService: boolean;
}

/**
 * Who is in rotation: backends in service that health checks don't hold OFFLINE, backups only when no primary is.
 * UNKNOWN ones get traffic only while nothing is ONLINE. When fewer than the pool's panic threshold are left, health
 * checks are more likely wrong than the backends: then all primaries get traffic.
 *
 * Balancers, Maglev tables and the kernel's maps all follow this, so they agree. Limits on connections are not known here.
 */
export function rotation(pool: PoolUnit, healthOf: (backend: BackendUnit) => BackendHealth): Rotation {
  const inService = pool.backends.filter(isInService);
  const anyInService = inService.length > 0;
  const of = (backup: boolean, ...healths: readonly BackendHealth[]): readonly BackendUnit[] =>
    inService.filter((backend) => backend.backup === backup && healths.includes(healthOf(backend)));

  const primaries = of(false, "ONLINE", "NO_MONITOR");
  const backups = of(true, "ONLINE", "NO_MONITOR");
  const unknown = of(false, "UNKNOWN");
  const allPrimaries = inService.filter(({ backup }) => !backup);
  const isPanic = (primaries.length + unknown.length) * 100 < pool.panicThresholdPercent * allPrimaries.length;
  if (isPanic && (primaries.length > 0 || backups.length === 0)) {
    return { active: allPrimaries, standby: [], anyInService };
  }
  if (primaries.length > 0) return { active: primaries, standby: backups, anyInService };
  const active = [backups, unknown, of(true, "UNKNOWN")].find((backends) => backends.length > 0) ?? [];
  return { active, standby: [], anyInService };
}

/**
 * Who has slots in a pool's Maglev table: the primaries, or the backups while those are active, each whether it can
 * serve now or not. The slots of one that cannot (down, disabled, its name not resolved) go to its successors until it
 * is back, so that nobody else's flows move. One of weight 0 is leaving and has none.
 */
export function tableMembers({ backends }: PoolUnit, { active }: Pick<Rotation, "active">): readonly BackendUnit[] {
  const isBackup = active[0]?.backup === true;
  return backends.filter(({ weight, backup }) => weight > 0 && backup === isBackup);
}

/** Whether a backend takes new connections as far as its configuration goes. */
export function isInService({ enabled, weight, address }: BackendUnit): boolean {
  return enabled && weight > 0 && address !== undefined;
}
