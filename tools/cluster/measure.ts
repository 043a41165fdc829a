// How long the router goes on sending to a node that something has happened to.
import { allNodes, bothVips, type Cluster } from "./cluster.ts";
import { crash, type Fault, hang, partitionFromServers, unplug } from "./faults.ts";
import { nowMs } from "./route-monitor.ts";

/** Something measured against what was promised. */
export interface Measure {
  readonly what: string;
  readonly tookMs: number;
  readonly boundMs: number;
}

export const isWithinBound = ({ tookMs, boundMs }: Measure): boolean => tookMs <= boundMs;

/** One line for people. */
export const describeMeasure = ({ what, tookMs, boundMs }: Measure): string =>
  `${what}: ${Math.round(tookMs)} ms (at most ${boundMs} ms)`;

/** Something that takes a node out, and how soon the router has to be without it. */
export interface Failure {
  readonly what: string;
  readonly boundMs: number;
  readonly cause: (cluster: Cluster, node: string) => Fault | Promise<Fault>;
}

/** The runbook's hold time, and a second. */
const HOLD_AND_A_SECOND_MS = 4000;
/** The runbook's health checks need two failures in a row, each at most an interval and a timeout after the last; and a second. */
const CHECKS_AND_A_SECOND_MS = 2 * (500 + 500) + 1000;

export const failures = {
  killFiberlb: { what: "FiberLB killed", boundMs: 1000, cause: (cluster, node) => crash(cluster, node, "fiberlb") },
  killGobgpd: { what: "gobgpd killed", boundMs: 1000, cause: (cluster, node) => crash(cluster, node, "gobgpd") },
  hang: { what: "node hung", boundMs: HOLD_AND_A_SECOND_MS, cause: hang },
  unplug: { what: "node's link down", boundMs: HOLD_AND_A_SECOND_MS, cause: (_, node) => unplug(node) },
  partition: {
    what: "node cut off from its backends",
    boundMs: CHECKS_AND_A_SECOND_MS,
    cause: (_, node) => partitionFromServers(node),
  },
} as const satisfies Record<string, Failure>;

/** A failure and the way back from it. */
export interface Outage {
  /** Until the router sent the node nothing any more. */
  readonly measure: Measure;
  /** From the repair until the router sends to all nodes again. */
  readonly backMs: number;
}

/**
 * Lets a failure happen to a node, waits until the router sends it nothing any more, of neither VIP, while it goes on sending to
 * others, repairs it, and waits until all nodes are back. The repair is done whatever happens before.
 */
export async function sufferOutage(cluster: Cluster, node: string, { what, boundMs, cause }: Failure): Promise<Outage> {
  const sinceMs = nowMs();
  const fault = await cause(cluster, node);
  let tookMs: number;
  try {
    const left = bothVips.map((vip) =>
      cluster.routes.until(vip, (nodes) => nodes.length > 0 && !nodes.includes(node), { sinceMs }),
    );
    tookMs = Math.max(...(await Promise.all(left))) - sinceMs;
  } finally {
    await fault.repair();
  }
  const repairedMs = nowMs();
  const backMs = (await cluster.untilRouted(allNodes, { sinceMs: repairedMs })) - repairedMs;
  return { measure: { what: `${what} on ${node}, until no route leads there`, tookMs, boundMs }, backMs };
}
