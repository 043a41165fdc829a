import { buildTable, FlowHash } from "../../../packages/maglev/src/index.ts";
import type { PoolUnit, Unit, Units } from "../../../packages/server/src/snapshot/snapshot.ts";

/** Backends of each pool. */
export const BACKENDS = 10;
/** Where the measured listener's backends are. */
export const backendAddress = (index: number): string => `10.2.0.${10 + index}`;
/** The measured listener. */
export const MEASURED = { vip: "203.0.113.1", port: 80, backendPort: 8080, seed: 1 } as const;
/** One pool in ten has a Maglev table. */
const MAGLEV_EVERY = 10;
/** What `maglev.table_size` 0 chooses for ten backends. */
const DEFAULT_SLOTS = 1021;

/** What a node has to forward: the measured listener and, beside it, others. */
export interface Size {
  readonly listeners: number;
  /** Of the measured listener's Maglev table. */
  readonly slots: number;
}

/** As many load balancers of one UDP listener and ten backends each; the first one is measured. */
export function unitsOf({ listeners, slots }: Size): Units {
  return new Map(Array.from({ length: listeners }, (_, at) => [`lb-${at}`, unitOf(at, slots)]));
}

/** Source ports from which a client's flows lead to that backend of the measured listener. */
export function portsOf(index: number, slots: number, client: string): number[] {
  const table = buildTable(
    Array.from({ length: BACKENDS }, (_, at) => ({ name: backendId(0, at) })),
    { size: slots },
  );
  const hash = new FlowHash({ seed: MEASURED.seed });
  const leadsThere = (sourcePort: number): boolean => {
    const flow = {
      sourceAddress: client,
      sourcePort,
      destinationAddress: MEASURED.vip,
      destinationPort: MEASURED.port,
    };
    return table.backendFor(hash.fiveTuple(flow))?.name === backendId(0, index);
  };
  return Array.from({ length: 60_000 }, (_, at) => 2000 + at).filter(leadsThere);
}

/** @param pool 0 is the measured one */
export const backendId = (pool: number, index: number): string => `backend-${pool}-${index}`;

function unitOf(at: number, slots: number): Unit {
  const id = `lb-${at}`;
  const vip = at === 0 ? MEASURED.vip : `198.18.${at >> 8}.${at & 255}`;
  return {
    loadBalancerId: id,
    name: id,
    orgId: "default",
    projectId: "default",
    vip,
    listeners: [
      {
        id,
        name: id,
        protocol: "UDP",
        port: MEASURED.port,
        connectionLimit: 0,
        clientIdleTimeoutMs: 60_000,
        backendConnectTimeoutMs: 5000,
        allowedCidrs: [],
        defaultPoolId: id,
      },
    ],
    pools: [poolOf(at, at === 0 ? slots : DEFAULT_SLOTS)],
  };
}

function poolOf(at: number, slots: number): PoolUnit {
  const isMaglev = at % MAGLEV_EVERY === 0;
  return {
    id: `lb-${at}`,
    name: `lb-${at}`,
    protocol: "UDP",
    algorithm: isMaglev ? "MAGLEV" : "ROUND_ROBIN",
    ...(isMaglev && { maglev: { tableSize: slots, hashKey: "FIVE_TUPLE", seed: MEASURED.seed } }),
    sourceIpPersistence: false,
    drainTimeoutMs: 0,
    slowStartMs: 0,
    panicThresholdPercent: 0,
    onBackendDown: "RESET",
    backends: Array.from({ length: BACKENDS }, (_, index) => ({
      id: backendId(at, index),
      name: backendId(at, index),
      host: backendAddress(index),
      address: backendAddress(index),
      port: MEASURED.backendPort + at,
      weight: 1,
      backup: false,
      maxConnections: 0,
      enabled: true,
      monitored: true,
    })),
  };
}
