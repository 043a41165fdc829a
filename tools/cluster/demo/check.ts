// The short form: what the cluster promises, tried once.
import { allNodes, type Cluster, VIP_PORT, vips } from "../cluster.ts";
import { describeMeasure, failures, isWithinBound, type Measure, sufferOutage } from "../measure.ts";
import { addressOf } from "../plan.ts";
import { nowMs } from "../route-monitor.ts";
import type { Tally } from "../traffic/messages.ts";
import { addTallies, total } from "../traffic/tallies.ts";

type Say = (line: string) => void;

const REQUESTS = 90;

/** @returns whether everything was as promised */
export async function check(cluster: Cluster, say: Say): Promise<boolean> {
  const verdict = new Verdict(say);
  for (const host of Object.values(vips)) {
    const tally = await cluster.client(0).ask({ host, port: VIP_PORT }, REQUESTS);
    verdict.expect(`${REQUESTS} requests to ${host} reach all three nodes: ${spread(tally)}`, reachesAll(tally));
  }
  const loads = await Promise.all([
    cluster.client(0).load({ host: vips.ipv4, port: VIP_PORT }, 120),
    cluster.client(1).load({ host: vips.ipv6, port: VIP_PORT }, 80),
  ]);
  for (const [node, failure] of [
    ["lb-2", failures.killFiberlb],
    ["lb-3", failures.killGobgpd],
  ] as const) {
    const { measure, backMs } = await sufferOutage(cluster, node, failure);
    verdict.judge(measure);
    say(`     back in service ${Math.round(backMs)} ms after its restart`);
  }
  verdict.judge(await drain(cluster, "lb-1"));
  await cluster.operator.call("lb-2", "NodeService/UndrainNode", { name: "lb-1" });
  const undrainedMs = nowMs();
  const backMs = (await cluster.untilRouted(allNodes, { sinceMs: undrainedMs })) - undrainedMs;
  say(`     back in service ${Math.round(backMs)} ms after the order`);
  const sum = addTallies(await Promise.all(loads.map((load) => load.stop())));
  const facts = `${sum.requests} requests meanwhile, ${total(sum.retried)} of them tried again, slowest ${Math.round(sum.slowestMs)} ms`;
  verdict.expect(`${facts}; ${total(sum.failed)} failed`, total(sum.failed) === 0);
  return verdict.isGood;
}

/** From the order to drain until no route leads to the node. */
export async function drain(cluster: Cluster, node: string): Promise<Measure> {
  const sinceMs = nowMs();
  const others = allNodes.filter((name) => name !== node);
  await cluster.operator.call(others[0]!, "NodeService/DrainNode", { name: node });
  const tookMs = (await cluster.untilRouted(others, { sinceMs })) - sinceMs;
  return { what: `drain of ${node} ordered, until no route leads there`, tookMs, boundMs: 5000 };
}

/** Whether every node carried some of the requests, and none failed. */
export function reachesAll({ bySource, failed }: Tally): boolean {
  const asked = allNodes.map((node) =>
    ([4, 6] as const).reduce((sum, family) => sum + (bySource[addressOf(node, "front", family)] ?? 0), 0),
  );
  return total(failed) === 0 && asked.every((count) => count > 0);
}

const spread = ({ bySource, failed }: Tally): string =>
  [...Object.entries(bySource).map(([source, count]) => `${count} through ${source}`), `${total(failed)} failed`].join(
    ", ",
  );

class Verdict {
  readonly say: Say;
  isGood = true;

  constructor(say: Say) {
    this.say = say;
  }

  expect(what: string, holds: boolean): void {
    this.say(`${holds ? "ok  " : "FAIL"} ${what}`);
    this.isGood &&= holds;
  }

  judge(measure: Measure): void {
    this.expect(describeMeasure(measure), isWithinBound(measure));
  }
}
