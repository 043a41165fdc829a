import type { BackendUnit, ListenerUnit, PoolUnit, Snapshot, Unit } from "../../src/snapshot/snapshot.ts";

/** Units with every default, for tests that care about a part of them. */
export function backendUnit(id: string, part: Partial<BackendUnit> = {}): BackendUnit {
  const address = part.host ?? "127.0.0.1";
  return {
    id,
    name: id,
    host: address,
    address,
    port: 9000,
    weight: 1,
    backup: false,
    maxConnections: 0,
    enabled: true,
    monitored: false,
    ...part,
  };
}

export function poolUnit(backends: readonly BackendUnit[], part: Partial<PoolUnit> = {}): PoolUnit {
  return {
    id: "pool",
    name: "pool",
    protocol: "TCP",
    algorithm: "ROUND_ROBIN",
    sourceIpPersistence: false,
    drainTimeoutMs: 30_000,
    slowStartMs: 0,
    panicThresholdPercent: 0,
    onBackendDown: "RESET",
    backends,
    ...part,
  };
}

export function listenerUnit(part: Partial<ListenerUnit> = {}): ListenerUnit {
  return {
    id: "listener",
    name: "tcp",
    protocol: "TCP",
    port: 80,
    connectionLimit: 0,
    clientIdleTimeoutMs: 350_000,
    backendConnectTimeoutMs: 5000,
    allowedCidrs: [],
    defaultPoolId: "pool",
    ...part,
  };
}

export function unit(part: Partial<Unit> = {}): Unit {
  const { loadBalancerId = "lb" } = part;
  return {
    loadBalancerId,
    name: loadBalancerId,
    orgId: "default",
    projectId: "default",
    vip: "127.0.0.1",
    listeners: [],
    pools: [],
    ...part,
  };
}

export function snapshot(revision: number, units: readonly Unit[]): Snapshot {
  return { revision, units: new Map(units.map((one) => [one.loadBalancerId, one])) };
}
